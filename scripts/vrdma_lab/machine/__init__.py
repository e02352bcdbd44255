# SPDX-License-Identifier: Apache-2.0
"""A machine that takes commands: the channel into it, the agent at its other end, and its addresses."""
