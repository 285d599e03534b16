"""Reading a file of settings."""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from gridproof.connectors.files import read_limited

from .checks import faults_of
from .errors import ConfigInvalidError, Fault, Faults
from .settings import Settings

FILE_NAME: Final = "gridproof.toml"
MAX_SIZE: Final = 2**20


def load(path: Path) -> Settings:
    """Read a file of settings.

    Args:
        path: the file, `gridproof.toml` of a community's folder.

    Raises:
        ConfigInvalidError: it has faults; all of them are named.
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses it, or it is far too long.
    """
    return parse(read_limited(path, MAX_SIZE), str(path))


def check(path: Path) -> Faults:
    """Name all that is wrong with a file of settings; nothing if it is good.

    Raises:
        FileMissingError: it is not there.
        FileUnreadableError: the system refuses it, or it is far too long.
    """
    return _faults(read_limited(path, MAX_SIZE))[1]


def parse(content: bytes, name: str = FILE_NAME) -> Settings:
    """Take settings from a file's bytes.

    Args:
        content: TOML in UTF-8.
        name: the file's name, for the error.

    Raises:
        ConfigInvalidError: it has faults; all of them are named.
    """
    raw, faults = _faults(content)
    if faults:
        raise ConfigInvalidError(path=name, faults=faults)
    return msgspec.convert(raw, Settings)


def _faults(content: bytes) -> tuple[dict[str, Any], Faults]:
    try:
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as undecodable:
        line = content.count(b"\n", 0, undecodable.start) + 1
        return {}, Faults([Fault("", f"line {line} has bytes that are no UTF-8")])
    except (ValueError, RecursionError) as unparseable:  # ValueError: also a number of thousands of digits
        return {}, Faults([Fault("", f"this is no TOML: {unparseable}")])
    return raw, faults_of(raw)
