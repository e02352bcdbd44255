# SPDX-License-Identifier: Apache-2.0
"""Base classes and helpers of the tests that are written in Python."""
