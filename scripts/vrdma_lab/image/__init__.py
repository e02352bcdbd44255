# SPDX-License-Identifier: Apache-2.0
"""The file systems that virtual machines boot from."""
