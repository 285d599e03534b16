"""What the registry can judge without any state: names, roles, keys, channels."""

from typing import Final

from gridproof.domain import Direction, is_name
from gridproof.primitives.secp256k1 import is_point

from .errors import BadChannels, BadKey, BadKeyRole, BadName, RolesUnknown
from .types import KeyRole, Role

KEY_SIZE: Final = 32
MAX_SHOWN: Final = 256  # of what is refused: refusals are kept, and what a sender writes may be as long as a message
KNOWN_ROLES: Final = sum(Role)
_KNOWN_CHANNELS: Final = ((Direction.IMPORT,), (Direction.EXPORT,), (Direction.IMPORT, Direction.EXPORT))


def require_name(name: str) -> None:
    """Return if the text can be a name (rule R-2).

    Raises:
        BadName: it is empty, too long, begins or ends with a space, or holds a character that nobody sees.
    """
    if not is_name(name):
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
