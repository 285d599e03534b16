"""Where a passphrase comes from: a file, the environment or a prompt; never the command line, which others may read."""

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gridproof.errors import GridproofError

from .files import read_private

VARIABLE: Final = "GRIDPROOF_PASSPHRASE"
FILE_VARIABLE: Final = "GRIDPROOF_PASSPHRASE_FILE"
MAX_LENGTH: Final = 4096


class PassphraseError(GridproofError):
    """No passphrase can be taken from here."""


class EmptyPassphraseError(PassphraseError):
    """The passphrase is empty, which protects nothing. Give one, or give none at all."""

    source: str


class PassphraseMismatchError(PassphraseError):
    """The two entries differ; nothing was sealed. Type the passphrase again."""


class PassphraseNotTextError(PassphraseError):
    """The passphrase is no UTF-8 text. Write the file anew."""

    source: str


def read_passphrase(
    *,
    file: Path | None = None,
    prompt: Callable[[str], str] | None = None,
    confirm: bool = False,
    environment: Mapping[str, str] | None = None,
) -> str | None:
    """Find the passphrase: in the file, in GRIDPROOF_PASSPHRASE(_FILE), at the prompt, in this order.

    Args:
        file: its first line is the passphrase; mode 0600.
        prompt: asks a person without showing what is typed; None asks nobody.
        confirm: ask twice, for a passphrase that will seal for the first time.
        environment: the variables, by default the process's own.

    Returns:
        The passphrase in Unicode's composed form (so that it is the same from any keyboard), or None if there is none.

    Raises:
        EmptyPassphraseError: it is there and empty.
        PassphraseNotTextError: it is no UTF-8.
        PassphraseMismatchError: the two entries at the prompt differ.
        FileExposedError: others may open the file; run `chmod 600`.
        FileMissingError: there is no such file.
        FileUnreadableError: the system refuses the file.
    """
    variables = os.environ if environment is None else environment
    named = variables.get(FILE_VARIABLE)
    if file is None and VARIABLE not in variables and named:
        file = Path(named)
    if file is not None:
        return _accept(_first_line(file), str(file))
    if VARIABLE in variables:
        return _accept(variables[VARIABLE], VARIABLE)
    if prompt is None:
        return None
    typed = prompt("Passphrase: ")
    if confirm and prompt("The same again: ") != typed:
        raise PassphraseMismatchError
    return _accept(typed, "prompt")


def _first_line(file: Path) -> str:
    try:
        return read_private(file, MAX_LENGTH).decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as undecodable:
        raise PassphraseNotTextError(source=str(file)) from undecodable


def _accept(passphrase: str, source: str) -> str:
    if not passphrase:
        raise EmptyPassphraseError(source=source)
    try:
        passphrase.encode()
    except UnicodeEncodeError as undecodable:  # bytes of the environment that are no UTF-8 come as lone surrogates
        raise PassphraseNotTextError(source=source) from undecodable
    return unicodedata.normalize("NFC", passphrase)
