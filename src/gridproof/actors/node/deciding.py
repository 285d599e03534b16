"""What a company says as a validator: which changes of the validators, and which upgrades, it supports.

Rules:
    D-1 A support is signed with the company's own transaction key, and names the present generation.
    D-2 A newcomer's request carries its node's key and that key's own signature; it is made on the newcomer's machine
        and given to the others as a file, which holds nothing secret.
    D-3 Saying the same again is harmless.
    D-4 A proposal is named by so many digits of its id that nobody can make two that share them: whoever has looked at
        one must not come to support another that was put in its place meanwhile.
"""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gridproof.actors import credentials
from gridproof.actors.community.people import participant_id
from gridproof.connectors.files import read_limited, read_private, write_whole
from gridproof.connectors.ledger import LedgerClient, Sender
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import ParticipantId
from gridproof.drivers.cometbft.engine import EngineKey, read_signer_file
from gridproof.modules.consensus import queries as consensus
from gridproof.modules.consensus.changes import (
    CancelUpgrade,
    Change,
    RemoveValidator,
    ScheduleUpgrade,
    SetValidator,
    possession_hash,
    proposal_id,
)
from gridproof.modules.consensus.errors import AlreadySupported
from gridproof.modules.consensus.lookups import require_no_third
from gridproof.modules.consensus.messages import SupportChange
from gridproof.modules.consensus.queries import OpenProposal
from gridproof.modules.registry import queries as registry

from .errors import NoSuchProposalError, NoSuchValidatorError, OwnVoteError, RequestError, RequestMissingError
from .folder import NodeFolder
from .settings import load

MAX_REQUEST: Final = 2**16
FORM: Final = "gridproof join 1"
_ID: Final = re.compile(r"[0-9a-fA-F]{1,64}", re.ASCII)
DIGITS: Final = 32  # of a proposal's id: two with the same ones take 2**64 tries (D-4)


class Standing(NamedTuple):
    """How a proposal stands after a support.

    Attributes:
        proposal: its id, 32 bytes.
        change: what is to be.
        power: of all who support it; all of it where it was decided.
        total: of all validators.
        decided: whether it took effect.
        instead_of: the proposal that the company supported before, 32 bytes; empty where there was none.
    """

    proposal: bytes
    change: Change
    power: int
    total: int
    decided: bool
    instead_of: bytes = b""


class Council:
    """A company's voice among the validators.

    Args:
        folder: its node's.
        secrets: opens its keys, where they are sealed.
        client: the way to the ledger.

    Raises:
        FileError, SecretFileError: its keys cannot be read.
        NodeUnclearError: the ledger does not know the company.
    """

    def __init__(self, folder: NodeFolder, secrets: SecretFiles, client: LedgerClient) -> None:
        self.name = load(folder.root).node.name
        self._client = client
        self.participant = participant_id(client, self.name)
        keys = credentials.read(secrets, folder.key_file(self.name), self.name)
        self._sender = Sender(client, keys.signer, self.participant)

    def support(self, change: Change) -> Standing:
        """Support a change; the first one who does proposes it.

        Raises:
            Refusal: the ledger refuses, such as a change that could stop it.
            ClientError: no answer came.
        """
        generation = self._client.ask(consensus.generation)
        chain_id = self._client.status().chain_id
        name = proposal_id(chain_id, generation, change)
        open_ = self._client.ask(consensus.proposals)
        before = [each.proposal for each in open_ if self.participant in each.supporters and each.proposal != name]
        with suppress(AlreadySupported):  # D-3
            self._sender.send(SupportChange(generation, change))
        return self._standing(name, change, generation)._replace(instead_of=b"".join(before))

    def _standing(self, name: bytes, change: Change, generation: int) -> Standing:
        total = sum(member.power for _, member in self._client.ask(consensus.validators))
        for proposal in self._client.ask(consensus.proposals):
            if proposal.proposal == name:
                return Standing(name, change, proposal.power, total, decided=False)
        decided = self._client.ask(consensus.generation) != generation
        return Standing(name, change, total if decided else 0, total, decided)


def names_of(client: LedgerClient) -> dict[int, str]:
    """The participants' names."""
    return {int(number): known.name for number, known in client.ask(registry.participants)}


def other_validator(client: LedgerClient, own: str, name: str) -> ParticipantId:
    """The number of another company that has a vote.

    Args:
        client: the way to the ledger.
        own: name of the company that asks.
        name: of the other one.

    Raises:
        OwnVoteError: it is the same.
        NoSuchValidatorError: none of this name votes.
    """
    if name == own:
        raise OwnVoteError(name=name)
    names = names_of(client)
    voting = {names.get(int(number), ""): number for number, _ in client.ask(consensus.validators)}
    if name not in voting:
        raise NoSuchValidatorError(name=name, known=", ".join(each for each in voting if each != own))
    return ParticipantId(voting[name])


# --- requests ------------------------------------------------------------------------------------------------------


def make_request(folder: NodeFolder, client: LedgerClient, power: int) -> SetValidator:
    """A node's request to vote with a power (D-2).

    Raises:
        FileError: its signer's key cannot be read.
        NodeUnclearError: the ledger does not know the company.
        Refusal: nobody may have this power, or not among those who vote now: the others could not support it.
    """
    participant = participant_id(client, load(folder.root).node.name)
    key = signer_of(folder)
    chain_id = client.status().chain_id
    change = SetValidator(participant, key.public, power, key.sign(possession_hash(chain_id, participant, key.public)))
    SupportChange(0, change).check(chain_id)
    require_no_third(dict(client.ask(consensus.validators)), participant, power)
    return change


def signer_of(folder: NodeFolder) -> EngineKey:
    """The key that a node votes with; secret.

    Raises:
        FileError: it cannot be read.
        EngineFileError: the file holds no such key.
    """
    return read_signer_file(read_private(folder.signer_key, MAX_REQUEST), str(folder.signer_key))


def write_request(path: Path, chain_id: str, change: SetValidator) -> None:
    """Write a request as a file for the other companies.

    Raises:
        FileExistsAlreadyError, FileUnwritableError: it cannot be written there.
    """
    told = {
        "form": FORM,
        "chain_id": chain_id,
        "participant": change.participant,
        "key": change.key.hex(),
        "power": change.power,
        "proof": change.proof.hex(),
    }
    write_whole(path, json.dumps(told, indent=1).encode() + b"\n", replace=False)


def read_request(path: Path, chain_id: str) -> SetValidator:
    """Read a request, and hold it to the chain and to its own signature.

    Raises:
        FileError: it cannot be read.
        RequestError: it is none, or of another chain.
        Refusal: its key did not sign for this participant, or it has no valid power.
    """
    try:
        told: dict[str, Any] = json.loads(read_limited(path, MAX_REQUEST))
        if told["form"] != FORM or told["chain_id"] != chain_id:
            raise RequestError(path=str(path), detail=f"it is of {told['form']!r} for the chain {told['chain_id']!r}")
        change = msgspec.convert(  # unlike the class, it holds numbers to their limits
            (1, told["participant"], bytes.fromhex(told["key"]), told["power"], bytes.fromhex(told["proof"])),
            SetValidator,
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as wrong:
        raise RequestError(path=str(path), detail=_reason(wrong)) from wrong
    SupportChange(0, change).check(chain_id)
    return change


def _reason(wrong: Exception) -> str:
    if isinstance(wrong, json.JSONDecodeError):
        return "it is no JSON"
    return f"it has no {wrong}" if isinstance(wrong, KeyError) else "what it says has another form"


def read_change(client: LedgerClient, given: str) -> Change:
    """What a company is asked to support.

    Args:
        client: the way to the ledger.
        given: path of a request's file, or digits of an open proposal's id.

    Raises:
        RequestMissingError: it is neither.
        FileError, RequestError, Refusal: as of `read_request`.
        NoSuchProposalError: no proposal's id begins with these digits, or they are too few.
    """
    path = Path(given)
    if path.exists():
        return read_request(path, client.status().chain_id)
    if not _ID.fullmatch(given):
        raise RequestMissingError(given=given)
    return find_proposal(client, given).change


def named(proposal: bytes) -> str:
    """The digits by which people name a proposal (D-4)."""
    return proposal.hex()[:DIGITS]


def find_proposal(client: LedgerClient, given: str) -> OpenProposal:
    """The open proposal whose id begins with some hexadecimal digits (D-4).

    Args:
        client: the way to the ledger.
        given: the digits, at least 32.

    Raises:
        NoSuchProposalError: none does, or they are too few.
    """
    open_ = client.ask(consensus.proposals)
    found = [each for each in open_ if each.proposal.hex().startswith(given.casefold())]
    if len(found) != 1 or len(given) < DIGITS:
        known = ", ".join(named(each.proposal) for each in open_) or "none is open"
        raise NoSuchProposalError(given=given, known=known)
    return found[0]


def words_of(change: Change, names: dict[int, str]) -> str:
    """A change in words.

    Args:
        change: what is to be.
        names: of the participants.
    """
    match change:
        case SetValidator():
            return f"{names.get(change.participant, change.participant)} votes with power {change.power}"
        case RemoveValidator():
            return f"{names.get(change.participant, change.participant)} votes no more"
        case ScheduleUpgrade():
            return f"version {change.version} from height {change.height} on"
        case CancelUpgrade():
            return "the scheduled upgrade does not take place"
