"""The registry under random messages, valid, invalid and hostile, against a model that knows the rules one by one.

The model gives all rules that a message breaks; the ledger must refuse it by one of them and change nothing, or, where
none is broken, take it and stand where the model stands. The module's invariants are held after every block.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from gridproof.domain import PERIODS_S, ParticipantId
from gridproof.errors import Refusal
from gridproof.modules.registry import queries
from gridproof.modules.registry.errors import CountForgotten
from gridproof.modules.registry.messages import (
    AddRegion,
    AdvanceClock,
    EnrolMeter,
    KeyEntry,
    OpenMonth,
    RecoverKeys,
    RegisterParticipant,
    RevokeMeter,
    RotateKeys,
    SetPrivacy,
    SetRoles,
    SwapMeter,
    recovery_hash,
)
from gridproof.modules.registry.types import KeyRole, Role
from gridproof.primitives.schnorr import Signer
from gridproof.state import Message

from tests.ledger import Person
from tests.unit.modules.registry.community import (
    CHAIN_ID,
    DAY_S,
    IDS,
    OCTOBER,
    REGION,
    ROLES,
    START_S,
    FoldMonth,
    context,
    handle,
    registry_ledger,
    signer,
)

POOL = [signer(f"pool {number}") for number in range(60)]
OFF_CURVE = (5).to_bytes(32, "big")


def entries(pairs: list[tuple[int, int]]) -> tuple[KeyEntry, ...]:
    """Key entries of roles and places in the pool; below the pool there is none on the curve."""
    return tuple(KeyEntry(role, OFF_CURVE if at < 0 else POOL[at].public_key) for role, at in pairs)


anyone = st.integers(1, 8)
operators = st.sampled_from([*[1] * 14, 2, 6])
bill_providers = st.sampled_from([*[2] * 14, 1, 7])
names = st.sampled_from([*"abcdefgh", "operator", "", " x", "x\u202e"])
roles = st.sampled_from([0, 1, 2, 3, 8, 16, 8, 16, 31, 32, -1])
places = st.integers(0, len(POOL) - 1)
sound_keys = st.lists(st.tuples(st.sampled_from(KeyRole), places), max_size=2, unique_by=lambda pair: pair[0])
any_keys = st.lists(st.tuples(st.sampled_from([1, 1, 2, 3, 4, 4, 9]), st.integers(-1, len(POOL) - 1)), max_size=3)
keys = st.one_of(sound_keys, sound_keys, any_keys).map(entries)
regions = st.sampled_from([*[1] * 10, 2, 2, 2, 2, 3, 0])
channels = st.sampled_from([(1,), (1,), (1,), (1, 2), (1, 2), (1, 2), (1, 2), (2,), (2, 1), (), (3,)])
handles = st.integers(1, 16).map(handle)
offsets = st.sampled_from([1, 1, 2, 3, 3, 5, 8, 8, 12, 12, 0, -1])
places_in_list = st.integers(0, 1_000)


@dataclass
class Member:
    name: str
    roles: int
    keys: dict[int, bytes]
    rotations: int = 0
    recovered_at: int = 0


@dataclass
class Area:
    period_s: int
    privacy: tuple[int, int]
    months: dict[int, tuple[int, int, tuple[int, int], bool]] = field(default_factory=dict)


@dataclass
class Device:
    region: int
    channels: tuple[int, ...]
    from_k: int
    until_k: int = 0


class Model:
    """What should be, and which rules a message breaks."""

    def __init__(self) -> None:
        self.now_s = START_S
        self.members = {
            number: Member(name, int(Role[role.upper()]), {1: signer(name).public_key})
            for number, (name, role) in enumerate(ROLES.items(), 1)
        }
        self.members[1].keys[4] = signer("operator", KeyRole.RECOVERY).public_key
        self.members[4].keys[2] = signer("aggregator", KeyRole.RECEIPT).public_key
        self.used = {key for member in self.members.values() for key in member.keys.values()}
        self.areas = {1: Area(900, (5, 800))}
        self.devices: dict[bytes, Device] = {}

    def may(self, sender: int, role: Role) -> set[int]:
        return set() if self.members[sender].roles & role else {1007}

    def bad_keys(self, given: tuple[KeyEntry, ...]) -> set[int]:
        broken = set() if given else {1010}
        listed = [entry.key for entry in given]
        named = [entry.role for entry in given]
        if len(set(named)) != len(named) or any(role not in (1, 2, 3, 4) for role in named):
            broken.add(1005)
        if any(entry.key == OFF_CURVE and entry.role != KeyRole.ENCRYPTION for entry in given):
            broken.add(1004)
        if len(set(listed)) != len(listed) or self.used & set(listed):
            broken.add(1006)
        return broken

    def replace_keys(self, member: Member, given: tuple[KeyEntry, ...], *, recovered: bool) -> None:
        member.keys |= {entry.role: entry.key for entry in given}
        member.rotations += 1
        member.recovered_at = member.rotations if recovered else member.recovered_at
        self.used |= {entry.key for entry in given}

    def bad_privacy(self, k_min: int, permille: int) -> set[int]:
        return ({1016} if k_min < 3 or permille < 500 else set()) | ({1014} if permille > 1000 else set())

    def bad_period(self, region: int, k: int) -> set[int]:
        begun = region in self.areas and k * self.areas[region].period_s < self.now_s
        return {1031} if begun else set()

    def bad_end(self, meter: bytes, until_k: int) -> set[int]:
        device = self.devices.get(meter)
        if device is None:
            return {1029}
        broken = {1030} if device.until_k else set()
        broken |= {1032} if until_k < device.from_k else set()
        return broken | self.bad_period(device.region, until_k)


class RegistryMachine(RuleBasedStateMachine):
    """Sends a message of each kind, and holds what came of it to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = registry_ledger()
        self.model = Model()
        self.sent: list[bytes] = []
        self.signers: dict[bytes, Signer] = {each.public_key: each for each in POOL}
        self.signers |= {signer(name).public_key: signer(name) for name in IDS}

    @initialize(months=st.integers(0, 3), meters=st.integers(0, 5), export=st.booleans())
    def grow(self, months: int, meters: int, export: bool) -> None:
        """Begin with a region that has some months and meters."""
        for _ in range(months):
            self.open_month(1, 1, 1, 0, 10, 0)
        for number in range(meters):
            self.enrol(2, handle(number + 1), 1, (1, 2) if export else (1,), 2 * number)

    def teardown(self) -> None:
        self.ledger.close()

    def member(self, number: int) -> int:
        """One of those that are there."""
        return min(number, len(self.model.members))

    def send(self, sender: int, message: Message, broken: set[int]) -> bool:
        """Send a message; whether it was taken, as it must be where no rule is broken."""
        name = str(sender)
        self.ledger.people[name] = Person(ParticipantId(sender), self.signers[self.model.members[sender].keys[1]])
        self.sent.append(self.ledger.sign(name, message))
        before = self.ledger.app_hash
        refusal = self.refusal_of(name, message)
        if refusal is None:
            assert not broken, f"{message} was taken and breaks {broken}"
            return True
        assert refusal.code in broken, f"{message} was refused by {refusal}, not by one of {broken}"
        assert self.ledger.app_hash == before
        return False

    def refusal_of(self, name: str, message: Message) -> Refusal | None:
        """Send a message and give its refusal."""
        try:
            self.ledger.send(name, message)
        except Refusal as refusal:
            return refusal
        return None

    @rule(by=operators, name=names, may=roles, given=keys, place=places)
    def register(self, by: int, name: str, may: int, given: tuple[KeyEntry, ...], place: int) -> None:
        model, sender = self.model, self.member(by)
        given = given if place % 8 == 0 else (*(each for each in given if each.role != 1), *entries([(1, place)]))
        broken = model.may(sender, Role.OPERATOR) | model.bad_keys(given)
        broken |= {1001} if name in {"", " x", "x\u202e"} else set()
        broken |= {1002} if any(name == known.name for known in model.members.values()) else set()
        broken |= {1003} if may not in range(32) else set()
        broken |= {1010} if all(entry.role != 1 for entry in given) else set()
        if self.send(sender, RegisterParticipant(name, may, given), broken):
            model.members[len(model.members) + 1] = Member(name, may, {each.role: each.key for each in given})
            model.used |= {each.key for each in given}

    @rule(by=operators, who=st.sampled_from([3, 4, 5, 6, 6, 6, 1, 9]), may=roles)
    def set_roles(self, by: int, who: int, may: int) -> None:
        model, sender = self.model, self.member(by)
        broken = model.may(sender, Role.OPERATOR) | (set() if who in model.members else {1008})
        broken |= {1003} if may not in range(32) else set()
        others = any(known.roles & 1 for number, known in model.members.items() if number != who)
        broken |= {1009} if not others and not may & 1 else set()
        if self.send(sender, SetRoles(who, may), broken):
            model.members[who].roles = may

    @rule(by=anyone, given=keys)
    def rotate(self, by: int, given: tuple[KeyEntry, ...]) -> None:
        sender = self.member(by)
        broken = self.model.bad_keys(given) | ({1011} if any(entry.role == 4 for entry in given) else set())
        if self.send(sender, RotateKeys(given), broken):
            self.model.replace_keys(self.model.members[sender], given, recovered=False)

    @rule(
        by=anyone,
        who=st.sampled_from([1, 1, 1, 2, 6, 7]),
        given=keys,
        back=st.sampled_from([0, 0, 0, 1, 2, -1]),
        honest=st.sampled_from([True, True, True, False]),
        forged=st.sampled_from([False, False, False, True]),
    )
    def recover(self, by: int, who: int, given: tuple[KeyEntry, ...], back: int, honest: bool, forged: bool) -> None:
        sender, number = self.member(by), self.member(who)
        member = self.model.members[number]
        known = {**self.signers, signer("operator", KeyRole.RECOVERY).public_key: signer("operator", KeyRole.RECOVERY)}
        own = known.get(member.keys.get(4, b""))
        key = own if honest and own is not None else POOL[0]
        rotations = max(0, member.rotations - back)
        word = key.sign(
            recovery_hash(CHAIN_ID, number, rotations, given if all(len(e.key) == 32 for e in given) else ())
        )
        broken = self.model.bad_keys(given)
        broken |= {1012} if member.keys.get(4) != key.public_key else set()
        broken |= set() if member.recovered_at <= rotations <= member.rotations else {1013}
        broken |= {9} if forged else set()
        message = RecoverKeys(number, rotations, given, key.public_key, bytes(64) if forged else word)
        if self.send(sender, message, broken):
            self.model.replace_keys(member, given, recovered=True)

    @rule(
        by=operators,
        number=st.sampled_from([2, 3, 1, 0]),
        period_s=st.sampled_from([900, 3600, 3600, 77]),
        k_min=st.integers(2, 6),
    )
    def add_region(self, by: int, number: int, period_s: int, k_min: int) -> None:
        model, sender = self.model, self.member(by)
        broken = model.may(sender, Role.OPERATOR) | model.bad_privacy(k_min, 800)
        broken |= ({1} if number == 0 else set()) | ({1017} if number in model.areas else set())
        broken |= set() if period_s in PERIODS_S else {1015}
        message: AddRegion = replace(REGION, region=number, period_s=period_s, k_min=k_min)
        if self.send(sender, message, broken):
            model.areas[number] = Area(period_s, (k_min, 800))

    @rule(
        by=operators,
        number=regions,
        k_min=st.integers(2, 9),
        permille=st.sampled_from([500, 800, 900, 1000, 499, 1001]),
    )
    def set_privacy(self, by: int, number: int, k_min: int, permille: int) -> None:
        model, sender = self.model, self.member(by)
        broken = model.may(sender, Role.OPERATOR) | model.bad_privacy(k_min, permille)
        broken |= {1} if number == 0 else (set() if number in model.areas else {1018})
        if self.send(sender, SetPrivacy(number, k_min, permille), broken):
            model.areas[number].privacy = (k_min, permille)

    @rule(
        by=operators,
        number=regions,
        later=st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2, 0, -1]),
        gap=st.sampled_from([0, 0, 0, 0, 0, 0, 0, 3, 70, -1]),
        days=st.sampled_from([1, 1, 10, 10, 10, 10, 10, 32, 33, 0]),
        skew=st.sampled_from([*[0] * 11, 1]),
    )
    def open_month(self, by: int, number: int, later: int, gap: int, days: int, skew: int) -> None:
        model, sender = self.model, self.member(by)
        area = model.areas.get(number)
        last = max(area.months, default=OCTOBER) if area else OCTOBER
        last_end_s = area.months[last][1] if area and area.months else START_S
        month, start_s = last + later, last_end_s + gap * DAY_S + skew
        bounds = (start_s, start_s + days * DAY_S)
        broken = model.may(sender, Role.OPERATOR) | ({1021} if skew or days not in range(1, 33) else set())
        broken |= {1022} if start_s > model.now_s + 62 * DAY_S else set()
        if area is None:
            broken |= {1} if number == 0 else {1018}
        elif area.months:
            broken |= ({1019} if month <= last else set()) | ({1020} if start_s < last_end_s else set())
        if self.send(sender, OpenMonth(number, month, *bounds), broken) and area is not None:
            area.months[month] = (*bounds, area.privacy, False)

    @rule(by=anyone, number=st.sampled_from([1, 1, 2]), place=places_in_list)
    def close_month(self, by: int, number: int, place: int) -> None:
        area = self.model.areas.get(number)
        listed = [*sorted(area.months if area else ()), 77]
        month = listed[place % len(listed)]
        known = area.months.get(month) if area else None
        if known is None:
            broken = {1024} if area else {1018}
        else:
            broken = ({1025} if known[3] else set()) | ({1026} if self.model.now_s < known[1] else set())
        if self.send(self.member(by), FoldMonth(number, month), broken) and area and known:
            area.months[month] = (*known[:3], True)

    @rule(by=bill_providers, meter=handles, number=regions, on=channels, offset=offsets)
    def enrol(self, by: int, meter: bytes, number: int, on: tuple[int, ...], offset: int) -> None:
        model, sender = self.model, self.member(by)
        area = model.areas.get(number)
        from_k = model.now_s // (area.period_s if area else 900) + offset
        broken = model.may(sender, Role.BILL_PROVIDER) | model.bad_period(number, from_k)
        broken |= set() if area else {1 if number == 0 else 1018}
        broken |= set() if on in ((1,), (2,), (1, 2)) else {1027}
        broken |= {1028} if meter in model.devices else set()
        if self.send(sender, EnrolMeter(meter, number, on, from_k), broken):
            model.devices[meter] = Device(number, on, from_k)

    @rule(by=bill_providers, place=places_in_list, offset=offsets)
    def revoke(self, by: int, place: int, offset: int) -> None:
        model, sender, meter = self.model, self.member(by), self.device(place)
        until_k = model.now_s // self.period_of(meter) + offset
        broken = model.may(sender, Role.BILL_PROVIDER) | model.bad_end(meter, until_k)
        if self.send(sender, RevokeMeter(meter, until_k), broken):
            model.devices[meter].until_k = until_k

    @rule(by=bill_providers, place=places_in_list, new=handles, offset=offsets)
    def swap(self, by: int, place: int, new: bytes, offset: int) -> None:
        model, sender, old = self.model, self.member(by), self.device(place)
        at_k = model.now_s // self.period_of(old) + offset
        broken = model.may(sender, Role.BILL_PROVIDER) | model.bad_end(old, at_k)
        broken |= {1028} if new in model.devices else set()
        if self.send(sender, SwapMeter(old, new, at_k), broken):
            model.devices[old].until_k = at_k
            model.devices[new] = Device(model.devices[old].region, model.devices[old].channels, at_k)

    def device(self, place: int) -> bytes:
        """The handle of a meter that is there, or once in a while of one that is not."""
        listed = [*self.model.devices, handle(99)]
        return listed[place % len(listed)]

    def period_of(self, meter: bytes) -> int:
        device = self.model.devices.get(meter)
        return self.model.areas[device.region].period_s if device else 900

    @rule(by=operators, step_s=st.sampled_from([1, 450, 900, 7_200, 5 * DAY_S, 12 * DAY_S, 30 * DAY_S, -1, 0]))
    def advance(self, by: int, step_s: int) -> None:
        model, sender = self.model, self.member(by)
        broken = model.may(sender, Role.OPERATOR) | ({10} if step_s <= 0 else set())
        if self.send(sender, AdvanceClock(model.now_s + step_s), broken):
            model.now_s += step_s

    @rule(at=st.integers(0, 10_000), position=st.integers(0, 10_000), altered=st.booleans())
    def replay(self, at: int, position: int, altered: bool) -> None:
        """Bring an old transaction again, as it was or with a bit turned: it is dropped."""
        if not self.sent:
            return
        raw = bytearray(self.sent[at % len(self.sent)])
        if altered:
            raw[position % len(raw)] ^= 1 << (position & 7)
        before = self.ledger.app_hash
        try:
            self.ledger.node.submit(bytes(raw))
            assert self.ledger.node.make_block() is None, "an old transaction entered a block"
        except Refusal:
            pass
        assert self.ledger.app_hash == before

    @invariant()
    def the_ledger_stands_where_the_model_stands(self) -> None:
        model = self.model
        with context(self.ledger) as ctx:
            assert self.ledger.now_s == model.now_s
            held = {number: (p.name, p.roles, p.rotations, p.recovered_at) for number, p in queries.participants(ctx)}
            assert held == {n: (m.name, m.roles, m.rotations, m.recovered_at) for n, m in model.members.items()}
            for number, member in model.members.items():
                assert {r: k for r in range(1, 5) if (k := queries.key(ctx, number, r))} == member.keys
            assert {n: (r.period_s, (r.k_min, r.min_live_permille)) for n, r in queries.regions(ctx)} == {
                n: (area.period_s, area.privacy) for n, area in model.areas.items()
            }
            for number, area in model.areas.items():
                months = {
                    n: (m.start_s, m.end_s, (m.k_min, m.min_live_permille), m.closed)
                    for n, m in queries.months(ctx, number)
                }
                assert months == area.months
            assert all(
                (m := queries.meter(ctx, name)) is not None
                and (m.region, m.channels, m.from_k, m.until_k) == (d.region, d.channels, d.from_k, d.until_k)
                for name, d in model.devices.items()
            )

    @invariant()
    def counts_are_those_of_counting_one_by_one(self) -> None:
        with context(self.ledger) as ctx:
            for number, area in self.model.areas.items():
                ours = [each for each in self.model.devices.values() if each.region == number]
                periods = sorted({each.from_k for each in ours} | {each.until_k for each in ours if each.until_k})
                needed = [month[0] // area.period_s for month in area.months.values() if not month[3]]
                for channel in (1, 2):
                    for k in [*periods, *needed]:
                        live = sum(channel in d.channels and d.from_k <= k and not 0 < d.until_k <= k for d in ours)
                        try:
                            counted = queries.enrolled(ctx, number, channel, k)
                        except CountForgotten:
                            counted = None
                        assert counted == live or (counted is None and k < min(needed, default=k + 1))


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(stateful_step_count=80)
