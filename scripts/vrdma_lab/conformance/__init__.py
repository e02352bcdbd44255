# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The tests of rdma-core, run natively and in guests, and the document about their results."""
