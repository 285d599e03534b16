"""Keys that change hands: whatever the point at which it is cut short, whoever's turn it is finds the keys again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridproof.actors import credentials
from gridproof.actors.community import Community
from gridproof.actors.community.access import at_work, reached
from gridproof.actors.community.errors import (
    AnothersRecoveryKeyError,
    KeysDifferError,
    KeysMissingError,
    NobodyBringsError,
    NoKeyOfRoleError,
    NoRecoveryKeyError,
    NoSuchParticipantError,
    RecoveryKeyAwayError,
    RecoveryKeyDiffersError,
)
from gridproof.actors.community.keyring import Change, Keyring
from gridproof.actors.community.people import BILL_PROVIDER, OPERATOR, equip, read_recovery, write_recovery
from gridproof.actors.community.rekeying import Rekeyed, Rekeying
from gridproof.actors.operator import Operator
from gridproof.connectors import files, secret_files
from gridproof.connectors.files import FileMissingError, FileUnwritableError
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.secret_files import NoSecretFileError, PassphraseNeededError, SecretFiles
from gridproof.modules.registry.errors import KeyUsed
from gridproof.modules.registry.messages import KeyEntry, RotateKeys
from gridproof.modules.registry.types import KeyRole, Role
from gridproof.primitives import hpke
from gridproof.primitives.schnorr import Signer

from tests.unit.actors.community.cutting import Killed, cut_at
from tests.unit.cli.home import files_of, founded, typed

AGGREGATOR = "aggregator 1"
ALL = (KeyRole.TRANSACTION, KeyRole.ENCRYPTION)
STEPS = 24  # more than any change takes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("keys") / "home")


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "home"))


@contextmanager
def working(root: Path) -> Iterator[tuple[Community, LedgerClient]]:
    """A process that acts for the participants."""
    community = Community(root)
    with at_work(community.folder), reached(community.folder) as ledger:
        yield community, ledger.client


def rotate(root: Path, name: str, *only: KeyRole) -> Rekeyed:
    with working(root) as (community, client):
        return Rekeying(community, client).rotate(name, only)


def recover(root: Path, name: str, path: Path | None = None, *, new_recovery: bool = False) -> Rekeyed:
    with working(root) as (community, client):
        return Rekeying(community, client).recover(name, path, new_recovery=new_recovery)


def stored(root: Path, name: str) -> credentials.Credentials:
    return credentials.read(SecretFiles(), Community(root).folder.key_file(name), name)


def named(root: Path, name: str) -> dict[int, bytes]:
    with working(root) as (community, client):
        return community.keyring(client, name).named()


def public(keys: credentials.Credentials) -> dict[int, bytes]:
    return {entry.role: entry.key for entry in keys.public_keys()}


def recovery_of(root: Path, name: str) -> bytes:
    return read_recovery(SecretFiles(), Community(root).folder.recovery_file(name), name)


def require_usable(root: Path, name: str) -> None:
    """The participant's keys are those that the ledger names, and it can still say something."""
    with working(root) as (community, client):
        ring = community.keyring(client, name)
        assert ring.differing(ring.keys()) == []
        entry = KeyEntry(KeyRole.RECEIPT, Signer(b"\x07" * 32).public_key)
        community.sender(client, name).submit(RotateKeys((entry,)))  # its envelope is taken; no block is made


# --- rotation --------------------------------------------------------------------------------------------------------


def test_rotated_keys_stand_on_the_ledger_and_in_the_file_and_the_old_ones_nowhere(root: Path) -> None:
    before = stored(root, BILL_PROVIDER)
    done = rotate(root, BILL_PROVIDER)
    after = stored(root, BILL_PROVIDER)
    assert (done.roles, done.rotations, done.resumed, done.former) == (ALL, 1, False, 1)
    assert {role: done.named[role] for role in ALL} == public(after)
    assert not set(public(before).values()) & set(public(after).values())
    everything = b"".join(files_of(root).values())
    assert before.transaction not in everything
    assert [each.name for each in (root / "secrets" / "keys").glob("bill*")] == ["bill provider.key"]
    typed("meter", "enrol", "Ada", "-C", root)


def test_only_the_named_key_is_replaced(root: Path) -> None:
    before = stored(root, AGGREGATOR)
    done = rotate(root, AGGREGATOR, KeyRole.RECEIPT)
    after = stored(root, AGGREGATOR)
    assert done.roles == (KeyRole.RECEIPT,)
    assert after.receipt != before.receipt
    assert (after.transaction, after.encryption, after.former) == (before.transaction, before.encryption, ())


def test_former_encryption_keys_open_what_was_sealed_before_until_they_are_forgotten(root: Path) -> None:
    sealed = [hpke.seal(named(root, BILL_PROVIDER)[KeyRole.ENCRYPTION], b"", b"objection 0")]
    for number in (1, 2):
        rotate(root, BILL_PROVIDER, KeyRole.ENCRYPTION)
        sealed.append(hpke.seal(named(root, BILL_PROVIDER)[KeyRole.ENCRYPTION], b"", b"objection %d" % number))
    keys = stored(root, BILL_PROVIDER)
    newest_first = keys.opening_secrets()
    opened = [hpke.unseal(secret, b"", text) for secret, text in zip(newest_first, reversed(sealed), strict=True)]
    assert opened == [b"objection 2", b"objection 1", b"objection 0"]
    with working(root) as (community, client):
        assert Rekeying(community, client).forget(BILL_PROVIDER) == 2
        assert Rekeying(community, client).forget(BILL_PROVIDER) == 0
    assert stored(root, BILL_PROVIDER).former == ()
    everything = b"".join(files_of(root).values())
    assert not any(each.encryption in everything for each in keys.former)


def test_operators_own_keys_are_rotated_like_others_and_it_goes_on(root: Path) -> None:
    rotate(root, OPERATOR)
    assert rotate(root, OPERATOR).rotations == 2
    require_usable(root, OPERATOR)


def test_who_is_not_there_and_what_it_has_not_is_told_and_nothing_changes(root: Path) -> None:
    before = files_of(root / "secrets")
    with pytest.raises(NoSuchParticipantError) as unknown:
        rotate(root, "bill providr")
    assert (unknown.value.participant, unknown.value.close) == ("bill providr", (BILL_PROVIDER,))
    with pytest.raises(NoKeyOfRoleError) as lacking:
        rotate(root, BILL_PROVIDER, KeyRole.RECEIPT)
    assert (lacking.value.name, lacking.value.role) == (BILL_PROVIDER, "receipt")
    assert files_of(root / "secrets") == before
    path = Community(root).folder.key_file(BILL_PROVIDER)
    path.unlink()
    with pytest.raises(KeysMissingError) as missing:
        rotate(root, BILL_PROVIDER)
    assert missing.value.path == str(path)
    assert named(root, BILL_PROVIDER).keys() == {1, 3, 4}


def test_file_of_yesterdays_keys_acts_for_nobody(root: Path) -> None:
    path = Community(root).folder.key_file(BILL_PROVIDER)
    yesterday = path.read_bytes()
    rotate(root, BILL_PROVIDER)
    path.write_bytes(yesterday)
    with pytest.raises(KeysDifferError) as differing:
        rotate(root, BILL_PROVIDER)
    assert differing.value.roles == ("transaction", "encryption")
    assert path.read_bytes() == yesterday
    recover(root, BILL_PROVIDER)
    require_usable(root, BILL_PROVIDER)


# --- recovery --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "bringer"), [(AGGREGATOR, OPERATOR), (OPERATOR, BILL_PROVIDER)])
def test_lost_file_is_there_again_with_fresh_keys(root: Path, name: str, bringer: str) -> None:
    before = stored(root, name)
    Community(root).folder.key_file(name).unlink()
    done = recover(root, name)
    after = stored(root, name)
    assert (done.brought_by, done.recovery_file, done.rotations) == (bringer, None, 1)
    assert done.roles == tuple(KeyRole(role) for role in public(before))
    assert {role: key for role, key in named(root, name).items() if role != KeyRole.RECOVERY} == public(after)
    assert not set(public(before).values()) & set(public(after).values())
    require_usable(root, name)


def test_thief_with_the_file_is_shut_out_even_if_it_rotated_first(root: Path) -> None:
    stolen = stored(root, BILL_PROVIDER)
    with working(root) as (community, client):
        thiefs = stolen.renewed(ALL, community.randomness)
        community.sender(client, BILL_PROVIDER).send(RotateKeys(thiefs.public_keys()))
    assert named(root, BILL_PROVIDER)[KeyRole.TRANSACTION] == thiefs.signer.public_key  # the theft works
    done = recover(root, BILL_PROVIDER)
    assert done.rotations == 2
    assert not set(named(root, BILL_PROVIDER).values()) & {*public(thiefs).values(), *public(stolen).values()}
    require_usable(root, BILL_PROVIDER)


def test_recovery_key_may_lie_elsewhere_and_is_replaced_when_asked(root: Path, tmp_path: Path) -> None:
    here = Community(root).folder.recovery_file(OPERATOR)
    offline = here.rename(tmp_path / "offline.key")
    with pytest.raises(RecoveryKeyAwayError) as away:
        recover(root, OPERATOR)
    assert (away.value.name, away.value.path) == (OPERATOR, str(here))
    with pytest.raises(FileMissingError):
        recover(root, OPERATOR, tmp_path / "elsewhere.key")
    recover(root, OPERATOR, offline)
    assert not here.exists()
    done = recover(root, OPERATOR, offline, new_recovery=True)
    assert done.recovery_file == here
    assert done.roles == (*ALL, KeyRole.RECOVERY)
    assert named(root, OPERATOR)[KeyRole.RECOVERY] == Signer(recovery_of(root, OPERATOR)).public_key
    with pytest.raises(RecoveryKeyDiffersError) as spent:
        recover(root, OPERATOR, offline)
    assert spent.value.path == str(offline)
    assert recover(root, OPERATOR).rotations == 3


def test_recovery_key_of_another_and_what_is_none_is_refused_by_name(root: Path) -> None:
    folder = Community(root).folder
    before = files_of(root)
    with pytest.raises(AnothersRecoveryKeyError) as anothers:
        recover(root, OPERATOR, folder.recovery_file(BILL_PROVIDER))
    assert (anothers.value.name, anothers.value.holder) == (OPERATOR, BILL_PROVIDER)
    with pytest.raises(NoSecretFileError):
        recover(root, OPERATOR, folder.key_file(OPERATOR))
    with pytest.raises(NoSuchParticipantError):
        recover(root, "nobody")
    assert files_of(root) == before


def test_who_was_registered_without_a_recovery_key_has_none(root: Path) -> None:
    with working(root) as (community, client):
        keys = equip(community.folder, community.secrets, "auditor", community.randomness, receipts=False)
        own = tuple(entry for entry in keys if entry.role != KeyRole.RECOVERY)
        Operator(community.sender(client, OPERATOR)).register("auditor", Role.AUDITOR, own)
    with pytest.raises(NoRecoveryKeyError) as none:
        recover(root, "auditor")
    assert none.value.name == "auditor"
    assert rotate(root, "auditor").rotations == 1


def test_without_any_good_keys_nobody_can_bring_the_word(root: Path) -> None:
    folder = Community(root).folder
    for path in folder.keys.glob("*.key"):
        path.rename(path.with_suffix(".away"))
    with pytest.raises(NobodyBringsError) as nobody:
        recover(root, OPERATOR)
    assert nobody.value.folder == str(folder.keys)
    assert not list(folder.keys.glob("*.recovered"))
    path = folder.key_file(AGGREGATOR)
    path.with_suffix(".away").rename(path)
    assert recover(root, OPERATOR).brought_by == AGGREGATOR


def test_damaged_file_is_written_over_and_an_exposed_one_stops_before_the_ledger_hears(root: Path) -> None:
    path = Community(root).folder.key_file(AGGREGATOR)
    path.chmod(0o644)
    with pytest.raises(files.FileExposedError):
        recover(root, AGGREGATOR)
    assert not Community(root).folder.recovered_file(AGGREGATOR).exists()
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    recover(root, AGGREGATOR)
    require_usable(root, AGGREGATOR)


def test_sealed_community_takes_no_plain_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDPROOF_PASSPHRASE", "x")
    root = founded(tmp_path / "home", "--sealed")
    monkeypatch.delenv("GRIDPROOF_PASSPHRASE")
    Community(root).folder.key_file(OPERATOR).unlink()
    with pytest.raises(PassphraseNeededError):
        recover(root, OPERATOR)
    with pytest.raises(PassphraseNeededError):
        rotate(root, BILL_PROVIDER)
    community = Community(root, lambda _sealed: "x")
    with at_work(community.folder), reached(community.folder) as ledger:
        Rekeying(community, ledger.client).recover(OPERATOR)
        Rekeying(community, ledger.client).rotate(OPERATOR)
    assert Community(root).is_sealed
    assert all(path.read_bytes()[9] == secret_files.SEALED for path in community.folder.keys.iterdir())


# --- cut short -------------------------------------------------------------------------------------------------------


def replaced(root: Path, change: Change) -> Rekeyed:
    if change is Change.RECOVERY:
        return recover(root, BILL_PROVIDER, new_recovery=True)
    return rotate(root, BILL_PROVIDER)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("change", list(Change))
def test_cut_short_at_any_step_everybody_can_act_and_the_same_command_goes_on(
    root: Path, tmp_path: Path, change: Change, after: bool
) -> None:
    cut = 0
    for step in range(1, STEPS):
        home = Path(shutil.copytree(root, tmp_path / f"{step}"))
        former = stored(home, BILL_PROVIDER)
        with pytest.MonkeyPatch.context() as patched:
            cut_at(step, patched, after=after)
            try:
                replaced(home, change)
            except Killed:
                cut += 1
            else:
                break
        require_usable(home, BILL_PROVIDER)
        rotations = typed("key", "list", "-C", home, "--json").json["participants"][1]["rotations"]
        typed("meter", "enrol", "Ada", "-C", home)
        replaced(home, change)
        keys = stored(home, BILL_PROVIDER)
        assert {role: named(home, BILL_PROVIDER)[role] for role in ALL} == public(keys)
        assert rotations in (0, 1)
        assert keys.former[-1].encryption == former.encryption
        assert not [path for path in (home / "secrets" / "keys").iterdir() if path.suffix != ".key"]
        assert former.transaction not in b"".join(path.read_bytes() for path in (home / "secrets").rglob("*.key"))
        assert named(home, BILL_PROVIDER)[KeyRole.RECOVERY] == Signer(recovery_of(home, BILL_PROVIDER)).public_key
    assert cut >= (10 if change is Change.RECOVERY else 8), "the steps were not found"


def test_rotation_that_was_under_way_when_it_was_begun_again_counts_once(root: Path) -> None:
    with working(root) as (community, client):
        ring = community.keyring(client, BILL_PROVIDER)
        fresh = credentials.succeed(ring.keys().renewed(ALL, community.randomness), ALL)
        ring.prepare(Change.ROTATION, fresh)
        sender = community.sender(client, BILL_PROVIDER)
        sender.submit(RotateKeys(fresh.entries()))  # it waits for a block, and its sender was killed
        done = Rekeying(community, client).rotate(BILL_PROVIDER)
    assert (done.rotations, done.resumed) == (1, True)
    assert public(stored(root, BILL_PROVIDER)) == public(fresh.keys)


def test_next_keys_that_served_and_were_replaced_are_given_up_for_fresh_ones(root: Path) -> None:
    spent = stored(root, BILL_PROVIDER)
    rotate(root, BILL_PROVIDER)
    with working(root) as (community, client):
        ring = community.keyring(client, BILL_PROVIDER)
        ring.prepare(Change.ROTATION, credentials.succeed(spent, ALL))
        done = Rekeying(community, client).rotate(BILL_PROVIDER)
    assert (done.rotations, done.resumed) == (2, False)
    require_usable(root, BILL_PROVIDER)


def test_rotation_goes_on_with_what_was_begun_and_replaces_what_is_left(root: Path) -> None:
    with working(root) as (community, client):
        ring = community.keyring(client, BILL_PROVIDER)
        only = (KeyRole.ENCRYPTION,)
        begun = credentials.succeed(ring.keys().renewed(only, community.randomness), only)
        ring.prepare(Change.ROTATION, begun)
    done = rotate(root, BILL_PROVIDER, KeyRole.TRANSACTION)
    assert (done.roles, done.rotations, done.resumed) == (ALL, 2, True)
    assert stored(root, BILL_PROVIDER).encryption == begun.keys.encryption


def test_recovery_without_a_new_recovery_key_goes_on_before_one_is_made(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        cut_at(2, patched, after=False)
        with pytest.raises(Killed):
            recover(root, BILL_PROVIDER)
    assert Community(root).folder.recovered_file(BILL_PROVIDER).exists()
    done = recover(root, BILL_PROVIDER, new_recovery=True)
    assert (done.rotations, done.recovery_file) == (2, Community(root).folder.recovery_file(BILL_PROVIDER))


def test_recovery_puts_a_rotation_aside(root: Path) -> None:
    with working(root) as (community, client):
        ring = community.keyring(client, BILL_PROVIDER)
        ring.prepare(Change.ROTATION, credentials.succeed(ring.keys().renewed(ALL, community.randomness), ALL))
    recover(root, BILL_PROVIDER)
    assert not Community(root).folder.next_file(BILL_PROVIDER).exists()
    require_usable(root, BILL_PROVIDER)


def test_full_disk_after_the_ledger_took_the_keys_locks_nobody_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = credentials.write

    def full(*_arguments: object, **_named: object) -> None:
        raise FileUnwritableError(path="here", detail="No space left on device")

    monkeypatch.setattr(credentials, "write", full)
    with pytest.raises(FileUnwritableError):
        rotate(root, BILL_PROVIDER)
    require_usable(root, BILL_PROVIDER)
    monkeypatch.setattr(credentials, "write", real)
    assert rotate(root, BILL_PROVIDER).resumed


def test_key_that_was_brought_before_is_refused_and_nothing_of_it_stays(root: Path) -> None:
    with working(root) as (community, client):
        community.randomness = lambda size: b"\x05" * size
        Rekeying(community, client).rotate(AGGREGATOR, [KeyRole.TRANSACTION])
        present = stored(root, BILL_PROVIDER)
        with pytest.raises(KeyUsed):
            Rekeying(community, client).rotate(BILL_PROVIDER, [KeyRole.TRANSACTION])
    assert stored(root, BILL_PROVIDER) == present
    assert not Community(root).folder.next_file(BILL_PROVIDER).exists()
    assert rotate(root, BILL_PROVIDER).rotations == 1


def test_without_next_keys_on_the_disk_a_kill_would_lock_the_participant_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keyring, "prepare", lambda *_: None)  # the weakened way: keys lie in memory only
    cut_at(2, monkeypatch, after=True)  # handed in, taken into a block, and killed
    with pytest.raises(Killed):
        rotate(root, BILL_PROVIDER)
    monkeypatch.undo()
    with pytest.raises(KeysDifferError):
        require_usable(root, BILL_PROVIDER)
    assert "gridproof key recover" in typed("doctor", "-C", root, code=1).out


def test_newly_written_recovery_key_reads_as_its_own_only(root: Path) -> None:
    folder = Community(root).folder
    write_recovery(SecretFiles(), folder.recovery_file("x"), "x", b"\x01" * 32)
    assert read_recovery(SecretFiles(), folder.recovery_file("x"), "x") == b"\x01" * 32
    with pytest.raises(NoSecretFileError):
        read_recovery(SecretFiles(), folder.recovery_file("x"), "y")
