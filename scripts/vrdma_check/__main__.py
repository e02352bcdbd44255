# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""scripts/check starts this."""
import sys

from vrdma_check.command import main

sys.exit(main(sys.argv[1:]))
