# SPDX-License-Identifier: Apache-2.0
"""Machines that take commands: the channel into one, the agent at its other end, the addresses."""
