"""What the registry can judge without any state: names, roles, keys, channels.

Nothing here asks the interpreter's Unicode tables: they differ between releases of Python, and two nodes that judge one
name differently would part.
"""

from typing import Final

from gridproof.domain import Direction
from gridproof.primitives.secp256k1 import is_point

from .errors import BadChannels, BadKey, BadKeyRole, BadName, RolesUnknown
from .types import KeyRole, Role

MAX_NAME: Final = 64
KEY_SIZE: Final = 32
MAX_SHOWN: Final = 256  # of what is refused: refusals are kept, and what a sender writes may be as long as a message
KNOWN_ROLES: Final = sum(Role)
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
_KNOWN_CHANNELS: Final = ((Direction.IMPORT,), (Direction.EXPORT,), (Direction.IMPORT, Direction.EXPORT))


def require_name(name: str) -> None:
    """Return if the text can be a name (rule R-2).

    Raises:
        BadName: it is empty, too long, begins or ends with a space, or holds a character that nobody sees.
    """
    sized = 1 <= len(name) <= MAX_NAME and name[0] != " " and name[-1] != " "
    if not sized or any(low <= ord(char) <= high for char in name for low, high in _UNSEEN):
        raise BadName(name=name[:MAX_SHOWN])


def require_roles(roles: int) -> None:
    """Return if the sum holds known roles only (rule R-3).

    Raises:
        RolesUnknown: it does not.
    """
    if not 0 <= roles <= KNOWN_ROLES:
        raise RolesUnknown(roles=roles)


def require_key(role: int, key: bytes) -> None:
    """Return if a key can serve what it is for (rule R-5).

    Args:
        role: a `KeyRole`.
        key: 32 bytes; for signatures the x of a point.

    Raises:
        BadKeyRole: there is no such role.
        BadKey: the length is another, or no point has this x.
    """
    if role not in tuple(KeyRole):
        raise BadKeyRole(role=role)
    if len(key) != KEY_SIZE or (role != KeyRole.ENCRYPTION and not is_point(key)):
        raise BadKey(role=role, key=key[:MAX_SHOWN])


def require_channels(channels: tuple[int, ...]) -> None:
    """Return if a meter can report these channels (rule R-17).

    Raises:
        BadChannels: the list is empty, unordered, repeats itself or holds an unknown direction.
    """
    if channels not in _KNOWN_CHANNELS:
        raise BadChannels(channels=channels[:MAX_SHOWN])
