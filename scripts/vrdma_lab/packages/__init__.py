# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Debian packages: their source, and clean Debians that build and try them."""
