# SPDX-License-Identifier: Apache-2.0
"""Virtual machines with vrdma devices, their daemon and their network, on this machine."""
