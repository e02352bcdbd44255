# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Everything that judges the project's text: scripts/check.

command.py reads the options and runs the checks of registry.py.  A check is one
module with one function that takes a Context and returns an Outcome (check.py).
"""
