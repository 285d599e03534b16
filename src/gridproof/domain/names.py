"""Which texts can be names that people read.

Nothing here asks the interpreter's Unicode tables: they differ between releases of Python, and two nodes that judge one
name differently would part.
"""

from typing import Final

__all__ = ["MAX_NAME", "is_name"]

MAX_NAME: Final = 64
# Code points that show nothing, or turn the direction of what follows: two names that differ in them look alike.
_UNSEEN: Final = (
    (0x00, 0x1F),
    (0x7F, 0xA0),
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x1680, 0x1680),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2000, 0x200F),
    (0x2028, 0x202F),
    (0x205F, 0x206F),
    (0x2800, 0x2800),
    (0x3000, 0x3000),
    (0x3164, 0x3164),
    (0xD800, 0xF8FF),  # surrogates, private use
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFF),
    (0xE0000, 0x10FFFF),
)


def is_name(name: str) -> bool:
    """Whether a text has 1 to 64 characters that people see, none at its ends a space."""
    sized = 1 <= len(name) <= MAX_NAME and name[0] != " " and name[-1] != " "
    return sized and not any(low <= ord(char) <= high for char in name for low, high in _UNSEEN)
