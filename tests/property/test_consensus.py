"""Validators under random support, offences and upgrades, against a model that counts by itself.

The model knows who supports what and with which power; it says when a change takes effect, and which rules a support
breaks. The engine's view is changed by updates alone and is as strict as the engine. All invariants are held after
every block.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gridproof.modules.consensus import queries
from gridproof.modules.consensus.changes import (
    CancelUpgrade,
    Change,
    RemoveValidator,
    ScheduleUpgrade,
    SetValidator,
)
from gridproof.modules.consensus.messages import ChangeDecided
from gridproof.state import address_of

from tests.unit.modules.consensus.network import AGGREGATORS, IDS, Network, key, offence, setting

KEYS_EACH = 3
NEWEST = 4  # the highest version that is decided on
NAMES = {number: name for name, number in IDS.items()}
people = st.sampled_from([*AGGREGATORS, "operator"])
numbers = st.integers(0, KEYS_EACH - 1)
powers = st.sampled_from([1, 5, 10, 10, 10, 12, 30, 100])


class Model:
    """What should be."""

    def __init__(self, born: dict[str, int]) -> None:
        self.seats = {IDS[name]: (key(name), power) for name, power in born.items()}
        self.used = {key(name): IDS[name] for name in born}
        self.convicted: set[bytes] = set()
        self.offences: set[tuple[bytes, int]] = set()
        self.generation = 0
        self.supports: dict[int, Change] = {}
        self.scheduled: tuple[int, int] | None = None
        self.version = 1

    @property
    def total(self) -> int:
        return sum(power for _, power in self.seats.values())

    def broken(self, sender: int, generation: int, change: Change, height: int) -> set[int]:
        """The rules that a support breaks, by the numbers of their refusals."""
        if sender not in self.seats:
            return {15002}
        if generation != self.generation:
            return {15003}
        codes = self._impossible(change, height)
        return codes or ({15004} if self.supports.get(sender) == change else set())

    def _impossible(self, change: Change, height: int) -> set[int]:
        codes = set()
        match change:
            case SetValidator(participant, public, power):
                codes |= {1007} if NAMES[participant] == "operator" else set()
                present = self.seats.get(participant)
                codes |= {15013} if present == (public, power) else set()
                if public in self.used and (present is None or present[0] != public):
                    codes.add(15008)
                total = self.total - (present[1] if present else 0) + power
                after = len(self.seats) + (present is None)
                if (present is None or power > present[1]) and after >= 4 and 3 * power >= total:
                    codes.add(15010)
            case RemoveValidator(participant):
                codes |= {15012} if participant not in self.seats else set()
                codes |= {15011} if list(self.seats) == [participant] else set()
            case ScheduleUpgrade(version, at):
                codes |= {15013} if self.scheduled == (version, at) else set()
                codes |= {15015} if version <= self.version else set()
                codes |= {15014} if at < height + 10 else set()
            case CancelUpgrade():
                codes |= {15016} if self.scheduled is None else set()
        return codes

    def support(self, sender: int, change: Change) -> bool:
        """Count it; gives whether the change takes effect."""
        self.supports[sender] = change
        power = sum(self.seats[who][1] for who, supported in self.supports.items() if supported == change)
        if 3 * power <= 2 * self.total:
            return False
        match change:
            case SetValidator(participant, public, power):
                self.seats[participant] = (public, power)
                self.used[public] = participant
            case RemoveValidator(participant):
                del self.seats[participant]
            case ScheduleUpgrade(version, at):
                self.scheduled = (version, at)
            case CancelUpgrade():
                self.scheduled = None
        self.begin_generation()
        return True

    def begin_generation(self) -> None:
        self.generation += 1
        self.supports = {}

    def report(self, public: bytes, height: int) -> None:
        """An offence of a key."""
        if (public, height) in self.offences:
            return
        self.offences.add((public, height))
        who = self.used.get(public)
        if who in self.seats and len(self.seats) > 1 and public not in self.convicted:
            self.convicted.add(public)
            del self.seats[who]
            self.begin_generation()

    def reach(self, height: int) -> None:
        """An upgrade whose height has come."""
        if self.scheduled is not None and height >= self.scheduled[1]:
            self.version, self.scheduled = self.scheduled[0], None
            self.begin_generation()


class Validators(RuleBasedStateMachine):
    """Blocks of one support or one report each."""

    @initialize(born=st.dictionaries(st.sampled_from(AGGREGATORS), powers, min_size=1, max_size=6))
    def found(self, born: dict[str, int]) -> None:
        self.network = Network(born, version=NEWEST)
        self.model = Model(born)
        self.generations = [0]

    @property
    def height(self) -> int:
        return self.network.application.info().height + 1

    def send(self, sender: str, change: Change, ahead: int) -> None:
        self.model.reach(self.height)
        generation = max(0, self.model.generation + ahead)
        broken = self.model.broken(IDS[sender], generation, change, self.height)
        _, refusal = self.network.ask(sender, change, generation)
        if broken:
            assert refusal is not None, broken
            assert refusal.code in broken, (refusal, broken)
            return
        assert refusal is None, refusal
        decided = any(isinstance(event, ChangeDecided) for event in self.network.events())
        assert decided == self.model.support(IDS[sender], change), "a decision has more than two thirds, and none waits"

    @rule(sender=people, who=people, power=powers, number=numbers, ahead=st.sampled_from([*[0] * 9, -1, 1]))
    def support_a_validator(self, sender: str, who: str, power: int, number: int, ahead: int) -> None:
        self.send(sender, setting(who, power, number), ahead)

    @rule(who=people, power=powers, number=numbers)
    def all_support_a_validator(self, who: str, power: int, number: int) -> None:
        self.together(setting(who, power, number))

    @rule(who=people)
    def all_support_a_removal(self, who: str) -> None:
        self.together(RemoveValidator(IDS[who]))

    @rule(version=st.integers(1, NEWEST), ahead=st.integers(8, 30))
    def all_support_an_upgrade(self, version: int, ahead: int) -> None:
        self.together(ScheduleUpgrade(version, self.height + ahead))

    @rule()
    def all_support_a_cancellation(self) -> None:
        self.together(CancelUpgrade())

    def together(self, change: Change) -> None:
        """As many as it takes, in ascending order."""
        generation = self.model.generation
        for participant in sorted(self.model.seats):
            self.send(NAMES[participant], change, 0)
            if self.model.generation != generation:
                return

    @rule(sender=people, who=people)
    def support_a_removal(self, sender: str, who: str) -> None:
        self.send(sender, RemoveValidator(IDS[who]), 0)

    @rule(who=people, number=numbers, at=st.integers(1, 3), again=st.booleans())
    def report(self, who: str, number: int, at: int, again: bool) -> None:
        self.model.reach(self.height)
        reported = offence(who, at, number=number)
        self.network.block(misbehaviour=(reported,) * (1 + again))
        self.model.report(key(who, number), at)

    @rule()
    def let_a_block_pass(self) -> None:
        self.model.reach(self.height)
        assert self.network.block().validator_updates == ()

    @invariant()
    def the_ledger_stands_where_the_model_stands(self) -> None:
        node = self.network.application
        assert {each.participant: (each.key, each.power) for each in node.validators()} == self.model.seats
        assert self.model.seats, "the set is never empty"
        with node.reading() as view:
            assert queries.generation(view) == self.model.generation
            told = {who: each.change for each in queries.proposals(view) for who in each.supporters}
            upgrade = queries.upgrade(view)
            assert queries.version(view) == self.model.version
            assert len(queries.offences(view)) == len(self.model.offences)
        assert told == self.model.supports, "one support a validator"
        assert (None if upgrade is None else (upgrade.version, upgrade.height)) == self.model.scheduled
        assert all(node.participant_at(address_of(public)) == who for public, who in self.model.used.items())
        assert self.generations[-1] <= self.model.generation
        self.generations.append(self.model.generation)


TestValidators = Validators.TestCase
TestValidators.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
