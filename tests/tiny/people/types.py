"""What is kept of people."""

from typing import Final

from gridproof.state import U32, Map, Record

MODULE: Final = 98


class Member(Record, frozen=True):
    """Someone who may send.

    Attributes:
        key: x-only, 32 bytes.
        is_operator: whether it may post notices and turn the clock.
    """

    key: bytes
    is_operator: bool


MEMBERS: Final = Map(module=MODULE, collection=1, key=(U32,), value=Member)
