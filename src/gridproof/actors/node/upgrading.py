"""Whether a node's program is new enough for the upgrade that the validators decided on."""

from gridproof import app
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.consensus import queries as consensus


def program_version() -> int:
    """The version of the program that this is."""
    return app.APPLICATION_VERSION


def find_upgrade(client: LedgerClient) -> tuple[int, int] | None:
    """Version and height of the upgrade that is to come, or None.

    Raises:
        ClientError: no answer came.
    """
    due = client.ask(consensus.upgrade)
    return None if due is None else (due.version, due.height)


def words_of_upgrade(version: int, height: int) -> str:
    """What an upgrade to come means for a node with this program.

    Args:
        version: that takes over.
        height: of the first block under it.
    """
    told = f"version {version} takes over at height {height}"
    if is_too_old_for(version):
        return f"{told}, and this program has version {program_version()}: install the newer one before, or it stops"
    return f"{told}; this program has it"


def is_too_old_for(version: int) -> bool:
    """Whether this program stops where a version takes over."""
    return version > program_version()
