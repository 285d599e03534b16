"""Killed anywhere: the same hash, and nothing that was acknowledged is lost."""

import os
import random
import signal
from pathlib import Path
from time import sleep

import pytest

from gridproof.drivers.blocks import find_block
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.verification import verify_store

from .victims import NEVER, PATIENCE_S, make_blocks, open_ledger, start, transaction
from tests.tiny.app import tiny
from tests.unit.drivers.scenes import in_memory

STEPS = ("chosen", "block kept", "finalized", "committed")
KILLS = 50


class Reference:
    """The chain as it is where nobody is killed."""

    def __init__(self) -> None:
        self._ledger = in_memory()
        self._hashes = [self._ledger.head.app_hash]

    def app_hash(self, height: int) -> bytes:
        while len(self._hashes) <= height:
            self._ledger.submit(transaction(len(self._hashes)))
            self._ledger.make_block()
            self._hashes.append(self._ledger.head.app_hash)
        return self._hashes[height]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


def kill(folder: Path, chance: random.Random) -> None:
    """Let a victim run and die, at a step or at any moment."""
    if chance.random() < 0.7:
        victim = start(make_blocks, str(folder), chance.choice(STEPS), chance.randint(1, 3))
    else:
        victim = start(make_blocks, str(folder), "never", NEVER)
        sleep(chance.uniform(0.005, 0.12))
        os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join(PATIENCE_S)
    assert victim.exitcode == -signal.SIGKILL


def acknowledged(folder: Path) -> list[tuple[int, bytes, bytes]]:
    path = folder / "acknowledged"
    lines = path.read_text().splitlines() if path.exists() else []
    whole = [line.split() for line in lines if len(line.split()) == 3]
    return [(int(height), bytes.fromhex(name), bytes.fromhex(app_hash)) for height, name, app_hash in whole]


def require_nothing_lost(ledger: EmbeddedLedger, folder: Path, reference: Reference) -> None:
    head = ledger.head
    assert head.app_hash == reference.app_hash(head.height)
    with ledger.store.snapshot() as snapshot:
        assert find_block(snapshot, head.height + 1) is None
    for height, name, app_hash in acknowledged(folder):
        place = ledger.find_transaction(name)
        assert place is not None
        assert (place.height, place.result.code) == (height, 0)
        assert app_hash == reference.app_hash(height)


def test_killed_fifty_times_it_comes_back_to_the_same_hash_and_loses_nothing(
    tmp_path: Path, reference: Reference
) -> None:
    chance = random.Random(3)
    height = 0
    for _ in range(KILLS):
        kill(tmp_path, chance)
        with open_ledger(tmp_path) as ledger:
            require_nothing_lost(ledger, tmp_path, reference)
            assert ledger.head.height >= height
            height = ledger.head.height
    assert height > KILLS // 2
    with open_ledger(tmp_path) as ledger:
        assert verify_store(ledger.store, tiny).falsehoods == ()


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_the_block_is_lost_or_whole(tmp_path: Path, reference: Reference, step: str) -> None:
    victim = start(make_blocks, str(tmp_path), step, 3)
    victim.join(PATIENCE_S)
    assert victim.exitcode == -signal.SIGKILL
    with open_ledger(tmp_path) as ledger:
        require_nothing_lost(ledger, tmp_path, reference)
        assert ledger.head.height == (2 if step == "chosen" else 3)
        assert len(acknowledged(tmp_path)) == 2


def test_killed_while_it_comes_back_it_comes_back_all_the_same(tmp_path: Path, reference: Reference) -> None:
    victim = start(make_blocks, str(tmp_path), "block kept", 2)
    victim.join(PATIENCE_S)
    for step in ("finalized", "finalized", "committed"):
        victim = start(make_blocks, str(tmp_path), step, 1)
        victim.join(PATIENCE_S)
        assert victim.exitcode == -signal.SIGKILL
    with open_ledger(tmp_path) as ledger:
        assert ledger.head.height == 2
        require_nothing_lost(ledger, tmp_path, reference)
