# SPDX-License-Identifier: Apache-2.0
"""A daemon and guests on this machine."""
