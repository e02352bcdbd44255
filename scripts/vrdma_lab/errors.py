# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The exceptions of the lab, whose text a user can act on."""


class LabError(Exception):
    """A part of the lab failed; the text says which and shows what it said last."""


class Interrupted(KeyboardInterrupt):
    """A signal asks for the end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number
