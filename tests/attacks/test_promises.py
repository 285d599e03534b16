"""The five promises that the paper makes to a household (seed 002, section 4.1), each with what breaks it.

| promise | what of it is elsewhere |
|---|---|
| P1 consumption and bill are disclosed to nobody who may not know them | each coalition of two: `test_coalitions` |
| P2 a meter's identity stays hidden, its behaviour unlinked | the game of many attackers: `test_linking` |
| P3 a meter that is stopped is caught, and pays | random months: `tests/property/test_billing` |
| P4 a changed reading or total is caught | forged, replayed and chosen records: `test_on_the_ledger` |
| P5 nothing comes onto the ledger without its agreement | malformed blocks: `tests/integration/test_node_malformed` |

Each test has a positive control: the same attacker, or the same cheat, wins where the defence is left out.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from msgspec.structs import replace

from gridproof.actors.bills.evidence import LedgerEvidence
from gridproof.actors.bills.report import encode_report
from gridproof.actors.bills.sealing import pack
from gridproof.actors.bills.verifying import verify_report
from gridproof.actors.community import Community as Folder
from gridproof.actors.community.access import reached
from gridproof.actors.community.household_bills import Read, read_bill, reader_of
from gridproof.actors.enrolment import advance
from gridproof.actors.household import public_leaves
from gridproof.connectors.inbox import Inbox
from gridproof.connectors.registers import RegisterReading, Registers
from gridproof.connectors.rosters import RosterFiles
from gridproof.domain import (
    WORD,
    Absent,
    BillMonth,
    ChannelMonth,
    Direction,
    Metered,
    MonthBounds,
    MonthId,
    Penalties,
    Secret,
    SlotPrice,
    TariffStep,
    Why,
    bill_key,
    make_bill,
)
from gridproof.domain import Registers as RegisterEnds
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.aggregation.keeper import Keeper as Aggregation
from gridproof.modules.aggregation.types import SLOTS
from gridproof.modules.billing import errors as billing_errors
from gridproof.modules.pricing import errors as pricing_errors
from gridproof.modules.pricing import keeper as pricing_keeper
from gridproof.modules.registry.keeper import Keeper as Registry
from gridproof.primitives.hashing import sha256
from gridproof.primitives.schnorr import Signer
from gridproof.state import Block, Message
from gridproof.state.admission import Admission
from gridproof.state.refusals import OK

from .parties import FIRST_K, REGION, Hands, Public, bills_opened, household, parties, readings_learned
from .test_coalitions import EVERYTHING, OWN, PARTIES, unmasked
from tests.billed import AFTER_OCTOBER, HOURS, NAMES, OCTOBER, PERIOD_S, START_S, Billed, energy_wh, founded
from tests.unit.modules.aggregation.community import FIRST_K as K
from tests.unit.modules.aggregation.community import TARIFF, Community

__all__ = ["unmasked"]  # a fixture of the coalitions

IMPORT: Final = Direction.IMPORT
VALIDATORS: Final = 4
HEX_DIGITS: Final = re.compile(rb"[0-9a-f]{40,}")  # of keys and hashes, in which five given figures stand now and then


# --- P1: consumption and bill ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("party", PARTIES)
def test_p1_consumption_is_disclosed_to_nobody_but_the_household(
    village: Path, public: Public, unmasked: Public, party: str
) -> None:
    hands = parties(village)[party]
    own = {(OWN[party], at) for at in range(HOURS)} if party in OWN else set()
    assert readings_learned(public, hands) == own
    assert readings_learned(unmasked, hands) == EVERYTHING  # the control: the same slots without masks


@pytest.mark.parametrize("party", PARTIES)
def test_p1_a_bill_is_disclosed_to_nobody_but_the_household(village: Path, public: Public, party: str) -> None:
    hands = parties(village)[party]
    assert bills_opened(public, hands) == ({OWN[party]} if party in OWN else set())
    everyone = Hands()
    for name in NAMES:
        everyone = everyone.with_(household(village, name))
    assert bills_opened(public, everyone) == set(NAMES)  # the control: with the right key the attacker opens each


def test_p1_no_public_file_has_a_name_a_reading_or_a_sum_of_money_in_the_clear(village: Path, tmp_path: Path) -> None:
    billed = Billed(village)
    told = {row["name"]: row for row in billed("bill", "list", "--json").json["bills"]}
    clear = [name.encode() for name in NAMES if len(name) > 4]
    clear += [str(energy_wh(number, at)).encode() for number in range(len(NAMES)) for at in range(HOURS)]
    clear += [str(row["payable_e9"]).encode() for row in told.values()]
    files = {
        name: HEX_DIGITS.sub(b"", content)
        for name, content in billed.files().items()
        if name.startswith(("public/", "ledger/"))
    }
    assert len(files) > len(NAMES)
    assert [name for name, content in files.items() if any(each in content for each in clear)] == []
    opened = tmp_path / "bill.json"  # the control: the look finds them all in the household's opened report
    billed("bill", "open", NAMES[0], opened)
    assert sum(each in opened.read_bytes() for each in clear) >= 1 + 4 + 1


# --- P2: identity and behaviour --------------------------------------------------------------------------------------


def test_p2_what_an_aggregator_keeps_names_no_meter_no_time_and_no_order_of_coming(village: Path) -> None:
    handles = [row.handle for row in Folder(village).meters()]
    seen = 0
    for number in (3, 4):
        content = (village / "aggregators" / f"{number}.db").read_bytes()
        assert not any(each in content or each.hex().encode() in content for each in handles)
        with closing(Inbox(village / "aggregators" / f"{number}.db")) as inbox:
            for at in range(4, HOURS):
                taken = list(inbox.of((REGION, IMPORT, FIRST_K + at)).values())  # type: ignore[arg-type]
                assert [each.position for each in taken] == sorted(each.position for each in taken)
                seen += len(taken)
    assert seen == 2 * len(NAMES) * (HOURS - 4)
    own = (village / "outbox" / "meters.db").read_bytes()
    assert all(each in own for each in handles)  # the control: the look finds them with the meters


def test_p2_no_identity_serves_twice_and_none_is_a_handle_or_a_billing_identity(village: Path, public: Public) -> None:
    with reached(Folder(village).folder) as ledger:
        prids = [
            record.prid
            for at in range(HOURS)
            for body in ledger.client.ask(aggregation.bodies, REGION, IMPORT, FIRST_K + at)
            for record in body.records
        ]
    assert len(set(prids)) == len(prids) == 2 * len(NAMES) * HOURS
    others = {bill.bid for bill in public.bills} | {row.handle for row in Folder(village).meters()}
    assert not others & set(prids)


Ledgered = Sequence[tuple[bytes, int]]  # identity and size of what is registered, in the ledger's order


def by_identity(october: Ledgered, november: Ledgered) -> dict[int, int]:
    places = {bid: at for at, (bid, _) in enumerate(november)}
    return {at: places[bid] for at, (bid, _) in enumerate(october) if bid in places}


def by_place(october: Ledgered, november: Ledgered) -> dict[int, int]:
    return {at: at for at in range(min(len(october), len(november)))}


def by_size(october: Ledgered, november: Ledgered) -> dict[int, int]:
    def ranked(month: Ledgered) -> list[int]:
        return sorted(range(len(month)), key=lambda at: month[at][1])

    return dict(zip(ranked(october), ranked(november), strict=True))


def by_leading_bits(october: Ledgered, november: Ledgered) -> dict[int, int]:
    return {
        at: min(range(len(november)), key=lambda to: int.from_bytes(_xor(bid, november[to][0])))
        for at, (bid, _) in enumerate(october)
    }


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


LINKERS: Final[dict[str, Callable[[Ledgered, Ledgered], dict[int, int]]]] = {
    "identity": by_identity,
    "place": by_place,
    "size": by_size,
    "leading bits": by_leading_bits,
}
HOUSEHOLDS: Final = 300


class Months:
    """Two months' registered bills of many households, and which of them are whose."""

    def __init__(self, *, static: bool = False, in_book_order: bool = False, padded: bool = True) -> None:
        chance = Random(23)
        self.owners: list[list[int]] = []
        self.ledger: list[list[tuple[bytes, int]]] = []
        chains = [chance.randbytes(32) for _ in range(HOUSEHOLDS)]
        raw = [chance.randbytes(chance.randrange(1_000, 15_000)) for _ in range(HOUSEHOLDS)]  # habits come back
        for month in range(2):
            rows = []
            for number, chain in enumerate(chains):
                view = chain if static else advance(chain, Secret.VIEW, month)
                size = len(pack(raw[number])) if padded else len(raw[number])
                rows.append((bill_key(view).public_key, size, number))
            if not in_book_order:
                rows.sort()  # as `RegisterBills` must have them
            self.ledger.append([(bid, size) for bid, size, _ in rows])
            self.owners.append([number for *_, number in rows])

    def share(self, linker: Callable[[Ledgered, Ledgered], dict[int, int]]) -> float:
        """How many of the households an attacker matches rightly, of all."""
        matched = linker(*self.ledger)
        right = sum(self.owners[0][here] == self.owners[1][there] for here, there in matched.items())
        return right / HOUSEHOLDS


@pytest.mark.parametrize("linker", LINKERS)
def test_p2_months_do_not_link_by_what_is_registered_of_a_bill(linker: str) -> None:
    weaker = {
        "identity": Months(static=True),
        "place": Months(in_book_order=True),
        "size": Months(padded=False),
        "leading bits": Months(static=True),
    }
    assert Months().share(LINKERS[linker]) <= 5 / HOUSEHOLDS  # one in 300 by chance
    assert weaker[linker].share(LINKERS[linker]) > 0.9


def test_p2_sealed_bills_are_of_one_size_where_the_reports_are_of_many(
    village: Path, public: Public, tmp_path: Path
) -> None:
    assert len({len(bill.content) for bill in public.bills}) == 1
    sizes = set()
    for name in NAMES:
        path = tmp_path / f"{name}.json"
        Billed(village)("bill", "open", name, path)
        sizes.add(len(path.read_bytes()))
    assert len(sizes) > 1


# --- P3: a stopped meter ---------------------------------------------------------------------------------------------

SILENT: Final = ("Eve", (1, 2))  # the meter is stopped for two hours of October
EVE: Final = 4


def billed_with(root: Path, silent: Sequence[int], *, register: bool = True) -> Billed:
    """A community whose meter Eve is stopped in some hours, and whose register was read off all the same."""
    made = founded(root)
    made.read(range(4), silent=[("Eve", at) for at in silent])
    if register:
        with closing(Registers(root / "outbox" / "registers.db")) as registers:
            total = sum(energy_wh(EVE, at) for at in range(4))
            registers.add([RegisterReading("Eve", IMPORT, START_S + 4 * PERIOD_S, total)])
    made("run")
    made.run(AFTER_OCTOBER)
    made("bill", "make")
    return made


def payable(billed: Billed) -> int:
    shown = billed("bill", "show", "Eve", "--month", OCTOBER, "--json").json
    assert shown["ok"], shown
    return int(shown["payable_e9"])


def test_p3_a_stopped_meter_is_caught_by_the_ledger_named_by_the_bill_provider_alone_and_pays(tmp_path: Path) -> None:
    spoken = billed_with(tmp_path / "spoken" / "home", ())
    silent = billed_with(tmp_path / "silent" / "home", SILENT[1])
    for at in SILENT[1]:
        shown = silent("period", "show", "1", FIRST_K + at, "--faults", "--json").json
        assert (shown["live"], shown["missing"]) == (4, 1)
        assert [(each["meter"], each["kind"]) for each in shown["faults"]] == [("Eve", "silent")]
    told = silent("bill", "show", "Eve", "--month", OCTOBER, "--json").json
    assert (told["lines"], told["absences"]) == (2, 2)
    kinds = [charge["kind"] for charge in told["charges"]]
    assert {"penalty", "reconciled"} <= {kind.split("_")[0] for kind in kinds} or "reconciliation" in kinds
    assert payable(silent) > payable(spoken)
    # The control: without the register the hours of silence are free but for their penalties, and silence pays.
    unread = billed_with(tmp_path / "unread" / "home", SILENT[1], register=False)
    assert payable(unread) < payable(spoken)


def test_p3_silence_is_never_cheaper_than_speaking_whichever_slots_are_silent() -> None:
    bounds = MonthBounds(MonthId(24_309), 100 * 900, 106 * 900, 900)
    prices = [SlotPrice(price, fallback=False) for price in (9_000, 31_000, 12_000, 25_000, 9_500, 14_000)]
    readings = [300, 20, 4_000, 0, 750, 90]
    tariff = replace(TARIFF, penalties=Penalties(0, 0))  # even where a missing slot costs nothing by itself

    def cost(silent: Sequence[int], *, register: bool) -> int:
        metered = [Metered(100 + at, wh) for at, wh in enumerate(readings) if at not in silent]
        absent = [Absent(100 + at, Why.SILENT) for at in silent]
        ends = RegisterEnds(0, sum(readings)) if register else None
        channel = ChannelMonth(IMPORT, prices, metered, absent, ends)
        return make_bill(BillMonth(bounds, 100, 106, [TariffStep(100, tariff)], [channel])).total_e9

    subsets = [each for size in range(1, 7) for each in combinations(range(6), size)]
    assert len(subsets) == 63
    speaking = cost((), register=True)
    assert all(cost(each, register=True) >= speaking for each in subsets)
    cheaper = [each for each in subsets if cost(each, register=False) < cost((), register=False)]
    assert len(cheaper) > 50  # the control: without reconciliation nearly every silence pays


# --- P4 and P5: validators -------------------------------------------------------------------------------------------


@pytest.fixture
def validators() -> Iterator[list[Community]]:
    """Nodes that were born alike and saw the same blocks; the first one leads."""
    nodes = [Community(enrolled=5, places=6).begin(tariff=TARIFF) for _ in range(VALIDATORS)]
    for node in nodes:
        node.opened(K)
    assert len({node.node.head.app_hash for node in nodes}) == 1
    yield nodes
    for node in nodes:
        node.close()


def proposed(leader: Community, sender: str, message: Message) -> Block:
    """A block with one transaction, as a leader proposes it who looks at nothing."""
    head = leader.node.head
    return Block(head.height + 1, leader.now_s, 0, (leader.sign(sender, message),))


def decided(node: Community, block: Block) -> tuple[int, bytes]:
    """What a node makes of a block that is decided all the same: its result's code, and the root."""
    result = node.node.application.finalize_block(block)
    return result.results[0].code, result.app_hash


def unjudged(patch: pytest.MonkeyPatch) -> None:
    """Make a node one that checks no message: whatever stands in a block is executed."""
    patch.setattr(Admission, "require_messages", lambda _self, transactions: [None] * len(transactions))


def with_another_reading(node: Community, k: int) -> Message:
    """A batch in which an aggregator changed one record by ten watt-hours."""
    node.go_to(node.end_of(k))
    first, *others = (record for n in range(5) for record in node.both(n, k))
    return node.batch(k, [replace(first, rc=(first.rc + 10) % WORD), *others])


def test_p4_a_changed_reading_is_refused_by_every_validator(
    validators: list[Community], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [proposed(node, "first", with_another_reading(node, K + 1)) for node in validators]
    assert len({block.transactions for block in blocks}) == 1
    assert [node.node.application.process_proposal(block) for node, block in zip(validators, blocks, strict=True)] == [
        False
    ] * VALIDATORS
    with monkeypatch.context() as patch:  # the control: a node that checks no record takes it
        unjudged(patch)
        careless, block = validators[0], blocks[0]
        assert careless.node.application.process_proposal(block)
        assert decided(careless, block)[0] == OK


def test_p4_a_changed_total_gives_another_app_hash_than_every_honest_validators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = Aggregation.open_masks

    def greedy(self: Aggregation, ctx: Any, sender: Any, message: Any) -> None:
        strict(self, ctx, sender, message)
        state = SLOTS.get(ctx, *message.slot)
        SLOTS.put(ctx, *message.slot, value=replace(state, total_wh=state.total_wh + 1))

    nodes = [Community(enrolled=5, places=6).begin(tariff=TARIFF) for _ in range(VALIDATORS - 1)]
    with monkeypatch.context() as patch:
        patch.setattr(Aggregation, "open_masks", greedy)
        nodes.append(Community(enrolled=5, places=6).begin(tariff=TARIFF))
    for node in nodes:
        node.fixed(K)
    assert len({node.node.head.app_hash for node in nodes}) == 1
    blocks = [proposed(node, "provider", node.opening(K, range(5))) for node in nodes]
    *honest, cheat = (decided(node, block) for node, block in zip(nodes, blocks, strict=True))
    assert len(set(honest)) == 1
    assert cheat[0] == OK  # the control: alone, a node says what it likes
    assert cheat not in honest
    for node in nodes:
        node.close()


def read_of(village: Path, name: str) -> Read:
    with reached(Folder(village).folder) as ledger:
        return read_bill(Folder(village), ledger.client, name, None)


def verdict_of(village: Path, read: Read, *, careless: bool = False) -> list[str]:
    """What a household finds of a report; a careless one does not look at the ledger's records and prices."""
    community = Folder(village)
    with reached(community.folder) as ledger, reader_of(community, ledger.client, read.file) as reader:
        card = reader.card(read.month)
        leaves_of = public_leaves(ledger.client, RosterFiles(community.folder.rosters))
        chain_id = ledger.client.status().chain_id
        evidence = LedgerEvidence(ledger.client, chain_id, int(REGION), read.month, leaves_of)
        return verify_report(read.opened.report, read.file, evidence, card, pruned=careless).falsehoods


def test_p4_a_changed_line_of_a_bill_is_caught_by_its_household(village: Path) -> None:
    read = read_of(village, NAMES[0])
    assert verdict_of(village, read) == []
    channel = read.opened.report.channels[0]
    line = replace(channel.lines[1], energy_wh=channel.lines[1].energy_wh + 10)
    lines = (channel.lines[0], line, *channel.lines[2:])
    report = replace(read.opened.report, channels=(replace(channel, lines=lines, register=None),))
    assert encode_report(report) != encode_report(read.opened.report)
    changed = read._replace(opened=read.opened._replace(report=report))
    told = verdict_of(village, changed)
    assert any(
        each.startswith(f"records: import {line.k}: its records do not give {line.energy_wh} Wh") for each in told
    )
    assert any(each.startswith("arithmetic: ") for each in told)
    assert verdict_of(village, changed, careless=True) == []  # the control: who does not recompute sees nothing


def test_p5_a_price_that_the_tariff_does_not_give_is_refused_by_every_validator(
    validators: list[Community], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = validators[0].price(K)
    wrong = replace(right, price_e5=right.price_e5 + 1)
    before = {node.app_hash for node in validators}
    for node in validators:
        refusal = node.refuses("center", wrong, code=pricing_errors.WrongPrice.code)
        assert refusal.particulars == {"price_e5": wrong.price_e5, "expected_e5": right.price_e5}
    assert {node.app_hash for node in validators} == before
    assert len({node.node.head.app_hash for node in validators}) == 1
    blocks = [proposed(node, "center", wrong) for node in validators]
    honest = {decided(node, block) for node, block in zip(validators[1:], blocks[1:], strict=True)}
    assert {code for code, _ in honest} == {pricing_errors.WrongPrice.code}
    with monkeypatch.context() as patch:  # the control: a node that does not compute the price takes any
        patch.setattr(pricing_keeper, "slot_price", lambda *_: wrong.price_e5)
        code, app_hash = decided(validators[0], blocks[0])
    assert code == OK
    assert (code, app_hash) not in honest


def test_p5_a_bill_registered_twice_or_for_nobody_is_refused_by_every_validator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes = [Community(enrolled=4, places=5).begin().end_month() for _ in range(VALIDATORS)]
    for node in nodes:
        node.accepts("provider", node.bills(*(node.bill(n) for n in range(4))))
        node.refuses("provider", node.bills(node.bill(0)), code=billing_errors.BillExists.code)
        node.refuses("provider", node.bills(node.bill(9)), code=billing_errors.TooManyBills.code)
    assert len({node.node.head.app_hash for node in nodes}) == 1
    blocks = [proposed(node, "provider", node.bills(node.bill(9))) for node in nodes]
    honest = {decided(node, block) for node, block in zip(nodes[1:], blocks[1:], strict=True)}
    assert {code for code, _ in honest} == {billing_errors.TooManyBills.code}
    with monkeypatch.context() as patch:  # the control: a node that does not count takes a fifth bill of four meters
        patch.setattr(Registry, "meters_in", lambda *_: 99)
        code, app_hash = decided(nodes[0], blocks[0])
    assert code == OK
    assert (code, app_hash) not in honest
    for node in nodes:
        node.close()


def test_p5_a_batch_that_proves_nothing_stands_in_no_block(
    validators: list[Community], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identity that no roster has, slipped into an aggregator's batch by a leader who looks at nothing."""
    forger = Signer(sha256(b"forger"))
    blocks = []
    for node in validators:
        node.go_to(node.end_of(K + 1))
        records = [record for n in range(5) for record in node.both(n, K + 1)]
        batch = node.batch(K + 1, records)
        forged = batch.records[0].__class__(forger.public_key, 5, forger.sign(sha256(b"whatever")))
        blocks.append(proposed(node, "first", replace(batch, records=(forged, *batch.records[1:]))))
    agreed = [node.node.application.process_proposal(block) for node, block in zip(validators, blocks, strict=True)]
    assert agreed == [False] * VALIDATORS
    honest = {decided(node, block) for node, block in zip(validators[1:], blocks[1:], strict=True)}
    assert len(honest) == 1, "were it decided all the same, it would do nothing, on every node alike"
    with monkeypatch.context() as patch:
        unjudged(patch)
        assert validators[0].node.application.process_proposal(blocks[0])
        code, app_hash = decided(validators[0], blocks[0])
    assert code == OK  # the control: the careless node has another state, and all others see it
    assert (code, app_hash) not in honest
