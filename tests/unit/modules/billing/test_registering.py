"""Rules B-1 to B-5: which bills are registered, and that a version stands once."""

import pytest
from msgspec.structs import replace

from gridproof.domain import RegionId
from gridproof.modules.billing import errors, queries
from gridproof.modules.billing.messages import MAX_BILLS, BillRegistered, NewBill
from gridproof.modules.billing.types import Bill, Tally
from gridproof.modules.registry.errors import MonthUnknown, NotPermitted, RegionUnknown
from gridproof.modules.registry.messages import EnrolMeter, OpenMonth, RevokeMeter
from gridproof.primitives.cid import cid_v1

from tests.unit.modules.aggregation.community import MONTH, REGION, TARIFF, Community, bid_of, month_bounds

OFF_CURVE = (5).to_bytes(32, "big")


def tally(town: Community) -> Tally:
    found = town.ask(queries.tally, REGION, MONTH)
    assert isinstance(found, Tally)
    return found


def test_the_bills_of_a_closed_month_are_registered(town: Community) -> None:
    bills = [town.bill(n) for n in range(4)]
    message = town.bills(*bills)
    events = town.send("provider", message)
    assert events == tuple(BillRegistered(REGION, MONTH, each.bid, 1, each.cid) for each in message.bills)
    for each in bills:
        known = Bill(each.cid, each.digest, town.now_s)
        assert town.ask(queries.bill, REGION, MONTH, each.bid, 1) == known
        assert town.ask(queries.versions, REGION, MONTH, each.bid) == ((1, known),)
        assert town.ask(queries.last_version, REGION, MONTH, each.bid) == 1
    assert [bid for bid, _, _ in town.ask(queries.bills, REGION, MONTH)] == sorted(each.bid for each in bills)
    assert tally(town) == Tally(4, 0, 0, 0)


@pytest.mark.parametrize("name", ["operator", "center", "first", "household"])
def test_b1_only_a_bill_provider_registers_bills(town: Community, name: str) -> None:
    particulars = {"participant": town.people[name].id, "needed": "bill_provider"}
    town.refuses_by(name, town.bills(town.bill(0)), NotPermitted, **particulars)


def test_b2_an_open_month_has_no_bills(open_town: Community) -> None:
    message = open_town.bills(open_town.bill(0))
    open_town.refuses_by("provider", message, errors.MonthNotClosed, region=REGION, month=MONTH)
    open_town.end_month()
    open_town.accepts("provider", message)


def test_b2_a_month_that_never_was_has_no_bills(town: Community) -> None:
    bill = town.bill(0)
    town.refuses_by("provider", town.bills(bill, month=MONTH + 1), MonthUnknown, region=REGION, month=MONTH + 1)
    town.refuses_by("provider", town.bills(bill, region=9), RegionUnknown, region=9)


def test_b2_each_month_has_its_own_bills(town: Community) -> None:
    later = month_bounds(MONTH + 1, town.bounds.end_k + 100, 1)
    town.accepts("provider", town.bills(town.bill(0)))
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s, TARIFF))
    town.refuses_by(
        "provider", town.bills(town.bill(0), month=MONTH + 1), errors.MonthNotClosed, region=REGION, month=MONTH + 1
    )


def test_b3_a_bill_registered_twice_is_refused_and_the_first_stays(town: Community) -> None:
    first = town.bill(0)
    town.accepts("provider", town.bills(first))
    known = town.ask(queries.bill, REGION, MONTH, first.bid, 1)
    for again in (first, town.bill(0, cid=cid_v1(b"another"), digest=bytes(32))):
        town.refuses_by("provider", town.bills(again), errors.BillExists, bid=first.bid, version=1)
    assert town.ask(queries.bill, REGION, MONTH, first.bid, 1) == known
    assert tally(town) == Tally(1, 0, 0, 0)


def test_b3_a_correction_is_the_next_version_and_the_one_before_is_kept(town: Community) -> None:
    town.accepts("provider", town.bills(town.bill(0), town.bill(1)))
    before = town.ask(queries.bill, REGION, MONTH, bid_of(0).public_key, 1)
    town.advance(60)
    second = town.bill(0, 2)
    town.accepts("provider", town.bills(second))
    bid = second.bid
    assert town.ask(queries.last_version, REGION, MONTH, bid) == 2
    assert town.ask(queries.versions, REGION, MONTH, bid) == (
        (1, before),
        (2, Bill(second.cid, second.digest, before.registered_s + 60)),
    )
    assert tally(town) == Tally(2, 1, 0, 0)
    town.refuses_by("provider", town.bills(second), errors.BillExists, bid=bid, version=2)
    town.refuses_by("provider", town.bills(town.bill(0, 1)), errors.BillExists, bid=bid, version=1)


@pytest.mark.parametrize(("have", "version"), [(0, 2), (0, 65_535), (1, 3)])
def test_b3_no_version_is_left_out(town: Community, have: int, version: int) -> None:
    for number in range(1, have + 1):
        town.accepts("provider", town.bills(town.bill(0, number)))
    message = town.bills(town.bill(0, version))
    particulars = {"bid": bid_of(0).public_key, "version": version, "expected": have + 1}
    town.refuses_by("provider", message, errors.VersionSkipped, **particulars)


def test_b3_of_a_list_all_bills_are_registered_or_none(town: Community) -> None:
    good = [town.bill(n) for n in range(3)]
    town.refuses("provider", town.bills(*good, town.bill(3, 2)), code=errors.VersionSkipped.code)
    assert town.ask(queries.bills, REGION, MONTH) == ()
    town.accepts("provider", town.bills(good[0]))
    town.refuses("provider", town.bills(*good), code=errors.BillExists.code)
    assert len(town.ask(queries.bills, REGION, MONTH)) == 1


def test_b3_a_list_ascends_each_identity_once(town: Community) -> None:
    right = town.bills(*(town.bill(n) for n in range(3)))
    for wrong, index in (
        (right.bills[::-1], 1),
        ((right.bills[0], right.bills[2], right.bills[1]), 2),
        ((right.bills[0], right.bills[0]), 1),
        ((right.bills[0], replace(right.bills[0], version=2)), 1),
    ):
        town.refuses_by("provider", replace(right, bills=wrong), errors.BillsUnsorted, index=index)


def test_b3_an_identity_is_the_x_of_a_point(town: Community) -> None:
    town.refuses_by("provider", town.bills(town.bill(0, bid=OFF_CURVE)), errors.BadIdentity, bid=OFF_CURVE)


@pytest.mark.parametrize(
    "cid",
    [
        "x",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnpS9z",  # version 0
        cid_v1(b"bill").upper(),
        cid_v1(b"bill") + "a",
        cid_v1(b"bill")[:-1],
        " " + cid_v1(b"bill"),
    ],
)
def test_b4_a_content_identifier_has_one_spelling(town: Community, cid: str) -> None:
    town.refuses_by("provider", town.bills(town.bill(0, cid=cid)), errors.BadContent, cid=cid)


def test_b5_there_are_no_more_bills_than_meters(town: Community) -> None:
    five = [town.bill(n) for n in range(5)]
    town.refuses_by("provider", town.bills(*five), errors.TooManyBills, bills=5, meters=4)
    town.accepts("provider", town.bills(*five[:4]))
    town.refuses_by("provider", town.bills(five[4]), errors.TooManyBills, bills=5, meters=4)
    town.accepts("provider", town.bills(town.bill(0, 2)))  # a correction is no further bill
    assert tally(town) == Tally(4, 1, 0, 0)


def test_b5_who_was_in_the_month_for_some_of_it_has_a_bill(open_town: Community) -> None:
    town = open_town
    town.accepts("provider", EnrolMeter(b"moved in".ljust(16, b"."), REGION, (1,), town.bounds.first_k + 2))
    town.accepts("provider", EnrolMeter(b"next month".ljust(16, b"."), REGION, (1,), town.bounds.end_k))
    town.accepts("provider", RevokeMeter((1).to_bytes(16, "big"), town.bounds.first_k + 2))
    town.end_month()
    town.accepts("provider", town.bills(*(town.bill(n) for n in range(5))))
    town.refuses_by("provider", town.bills(town.bill(5)), errors.TooManyBills, bills=6, meters=5)


def test_b5_each_region_counts_its_own() -> None:
    town = Community().begin(tariff=TARIFF)
    bounds = town.bounds
    town.accepts("operator", OpenMonth(RegionId(2), MONTH, bounds.start_s, bounds.end_s, TARIFF))
    town.end_month()
    town.accepts("operator", replace(town.month_over, region=2))
    message = town.bills(town.bill(0), region=2)
    town.refuses_by("provider", message, errors.TooManyBills, bills=1, meters=0)
    town.accepts("provider", town.bills(town.bill(0)))


@pytest.mark.parametrize(
    "bills",
    [
        (),
        tuple(NewBill(n.to_bytes(32, "big"), 1, "x", bytes(32)) for n in range(MAX_BILLS + 1)),
        (NewBill(bytes(31), 1, "x", bytes(32)),),
        (NewBill(bytes(32), 0, "x", bytes(32)),),
        (NewBill(bytes(32), 2**16, "x", bytes(32)),),
        (NewBill(bytes(32), 1, "x" * 81, bytes(32)),),
        (NewBill(bytes(32), 1, "", bytes(32)),),
        (NewBill(bytes(32), 1, "x", bytes(33)),),
    ],
)
def test_what_does_not_fit_its_width_is_no_message(town: Community, bills: tuple[NewBill, ...]) -> None:
    town.refuses("provider", town.bills(*bills), code=1)


def test_b8_bills_outlive_the_records_that_they_were_made_of() -> None:
    town = Community(periods=1, opening_s=600, claim_s=600, retention_months=1).begin(tariff=TARIFF).end_month()
    town.accepts("provider", town.bills(town.bill(0)))
    later = month_bounds(MONTH + 1, town.bounds.first_k + 4, 1)
    town.accepts("operator", OpenMonth(REGION, later.month, later.start_s, later.end_s, TARIFF))
    first, town.bounds = town.bounds, later
    town.accepts("provider", town.rosters())
    town.end_month()
    town.bounds = first
    assert town.ask(queries.last_version, REGION, MONTH, bid_of(0).public_key) == 1
    town.accepts("provider", town.bills(town.bill(0, 2)))
