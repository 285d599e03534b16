"""What one may ask of people."""

from collections.abc import Sequence

from gridproof.state import Event, Message, SignatureClaim


class TurnClock(Message, frozen=True, tag=98001):
    """Move ledger time forward (operator)."""

    to_s: int


class Witness(Message, frozen=True, tag=98002):
    """Bring signatures by others over a hash; for tests of claims."""

    digest: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    def claims(self, chain_id: str) -> Sequence[SignatureClaim]:
        """The signatures, each by the key beside it."""
        return [SignatureClaim(key, self.digest, signature) for key, signature in self.signatures]


class Witnessed(Event, frozen=True, tag=98001):
    """So many have signed this hash."""

    digest: bytes
    count: int
