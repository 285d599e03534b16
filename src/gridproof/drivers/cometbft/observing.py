"""What the service tells whoever watches it; by default nobody does."""

from collections.abc import Iterable

from gridproof.state import Head


class Observer:
    """Is told what a node does, from several threads at once. It must be quick, and may refuse nothing.

    This one forgets all. Nothing that it is told names a person: participants are the companies of the network.
    """

    def answered(self, request: str, seconds: float, together: int = 1) -> None:
        """Requests of the engine were answered.

        Args:
            request: their kind, such as `check_tx`.
            seconds: how long it took.
            together: how many they were.
        """

    def checked(self, code: int, *, again: bool) -> None:
        """An envelope was looked at.

        Args:
            code: 0 if it was let in, else the refusal's number.
            again: whether it waited already, and was looked at after a block.
        """

    def left_out(self, code: int) -> None:
        """A transaction was left out of a proposal of this node, for the reason of this number."""

    def refused(self, proposer: int) -> None:
        """A block that was proposed is refused.

        Args:
            proposer: the participant, or 0.
        """

    def committed(self, head: Head, proposer: int, codes: Iterable[int]) -> None:
        """A block was committed.

        Args:
            head: where the ledger stands now.
            proposer: the participant, or 0.
            codes: of its transactions; 0 for those that took effect.
        """

    def snapshot_taken(self, height: int, seconds: float, size: int) -> None:
        """A snapshot was written.

        Args:
            height: whose state it is.
            seconds: how long it took.
            size: of its pieces together, bytes.
        """

    def snapshot_missed(self) -> None:
        """A snapshot was due and not written."""


UNOBSERVED = Observer()
