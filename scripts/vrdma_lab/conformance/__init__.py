# SPDX-License-Identifier: Apache-2.0
"""The tests of rdma-core, run natively and in guests, and the document about their results."""
