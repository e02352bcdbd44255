# SPDX-License-Identifier: Apache-2.0
"""The preparation of a run: packages, kernels, builds.

Nothing here knows what is run afterwards.
"""
