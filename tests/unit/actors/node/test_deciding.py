"""A company's say among the validators, by the rules D-1 to D-4."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gridproof.actors import credentials
from gridproof.actors.errors import NodeUnclearError
from gridproof.actors.node.deciding import (
    Council,
    find_proposal,
    make_request,
    named,
    names_of,
    other_validator,
    read_change,
    read_request,
    signer_of,
    words_of,
    write_request,
)
from gridproof.actors.node.errors import (
    NoSuchProposalError,
    NoSuchValidatorError,
    OwnVoteError,
    RequestError,
    RequestMissingError,
)
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.settings import NodeSection
from gridproof.actors.randomness import Seeded
from gridproof.connectors.files import FileExistsAlreadyError, FileExposedError, FileTooLongError
from gridproof.connectors.ledger import InProcessClient
from gridproof.connectors.secret_files import SecretFiles
from gridproof.errors import Refusal
from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import CancelUpgrade, RemoveValidator, ScheduleUpgrade
from gridproof.modules.consensus.errors import BadPossession
from gridproof.primitives.hashing import sha256

from tests.unit.actors.node.homes import SIGNER, node_in, settings
from tests.unit.modules.consensus import network as consensus

ONE, TWO, THREE, FOUR, FIVE = consensus.AGGREGATORS[:5]


def company(place: Path, name: str) -> NodeFolder:
    """A company's node, with the keys that the ledger knows it by."""
    of = replace(settings(), node=NodeSection(name=name, chain_id=consensus.CHAIN_ID))
    folder = node_in(place / name.replace(" ", "-"), of)
    keys = credentials.draw(name, Seeded(name.encode()))
    own = replace(keys, transaction=sha256(b"tests/consensus/", name.encode()))
    credentials.write(SecretFiles(), folder.key_file(name), own, replace=True)
    return folder


def council(place: Path, name: str, client: InProcessClient) -> Council:
    return Council(company(place, name), SecretFiles(), client)


def test_d1_more_than_two_thirds_decide_each_by_its_own_key(client: InProcessClient, tmp_path: Path) -> None:
    change = RemoveValidator(consensus.IDS[FOUR])
    first = council(tmp_path, ONE, client).support(change)
    assert (first.power, first.total, first.decided) == (10, 40, False)
    second = council(tmp_path, TWO, client).support(change)
    assert (second.power, second.decided, second.proposal) == (20, False, first.proposal)
    third = council(tmp_path, THREE, client).support(change)
    assert third.decided
    assert (third.power, third.total) == (30, 30)
    assert client.ask(queries.generation) == 1


def test_d1_who_does_not_vote_supports_nothing(client: InProcessClient, tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        council(tmp_path, FIVE, client).support(RemoveValidator(consensus.IDS[FOUR]))
    assert client.ask(queries.proposals) == ()


def test_d1_an_unknown_company_has_no_say(client: InProcessClient, tmp_path: Path) -> None:
    with pytest.raises(NodeUnclearError, match="register it first"):
        council(tmp_path, "Nobody", client)


def test_d3_saying_the_same_again_is_harmless(client: InProcessClient, tmp_path: Path) -> None:
    voice = council(tmp_path, ONE, client)
    change = RemoveValidator(consensus.IDS[FOUR])
    assert voice.support(change) == voice.support(change)
    (proposal,) = client.ask(queries.proposals)
    assert proposal.power == 10


def test_d2_a_request_is_signed_by_the_nodes_own_key_and_holds_no_secret(
    client: InProcessClient, tmp_path: Path
) -> None:
    folder = company(tmp_path, FIVE)
    change = make_request(folder, client, 7)
    assert (change.participant, change.key, change.power) == (consensus.IDS[FIVE], SIGNER.public, 7)
    path = tmp_path / "join.json"
    write_request(path, consensus.CHAIN_ID, change)
    assert read_request(path, consensus.CHAIN_ID) == change
    for secret in (SIGNER.seed, sha256(b"tests/consensus/", FIVE.encode())):
        assert secret.hex() not in path.read_text()
    with pytest.raises(FileExistsAlreadyError):
        write_request(path, consensus.CHAIN_ID, change)
    for name in (ONE, TWO, THREE):
        standing = council(tmp_path, name, client).support(read_request(path, consensus.CHAIN_ID))
    assert standing.decided
    assert standing.total == 47


@pytest.mark.parametrize(
    "changes",
    [
        {"form": "x"}, {"chain_id": "other-1"}, {"participant": "one"}, {"participant": None}, {"key": "zz"},
        {"key": 7}, {"power": [1]}, {"power": 1e400},
    ],
)  # fmt: skip
def test_d2_what_is_no_request_for_this_chain_is_refused(
    client: InProcessClient, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = written(client, tmp_path, changes)
    with pytest.raises(RequestError) as refused:
        read_request(path, consensus.CHAIN_ID)
    assert refused.value.path == str(path)


@pytest.mark.parametrize(
    "changes", [{"participant": 3}, {"key": "ab" * 32}, {"proof": "00" * 64}, {"power": 0}, {"power": -1}]
)
def test_d2_a_request_that_its_key_did_not_sign_or_without_power_is_refused(
    client: InProcessClient, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = written(client, tmp_path, changes)
    with pytest.raises(Refusal):
        read_request(path, consensus.CHAIN_ID)


@pytest.mark.parametrize("participant", [-1, 0, 2**40, 2**70])
def test_d2_a_number_that_no_participant_has_is_refused(
    client: InProcessClient, tmp_path: Path, participant: int
) -> None:
    with pytest.raises((RequestError, Refusal)):
        read_request(written(client, tmp_path, {"participant": participant}), consensus.CHAIN_ID)


def written(client: InProcessClient, place: Path, changes: dict[str, Any]) -> Path:
    """A good request's file with something changed."""
    path = place / "join.json"
    write_request(path, consensus.CHAIN_ID, make_request(company(place, FIVE), client, 7))
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize(
    ("raw", "detail"),
    [(b"", "it is no JSON"), (b"{}", "it has no 'form'"), (b"[]", "another form"), (b"7", "another form"),
     (b"\xff", "another form"), (b"[" * 60_000, "another form")],
)  # fmt: skip
def test_d2_a_file_of_anything_is_refused(tmp_path: Path, raw: bytes, detail: str) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(RequestError, match=detail):
        read_request(tmp_path / "x", consensus.CHAIN_ID)


def test_d2_a_file_that_is_too_long_for_a_request_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b" " * 2**17)
    with pytest.raises(FileTooLongError):
        read_request(tmp_path / "x", consensus.CHAIN_ID)


def test_what_is_supported_is_a_requests_file_or_an_open_proposal(client: InProcessClient, tmp_path: Path) -> None:
    path = written(client, tmp_path, {})
    assert read_change(client, str(path)) == read_request(path, consensus.CHAIN_ID)
    open_ = council(tmp_path, ONE, client).support(RemoveValidator(consensus.IDS[FOUR]))
    assert read_change(client, named(open_.proposal)) == open_.change
    with pytest.raises(NoSuchProposalError):
        read_change(client, "0123")
    for given in (f"{path}.", "mistyped.json", "\u0664" * 32):
        with pytest.raises(RequestMissingError) as refused:
            read_change(client, given)
        assert refused.value.given == given


def test_a_vote_is_taken_of_another_company_that_has_one(client: InProcessClient) -> None:
    assert other_validator(client, ONE, TWO) == consensus.IDS[TWO]
    with pytest.raises(OwnVoteError):
        other_validator(client, ONE, ONE)
    for name in (FIVE, "Nobody", ""):
        with pytest.raises(NoSuchValidatorError) as refused:
            other_validator(client, ONE, name)
        assert refused.value.known == f"{TWO}, {THREE}, {FOUR}"


def test_d2_a_request_of_another_chain_does_not_count_here(client: InProcessClient, tmp_path: Path) -> None:
    path = written(client, tmp_path, {"chain_id": "other-1"})
    with pytest.raises(BadPossession):
        read_request(path, "other-1")


def test_the_signers_key_is_read_from_a_private_file_alone(tmp_path: Path) -> None:
    folder = company(tmp_path, ONE)
    assert signer_of(folder) == SIGNER
    folder.signer_key.chmod(0o640)
    with pytest.raises(FileExposedError):
        signer_of(folder)


def test_d4_a_proposal_is_named_by_digits_that_no_other_can_share(client: InProcessClient, tmp_path: Path) -> None:
    with pytest.raises(NoSuchProposalError, match="none is open"):
        find_proposal(client, "ab" * 16)
    ids = [
        council(tmp_path, by, client).support(RemoveValidator(consensus.IDS[name])).proposal
        for by, name in ((ONE, THREE), (TWO, FOUR))
    ]
    for each in ids:
        assert find_proposal(client, named(each).upper()).proposal == each
        assert find_proposal(client, each.hex()).proposal == each
    for given in ("", "zz" * 16, named(ids[0])[:-1], ids[0].hex()[:8]):
        with pytest.raises(NoSuchProposalError) as refused:
            find_proposal(client, given)
        assert all(named(each) in refused.value.known for each in ids)


def test_companies_are_known_by_name_and_changes_told_in_words(client: InProcessClient) -> None:
    names = names_of(client)
    assert words_of(consensus.setting(TWO, 3), names) == f"{TWO} votes with power 3"
    assert words_of(RemoveValidator(99), names) == "99 votes no more"
    assert words_of(ScheduleUpgrade(2, 50), names) == "version 2 from height 50 on"
    assert "does not take place" in words_of(CancelUpgrade(), names)
