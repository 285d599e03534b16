"""A small community in a folder, with an embedded ledger, simulated clock and seeded chance: what simulations run."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from gridproof.actors import credentials
from gridproof.actors.bill_provider import Newcomer, Policy, Shelf
from gridproof.actors.clock import SimulatedClock
from gridproof.actors.conductor import Conductor, Observer
from gridproof.actors.credentials import Credentials
from gridproof.actors.crew import Chance, Crew, Post, Posts
from gridproof.actors.randomness import Seeded
from gridproof.actors.seat import Seat
from gridproof.actors.transport import Transport
from gridproof.app import application
from gridproof.connectors.ledger import InProcessClient, Sender
from gridproof.connectors.readings import Reading, SqliteReadings
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import Direction, MonthBounds, MonthId, ParticipantId, RegionId, Slot, Tariff
from gridproof.drivers.embedded import EmbeddedLedger
from gridproof.drivers.embedded.ledger import Options
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.types import SlotState
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import KeyRole, Role
from gridproof.state import SerialVerifier

CHAIN = "village"
PERIOD_S = 900
START_S = 1_761_523_200  # 27 October 2025, 00:00 UTC: a multiple of every period
REGION = RegionId(1)
OCTOBER = MonthId(2025 * 12 + 9)
NOVEMBER = MonthId(OCTOBER + 1)
RULES = {
    "period_s": PERIOD_S,
    "window_s": 600,
    "window_blocks": 1,
    "opening_s": 7 * 86_400,
    "claim_s": 7 * 86_400,
    "retention_months": 2,
    "k_min": 3,
    "min_live_permille": 500,
}


class Watcher(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.ended: dict[Slot, SlotState] = {}
        self.refusals: list[Any] = []
        self.problems: list[Exception] = []

    def slot_ended(self, slot: Slot, state: SlotState) -> None:
        assert slot not in self.ended, "a slot ends once"
        self.ended[slot] = state

    def refused(self, refused: Any) -> None:
        self.refusals.append(refused)

    def problem(self, problem: Exception) -> None:
        self.problems.append(problem)


class Village:
    """A community that can be left at any point and opened again.

    Args:
        folder: where everything lies; a ledger that is there goes on.
        seed: of all chance.
        passphrase: seals secret files.
        regions: numbers of its regions.
        rules: of its regions, in place of `RULES`.
        aggregators: how many.
        spares: never-used places in each roster.
        ledger_clock: where ledger time comes from, `operator` or `block`.
        tariff: that its months are opened with; a control centre then announces prices.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: bytes = b"village",
        passphrase: str | None = None,
        regions: Iterable[int] = (REGION,),
        rules: Mapping[str, int] | None = None,
        aggregators: int = 2,
        spares: int = 3,
        ledger_clock: str = "operator",
        tariff: Tariff | None = None,
    ) -> None:
        self.folder = folder
        self.tariff = tariff
        self.seed = Seeded(seed)
        self.secrets = SecretFiles(passphrase, random=self.seed.fork("salts"))
        priced = ["control center"] if tariff else []
        self.names = ["operator", "bill provider", *priced, *(f"aggregator {n}" for n in range(aggregators))]
        self.rules = {**RULES, **(rules or {})}
        self.ledger_clock = ledger_clock
        self.clock = SimulatedClock(START_S - 2 * 86_400)
        genesis = None if (folder / "ledger").exists() else self._found(list(regions))
        options = Options(SerialVerifier(), clock=self._now_s)
        self.ledger = EmbeddedLedger.at(folder / "ledger", application, genesis, options)
        self.client = InProcessClient(self.ledger)
        now_s = self.ledger.status().ledger_time_s
        self.clock = SimulatedClock(now_s)
        self.readings = SqliteReadings(folder / "readings.db")
        self.watcher = Watcher()
        shelf = Shelf(folder / "provider", folder / "enrolments", RosterFiles(folder / "public"), self.secrets)
        self.shelf = shelf
        self.crew = Crew(
            self._posts(tuple(regions)),
            shelf,
            Policy(spares=lambda _meters: spares),
            folder / "meters.db",
            self.clock,
            chance=Chance(self.seed.fork(f"keys at {now_s}"), lambda meter: self.seed.fork(meter.hex())),
        )

    def _now_s(self) -> int:
        return self.clock.now_s()

    def close(self) -> None:
        self.crew.close()
        self.readings.close()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- founding ----------------------------------------------------------------------------------------------------

    def _found(self, regions: list[int]) -> bytes:
        people = []
        for name in self.names:
            role = _role(name)
            drawn = credentials.draw(name, self.seed.fork(name), receipts=role == Role.DATA_AGGREGATOR)
            credentials.write(self.secrets, self.folder / "keys" / f"{name}.key", drawn)
            keys = {KeyRole(entry.role).label: entry.key.hex() for entry in drawn.public_keys()}
            people.append({"name": name, "roles": [role.label], "keys": keys})
        document = {
            "chain_id": CHAIN,
            "genesis_time_s": START_S - 2 * 86_400,
            "clock": self.ledger_clock,
            "zone": "UTC",
            "currency": "CHF",
            "modules": {
                "registry": {
                    "participants": people,
                    "regions": [{"region": region, "name": f"region {region}", **self.rules} for region in regions],
                }
            },
        }
        return json.dumps(document).encode()

    def _keys(self, name: str) -> Credentials:
        return credentials.read(self.secrets, self.folder / "keys" / f"{name}.key", name)

    def seat(self, name: str) -> Seat:
        ids = {each.name: ParticipantId(number) for number, each in self.client.ask(registry.participants)}
        return Seat(Sender(self.client, self._keys(name).signer, ids[name]))

    def _posts(self, regions: tuple[int, ...]) -> Posts:
        aggregators = tuple(
            Post(self.seat(name), self._keys(name).receipt_signer, self.folder / f"{name}.db", regions)
            for name in self.names
            if _role(name) == Role.DATA_AGGREGATOR
        )
        center = self.seat("control center") if self.tariff else None
        return Posts(self.seat("operator"), self.seat("bill provider"), aggregators, center)

    # --- life --------------------------------------------------------------------------------------------------------

    def enrol(
        self,
        names: Iterable[str],
        channels: tuple[Direction, ...] = (Direction.IMPORT,),
        region: int = REGION,
        from_k: int = START_S // PERIOD_S,
        month: int = OCTOBER,
    ) -> None:
        self.crew.provider.enrol([Newcomer(name, region, channels, from_k, month) for name in names])
        self.settle()

    def settle(self) -> list[Any]:
        return [refused for seat in self.crew.seats for refused in seat.settle()]

    def read(self, rows: Iterable[tuple[str, int, int]], channel: Direction = Direction.IMPORT) -> None:
        """Measure: (meter, number of the period from the start, Wh)."""
        self.readings.add(Reading(name, channel, START_S + n * PERIOD_S, value) for name, n, value in rows)

    def conductor(self, transport: Transport | None = None, month_periods: int = 96) -> Conductor:
        def bounds(_region: RegionId, month: MonthId) -> MonthBounds:
            start_s = START_S + (month - OCTOBER) * month_periods * PERIOD_S
            return MonthBounds(month, start_s, start_s + month_periods * PERIOD_S, PERIOD_S)

        return Conductor(
            self.crew,
            self.readings,
            bounds,
            self.clock,
            self.watcher,
            transport,
            tariffs=lambda _region, _bounds: self.tariff,
        )

    def run(self, periods: int, transport: Transport | None = None, month_periods: int = 96, **more: Any) -> None:
        last = OCTOBER + (periods - 1) // month_periods
        months = [MonthId(month) for month in range(OCTOBER, last + 1)]
        self.conductor(transport, month_periods).run(months, START_S, START_S + periods * PERIOD_S, **more)

    def state(self, n: int, channel: Direction = Direction.IMPORT, region: RegionId = REGION) -> SlotState:
        state = self.client.ask(aggregation.slot, *slot(n, channel, region))
        assert state is not None
        return state


def slot(n: int, channel: Direction = Direction.IMPORT, region: RegionId = REGION) -> Slot:
    """The n-th slot from the start."""
    return Slot(region, channel, START_S // PERIOD_S + n)


def _role(name: str) -> Role:
    if name.startswith("aggregator"):
        return Role.DATA_AGGREGATOR
    return {"operator": Role.OPERATOR, "control center": Role.CONTROL_CENTER}.get(name, Role.BILL_PROVIDER)
