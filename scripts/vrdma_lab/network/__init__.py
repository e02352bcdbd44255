# SPDX-License-Identifier: Apache-2.0
"""The Ethernets of guests and hosts."""
