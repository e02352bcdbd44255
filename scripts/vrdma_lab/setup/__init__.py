# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The preparation of a run: packages, kernels, builds.

Nothing here knows what is run afterwards.
"""
