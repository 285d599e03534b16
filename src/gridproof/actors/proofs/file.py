"""A proof to take away: one file that proves a statement of the ledger to whoever trusts an earlier header.

It holds the trusted header with its validators, the headers that lead from it to the one that tells the state, each
with its validators and their signatures, and the statement with what ties it to that state. It is checked offline.

The steps:
    1. the file's first header is the trusted one;
    2. each further header follows from the one before it by its validators' signatures (`gridproof.light`);
    3. the statement follows from the last header's app hash (`statements`).
Nothing in the file is left unchecked: whichever byte is altered, one of the steps fails.
"""

from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from msgspec import Meta

from gridproof.actors.bills.words import Card
from gridproof.actors.enrolment import HouseholdFile
from gridproof.actors.errors import ProofFileError
from gridproof.connectors.files import PRIVATE_FILE, read_limited, write_whole
from gridproof.light import LightBlock, Policy, Time, Trusted, verify_anchor, verify_chain
from gridproof.light.errors import OtherChainError
from gridproof.primitives.encoding import Codec
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Record

from .anchor import Anchor
from .statements import AnyStatement, Ground, OwnBill, OwnRecords, Shown

MAGIC: Final = b"gridproof-light-proof/1\n"
MAX_FILE_BYTES: Final = 2**28
MAX_BLOCKS: Final = 1_000
PUBLIC_FILE: Final = 0o644


class LightProof(Record, frozen=True):
    """The file.

    Attributes:
        trusted: the header that it begins with, and its validators.
        blocks: those that lead on from it, ascending; the last one tells the state.
        statement: what is proven.
    """

    trusted: Trusted
    blocks: Annotated[tuple[LightBlock, ...], Meta(max_length=MAX_BLOCKS)]
    statement: AnyStatement

    @property
    def end(self) -> Trusted:
        """The header that tells the state, as the file has it: nothing is verified yet."""
        return Trusted(self.blocks[-1].header, self.blocks[-1].validators) if self.blocks else self.trusted


class Proven(NamedTuple):
    """What a file proves.

    Attributes:
        header: the header that tells the state, and its validators.
        shown: what the statement says.
    """

    header: Trusted
    shown: Shown


_FILE: Final[Codec[Any]] = Codec(LightProof)


def encode_light_proof(proof: LightProof) -> bytes:
    """The file's bytes."""
    return MAGIC + _FILE.encode(proof)


def decode_light_proof(raw: bytes) -> LightProof:
    """Read a file's bytes.

    Raises:
        ProofFileError: they are none.
    """
    if not raw.startswith(MAGIC):
        raise ProofFileError(detail="it is no proof of `gridproof proof export`")
    try:
        found: LightProof = _FILE.decode(raw[len(MAGIC) :])
    except PrimitiveError as wrong:
        raise ProofFileError(detail=str(wrong)) from wrong
    return found


def write_light_proof(path: Path, proof: LightProof) -> None:
    """Write a file; nothing is overwritten. What is a household's own is for its owner only.

    Raises:
        FileError: it cannot be written, or stands there already.
    """
    mode = PRIVATE_FILE if isinstance(proof.statement, (OwnRecords, OwnBill)) else PUBLIC_FILE
    write_whole(path, encode_light_proof(proof), mode, replace=False)


def read_light_proof(path: Path) -> LightProof:
    """Read a file.

    Raises:
        FileError: it is not there, or cannot be read.
        ProofFileError: it is none.
    """
    return decode_light_proof(read_limited(path, MAX_FILE_BYTES))


def verify_light_proof(
    proof: LightProof,
    anchor: Anchor,
    now: Time,
    household: HouseholdFile | None = None,
    card: Card | None = None,
) -> Proven:
    """Check a file offline, by the steps of this module's docstring.

    Args:
        proof: as read.
        anchor: what is trusted.
        now: the time.
        household: the household's view secret, for its own records and bill.
        card: the card of the bill's month.

    Raises:
        LightError: a header is not believed.
        OtherChainError: the file is of another chain.
        HouseholdNeededError: the statement can only be read with the household's secret.
        StatementUnknownError, StatementFalseError, PrimitiveError, StateError: it does not follow from the header.
    """
    verify_anchor(proof.trusted, anchor.height, anchor.hash)  # step 1
    if proof.trusted.header.chain_id != anchor.chain_id:
        raise OtherChainError(header=proof.trusted.header.chain_id, trusted=anchor.chain_id)
    end = verify_chain(proof.trusted, proof.blocks, Policy(anchor.period_s), now)  # step 2
    return Proven(end, proof.statement.verify(Ground(end, household, card)))  # step 3


__all__ = [
    "MAX_BLOCKS",
    "LightProof",
    "Proven",
    "decode_light_proof",
    "encode_light_proof",
    "read_light_proof",
    "verify_light_proof",
    "write_light_proof",
]
