"""Keys under any sequence of rotations, recoveries, kills, losses and thefts: nobody is locked out for good.

Whoever's file was neither lost nor stolen has at any moment keys that the ledger names, in whatever file they lie; the
others have such again after one recovery that is not cut short. No public key ever comes back.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gridproof.actors.community import Community
from gridproof.actors.community.access import at_work, reached
from gridproof.actors.community.people import BILL_PROVIDER
from gridproof.actors.community.rekeying import Rekeying
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.registry.messages import RotateKeys
from gridproof.modules.registry.types import KeyRole

from tests.unit.actors.community.cutting import Killed, cut_at
from tests.unit.cli.home import founded

WHO = (BILL_PROVIDER, "aggregator 1")
ROLES = (KeyRole.TRANSACTION, KeyRole.ENCRYPTION)

who = st.sampled_from(WHO)
cuts = st.none() | st.tuples(st.integers(1, 11), st.booleans())
roles = st.sets(st.sampled_from(ROLES))


@pytest.fixture(scope="module", autouse=True)
def _community(tmp_path_factory: pytest.TempPathFactory) -> None:
    Keys.founded = founded(tmp_path_factory.mktemp("keys") / "home")


class Keys(RuleBasedStateMachine):
    """A community whose participants replace their keys, and are interrupted, robbed and forgetful."""

    founded: Path

    def __init__(self) -> None:
        super().__init__()
        self._temporary = TemporaryDirectory()
        self.root = Path(shutil.copytree(Keys.founded, Path(self._temporary.name) / "home"))
        self.in_need: set[str] = set()
        self.seen: dict[str, dict[int, list[bytes]]] = {name: {} for name in WHO}

    def teardown(self) -> None:
        self._temporary.cleanup()

    @contextmanager
    def _working(self) -> Iterator[tuple[Community, LedgerClient]]:
        community = Community(self.root)
        with at_work(community.folder), reached(community.folder) as ledger:
            yield community, ledger.client

    @rule(name=who, only=roles, cut=cuts)
    def rotate(self, name: str, only: set[KeyRole], cut: tuple[int, bool] | None) -> None:
        if name not in self.in_need:
            with self._cut(cut), self._working() as (community, client):
                Rekeying(community, client).rotate(name, only)

    @rule(name=who, new=st.booleans(), cut=cuts)
    def recover(self, name: str, new: bool, cut: tuple[int, bool] | None) -> None:
        with self._cut(cut), self._working() as (community, client):
            Rekeying(community, client).recover(name, new_recovery=new)
            self.in_need.discard(name)

    @rule(name=who)
    def lose(self, name: str) -> None:
        Community(self.root).folder.key_file(name).unlink(missing_ok=True)
        self.in_need.add(name)

    @rule(name=who)
    def rob(self, name: str) -> None:
        """A thief with the file is quicker, and rotates."""
        if name not in self.in_need:
            with self._working() as (community, client):
                stolen = community.keys(client, name).renewed(ROLES, community.randomness)
                fresh = tuple(entry for entry in stolen.public_keys() if entry.role in ROLES)
                community.sender(client, name).send(RotateKeys(fresh))
            self.in_need.add(name)

    @rule()
    def act(self) -> None:
        with self._working() as (community, client):
            community.settle_keys(client)

    @contextmanager
    def _cut(self, cut: tuple[int, bool] | None) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            if cut is not None:
                cut_at(cut[0], patched, after=cut[1])
            with suppress(Killed):
                yield

    @invariant()
    def whoever_was_neither_robbed_nor_forgetful_can_act(self) -> None:
        with self._working() as (community, client):
            for name in WHO:
                ring = community.keyring(client, name)
                if name not in self.in_need:
                    assert ring.differing(ring.keys()) == []

    @invariant()
    def no_key_comes_back(self) -> None:
        with self._working() as (community, client):
            for name in WHO:
                for role, key in community.keyring(client, name).named().items():
                    keys = self.seen[name].setdefault(role, [])
                    if not keys or keys[-1] != key:
                        assert key not in keys
                        keys.append(key)


TestKeys = Keys.TestCase
TestKeys.settings = settings(max_examples=10, stateful_step_count=12)
