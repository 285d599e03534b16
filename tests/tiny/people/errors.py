"""Reasons for which people refuse."""

from typing import ClassVar

from gridproof.errors import Refusal


class PeopleError(Refusal):
    """Root of this module's refusals."""


class NotPermitted(PeopleError):
    """The sender is not the operator; nothing changed. Ask the operator."""

    code: ClassVar[int] = 98001
    participant: int
