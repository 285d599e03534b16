"""A ledger's history, asked of the ledger block by block."""

from collections.abc import Iterator

from gridproof.drivers.history import Entry

from .port import LedgerClient


class RemoteHistory:
    """The history of a ledger that another process keeps, up to its last block at the beginning (`History`).

    Nothing of it is believed by having it: whoever replays it holds it against itself, and its genesis document against
    one's own.

    Args:
        client: the way to the ledger; stays open as long as the history is read.

    Attributes:
        chain_id: name of the chain.
        genesis: the genesis document.
        last_height: of the last block.
        last_hash: the app hash after it, 32 bytes.

    Raises:
        ClientError: no answer came.
    """

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        status = client.status()
        self.chain_id, self.last_height, self.last_hash = status.chain_id, status.height, status.app_hash
        self.genesis = client.genesis()

    def entries(self) -> Iterator[Entry]:
        """The blocks in order.

        Raises:
            MissingBlockError: a block is not kept any more.
            ClientError: no answer came.
        """
        return map(self._client.entry, range(1, self.last_height + 1))
