# SPDX-License-Identifier: Apache-2.0
"""scripts/check starts this."""
import sys

from vrdma_check.command import main

sys.exit(main(sys.argv[1:]))
