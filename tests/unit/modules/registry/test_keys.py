"""Rules of keys: their form, their one use, rotation and recovery."""

import pytest

from gridproof.modules.registry import errors, queries
from gridproof.modules.registry.messages import (
    KeyEntry,
    KeysReplaced,
    RecoverKeys,
    RegisterParticipant,
    RotateKeys,
    recovery_hash,
)
from gridproof.modules.registry.types import KeyRole
from gridproof.primitives import secp256k1
from gridproof.state import errors as state_errors

from .community import CHAIN_ID, IDS, context, entry, newcomer, october, recovery, signer
from tests.ledger import Ledger, Person

OFF_CURVE = (5).to_bytes(32, "big")  # no point of secp256k1 has the x 5
NEW, NEWER = entry("new"), entry("newer")


def rotations_of(ledger: Ledger, name: str) -> tuple[int, int]:
    with context(ledger) as ctx:
        known = queries.participant(ctx, IDS[name])
    assert known is not None
    return known.rotations, known.recovered_at


@pytest.mark.parametrize("role", [KeyRole.TRANSACTION, KeyRole.RECEIPT, KeyRole.RECOVERY])
def test_r5_a_key_for_signatures_is_the_x_of_a_point(ledger: Ledger, role: KeyRole) -> None:
    assert not secp256k1.is_point(OFF_CURVE)
    keys = [entry("x"), KeyEntry(role, OFF_CURVE)] if role != KeyRole.TRANSACTION else [KeyEntry(role, OFF_CURVE)]
    refusal = ledger.refuses("operator", RegisterParticipant("x", 0, tuple(keys)), code=1004)
    assert isinstance(refusal, errors.BadKey)
    assert (refusal.role, refusal.key) == (role, OFF_CURVE)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
@pytest.mark.parametrize("role", list(KeyRole))
def test_r5_a_key_has_32_bytes(ledger: Ledger, role: KeyRole, size: int) -> None:
    refusal = ledger.refuses("aggregator", RotateKeys((KeyEntry(role, bytes(size)),)), code=1004)
    assert isinstance(refusal, errors.BadKey)
    assert (refusal.role, len(refusal.key)) == (role, size)


def test_r5_a_key_for_encryption_is_of_another_curve(ledger: Ledger) -> None:
    ledger.accepts("aggregator", RotateKeys((KeyEntry(KeyRole.ENCRYPTION, OFF_CURVE),)))
    with context(ledger) as ctx:
        assert queries.key(ctx, IDS["aggregator"], KeyRole.ENCRYPTION) == OFF_CURVE


@pytest.mark.parametrize("role", [0, 5, -1, 2**32])
def test_r5_an_unknown_key_role_is_refused(ledger: Ledger, role: int) -> None:
    refusal = ledger.refuses("aggregator", RotateKeys((KeyEntry(role, NEW.key),)), code=1005)
    assert isinstance(refusal, errors.BadKeyRole)
    assert refusal.role == role


def test_r5_a_key_role_is_named_once(ledger: Ledger) -> None:
    refusal = ledger.refuses("aggregator", RotateKeys((NEW, NEWER)), code=1005)
    assert isinstance(refusal, errors.BadKeyRole)
    assert refusal.role == KeyRole.TRANSACTION


def test_r5_an_empty_list_of_keys_is_refused(ledger: Ledger) -> None:
    ledger.refuses("aggregator", RotateKeys(()), code=1010)
    ledger.refuses("aggregator", recovery(), code=1010)


def test_r6_no_two_participants_share_a_key(ledger: Ledger) -> None:
    taken = entry("bill-provider")
    refusal = ledger.refuses("operator", RegisterParticipant("x", 0, (taken,)), code=1006)
    assert isinstance(refusal, errors.KeyUsed)
    assert refusal.key == taken.key
    ledger.refuses("aggregator", RotateKeys((taken,)), code=1006)
    ledger.refuses("aggregator", RotateKeys((KeyEntry(KeyRole.ENCRYPTION, taken.key),)), code=1006)
    ledger.refuses("auditor", recovery(taken), code=1006)


def test_r6_one_key_does_not_serve_two_roles(ledger: Ledger) -> None:
    both = (NEW, KeyEntry(KeyRole.RECEIPT, NEW.key))
    refusal = ledger.refuses("aggregator", RotateKeys(both), code=1006)
    assert isinstance(refusal, errors.KeyUsed)
    assert refusal.key == NEW.key
    ledger.refuses("operator", RegisterParticipant("x", 0, both), code=1006)


def test_r6_a_key_that_was_replaced_does_not_come_back(ledger: Ledger) -> None:
    old = entry("aggregator", KeyRole.RECEIPT)
    ledger.accepts("aggregator", RotateKeys((entry("fresh", KeyRole.RECEIPT),)))
    ledger.refuses("aggregator", RotateKeys((old,)), code=1006)
    ledger.refuses("bill-provider", RotateKeys((old,)), code=1006)


def test_r6_a_refused_list_takes_none_of_its_keys(ledger: Ledger) -> None:
    taken = entry("bill-provider")
    ledger.refuses("aggregator", RotateKeys((entry("fresh", KeyRole.RECEIPT), taken)), code=1006)
    ledger.accepts("aggregator", RotateKeys((entry("fresh", KeyRole.RECEIPT),)))


def test_r8_a_rotated_transaction_key_counts_from_the_next_block_on(ledger: Ledger) -> None:
    assert ledger.accepts("operator", RotateKeys((NEW,))) == KeysReplaced(1, (1,), recovered=False)
    assert rotations_of(ledger, "operator") == (1, 0)
    with pytest.raises(state_errors.BadEnvelopeSignature):
        ledger.send("operator", october())
    ledger.people["operator"] = Person(IDS["operator"], signer("new"))
    ledger.accepts("operator", october())


def test_r8_other_keys_stay_and_missing_ones_are_added(ledger: Ledger) -> None:
    announced = ledger.accepts("bill-provider", RotateKeys((KeyEntry(KeyRole.ENCRYPTION, bytes(32)), NEW)))
    assert announced == KeysReplaced(2, (KeyRole.TRANSACTION, KeyRole.ENCRYPTION), recovered=False)
    with context(ledger) as ctx:
        assert queries.key(ctx, 2, KeyRole.TRANSACTION) == NEW.key
        assert queries.key(ctx, 2, KeyRole.ENCRYPTION) == bytes(32)
        assert queries.key(ctx, 2, KeyRole.RECEIPT) is None
        assert queries.key(ctx, 4, KeyRole.RECEIPT) == entry("aggregator", KeyRole.RECEIPT).key


def test_r8_rotation_leaves_the_recovery_key_alone(ledger: Ledger) -> None:
    refusal = ledger.refuses("operator", RotateKeys((NEW, entry("mine", KeyRole.RECOVERY))), code=1011)
    assert isinstance(refusal, errors.RecoveryKeyFixed)
    assert refusal.participant == IDS["operator"]
    ledger.refuses("auditor", RotateKeys((entry("mine", KeyRole.RECOVERY),)), code=1011)


def test_r9_anyone_may_bring_the_recovery_keys_word(ledger: Ledger) -> None:
    announced = ledger.accepts("aggregator", recovery(NEW))
    assert announced == KeysReplaced(IDS["operator"], (KeyRole.TRANSACTION,), recovered=True)
    assert rotations_of(ledger, "operator") == (1, 1)
    ledger.people["operator"] = Person(IDS["operator"], signer("new"))
    ledger.accepts("operator", october())


def test_r9_a_word_counts_once(ledger: Ledger) -> None:
    word = recovery(NEW)
    ledger.accepts("aggregator", word)
    refusal = ledger.refuses("aggregator", word, code=1013)
    assert isinstance(refusal, errors.RecoverySpent)
    assert (refusal.participant, refusal.rotations, refusal.recovered_at, refusal.present) == (1, 0, 1, 1)
    ledger.refuses("aggregator", recovery(NEWER), code=1013)
    ledger.accepts("aggregator", recovery(NEWER, rotations=1))


def test_r9_a_word_for_a_count_to_come_is_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("aggregator", recovery(NEW, rotations=1), code=1013)
    assert isinstance(refusal, errors.RecoverySpent)
    assert (refusal.rotations, refusal.present) == (1, 0)


def test_r9_a_thief_who_goes_on_rotating_does_not_make_the_word_stale(ledger: Ledger) -> None:
    word = recovery(NEW)
    ledger.accepts("operator", RotateKeys((entry("thief 1"),)))
    ledger.people["operator"] = Person(IDS["operator"], signer("thief 1"))
    ledger.accepts("operator", RotateKeys((entry("thief 2"),)))
    ledger.accepts("auditor", word)
    assert rotations_of(ledger, "operator") == (3, 3)
    ledger.people["operator"] = Person(IDS["operator"], signer("new"))
    ledger.accepts("operator", october())


def test_r9_another_keys_word_is_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("aggregator", recovery(NEW, key=signer("thief")), code=1012)
    assert isinstance(refusal, errors.WrongRecoveryKey)
    assert refusal.participant == IDS["operator"]


def test_r9_whoever_has_no_recovery_key_cannot_be_recovered(ledger: Ledger) -> None:
    refusal = ledger.refuses("aggregator", recovery(NEW, participant=IDS["auditor"]), code=1012)
    assert isinstance(refusal, errors.WrongRecoveryKey)
    assert refusal.participant == IDS["auditor"]


def test_r9_the_keys_of_someone_unknown_are_refused(ledger: Ledger) -> None:
    refusal = ledger.refuses("aggregator", recovery(NEW, participant=77), code=1008)
    assert isinstance(refusal, errors.ParticipantUnknown)
    assert refusal.participant == 77


def test_r9_a_false_signature_never_enters_a_block(ledger: Ledger) -> None:
    word = recovery(NEW)
    altered = [
        RecoverKeys(word.participant, word.rotations, (NEWER,), word.recovery_key, word.signature),
        RecoverKeys(word.participant, 1, word.keys, word.recovery_key, word.signature),
        RecoverKeys(2, word.rotations, word.keys, word.recovery_key, word.signature),
        RecoverKeys(word.participant, word.rotations, word.keys, word.recovery_key, bytes(64)),
        RecoverKeys(word.participant, word.rotations, word.keys, word.recovery_key, b""),
        recovery(NEW, chain_id="another"),
    ]
    for each in altered:
        ledger.refuses("aggregator", each, code=9)
    ledger.accepts("aggregator", word)


def test_r9_a_recovery_key_off_the_curve_is_refused_by_type(ledger: Ledger) -> None:
    word = recovery(NEW)
    refusal = ledger.refuses("aggregator", RecoverKeys(1, 0, word.keys, OFF_CURVE, word.signature), code=1004)
    assert isinstance(refusal, errors.BadKey)
    assert (refusal.role, refusal.key) == (KeyRole.RECOVERY, OFF_CURVE)


def test_r9_the_recovery_key_may_replace_itself_and_the_old_one_is_done(ledger: Ledger) -> None:
    ledger.accepts("auditor", recovery(entry("second", KeyRole.RECOVERY), NEW))
    ledger.refuses("auditor", recovery(NEWER, rotations=1), code=1012)
    ledger.accepts("auditor", recovery(NEWER, rotations=1, key=signer("second", KeyRole.RECOVERY)))


def test_r9_a_newcomers_recovery_key_works(ledger: Ledger) -> None:
    number = ledger.accepts("operator", newcomer("newcomer", 0, KeyRole.RECOVERY)).participant
    ledger.accepts("auditor", recovery(NEW, participant=number, key=signer("newcomer", KeyRole.RECOVERY)))
    with context(ledger) as ctx:
        assert queries.key(ctx, number, KeyRole.TRANSACTION) == NEW.key


def test_the_recovery_hash_tells_apart_all_that_it_is_over() -> None:
    swapped = (KeyEntry(KeyRole.RECEIPT, NEW.key), KeyEntry(KeyRole.TRANSACTION, NEWER.key))
    hashes = {
        recovery_hash(CHAIN_ID, 1, 0, (NEW,)),
        recovery_hash(CHAIN_ID + "1", 1, 0, (NEW,)),
        recovery_hash(CHAIN_ID, 2, 0, (NEW,)),
        recovery_hash(CHAIN_ID, 1, 1, (NEW,)),
        recovery_hash(CHAIN_ID, 1, 0, (NEWER,)),
        recovery_hash(CHAIN_ID, 1, 0, (KeyEntry(KeyRole.RECEIPT, NEW.key),)),
        recovery_hash(CHAIN_ID, 1, 0, swapped),
        recovery_hash(CHAIN_ID, 1, 0, swapped[::-1]),
    }
    assert len(hashes) == 8
    assert {len(each) for each in hashes} == {32}
