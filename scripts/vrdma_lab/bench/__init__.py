# SPDX-License-Identifier: Apache-2.0
"""The measurements of scripts/bench."""
