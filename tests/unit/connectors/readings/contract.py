"""What every store of readings must do (rules R-1 to R-3): a store's tests inherit this class and make the store."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridproof.connectors.readings import Clash, MeterSpan, Reading, ReadingExistsError, ReadingsStore
from gridproof.domain import MAX_READING_WH, Direction, OutOfRangeError

IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
START_S, QUARTER_S = 1_761_519_600, 900
Fresh = Callable[[], AbstractContextManager[ReadingsStore]]


def reading(meter: str = "h001", k: int = 0, energy_wh: int = 10, channel: Direction = IMPORT) -> Reading:
    return Reading(meter, channel, START_S + k * QUARTER_S, energy_wh)


def everything(store: ReadingsStore) -> list[Reading]:
    return list(store.between(0, 2**40))


def take_and_fail(store: ReadingsStore, offered: list[Reading]) -> None:
    with store.intake() as intake:
        intake.offer(offered)
        raise ZeroDivisionError


readings = st.builds(
    reading,
    meter=st.sampled_from(("h001", "h002", "Zürich 3", "a'b\"c")),
    k=st.integers(0, 6),
    energy_wh=st.integers(0, MAX_READING_WH - 1),
    channel=st.sampled_from(Direction),
)


class ReadingsStoreContract:
    """Inherited by the tests of each store, which give `fresh`: opens an empty store of their own."""

    @pytest.fixture
    def fresh(self) -> Fresh:
        raise NotImplementedError

    def test_readings_come_back_by_period_channel_and_name(self, fresh: Fresh) -> None:
        stored = [reading("h002"), reading("h001", 1), reading("h001"), reading("h001", channel=EXPORT)]
        with fresh() as store:
            assert store.add(iter(stored)) == 4
            assert everything(store) == [stored[2], stored[0], stored[3], stored[1]]
            assert store.slot(IMPORT, START_S) == [stored[2], stored[0]]
            assert list(store.of_meter("h001", IMPORT, START_S, START_S + 2 * QUARTER_S)) == [stored[2], stored[1]]
            assert store.find("h001", EXPORT, START_S) == stored[3]

    def test_ranges_include_their_start_and_not_their_end(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add(reading(k=k) for k in range(4))
            assert list(store.between(START_S + QUARTER_S, START_S + 3 * QUARTER_S)) == [reading(k=1), reading(k=2)]
            assert list(store.of_meter("h001", IMPORT, START_S + 1, START_S + QUARTER_S + 1)) == [reading(k=1)]

    def test_r1_a_second_reading_is_refused_and_the_first_kept(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add([reading(energy_wh=10)])
            for energy_wh in (10, 11):
                with pytest.raises(ReadingExistsError) as refusal:
                    store.add([reading("h002"), reading(energy_wh=energy_wh)])
                assert refusal.value.particulars == {"meter": "h001", "channel": "import", "start_s": START_S}
            assert everything(store) == [reading(energy_wh=10)]

    def test_r1_a_repetition_within_one_call_is_refused_and_nothing_of_it_stored(self, fresh: Fresh) -> None:
        with fresh() as store:
            with pytest.raises(ReadingExistsError):
                store.add([reading(), reading(k=1), reading(energy_wh=11)])
            assert everything(store) == []

    def test_r1_an_intake_names_each_clash_and_takes_the_others(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add([reading(k=0)])
            with store.intake() as intake:
                assert intake.offer([reading(k=1)]) == []
                clashes = intake.offer([reading(k=1, energy_wh=5), reading(k=2), reading(k=0), reading(k=2)])
            assert clashes == [(0, Clash.REPEATED), (2, Clash.STORED), (3, Clash.REPEATED)]
            assert everything(store) == [reading(k=0), reading(k=1), reading(k=2)]

    def test_r2_an_intake_that_an_error_leaves_stores_nothing_and_the_next_one_works(self, fresh: Fresh) -> None:
        with fresh() as store:
            with pytest.raises(ZeroDivisionError):
                take_and_fail(store, [reading("new"), reading()])
            assert (everything(store), store.meters()) == ([], [])
            store.add([reading("other"), reading("new")])
            assert everything(store) == [reading("new"), reading("other")]

    @pytest.mark.parametrize(
        ("what", "bad"),
        [
            ("energy_wh", reading(energy_wh=-1)),
            ("energy_wh", reading(energy_wh=MAX_READING_WH)),
            ("start_s", reading()._replace(start_s=-QUARTER_S)),
            ("start_s", reading()._replace(start_s=2**63)),
        ],
    )
    def test_an_impossible_reading_is_refused_and_nothing_stored(self, fresh: Fresh, what: str, bad: Reading) -> None:
        with fresh() as store:
            with pytest.raises(OutOfRangeError) as refusal:
                store.add([reading("h002"), bad])
            assert refusal.value.what == what
            assert everything(store) == []

    def test_r3_a_gap_stays_a_gap(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add([reading(k=0), reading(k=2, energy_wh=0)])
            assert store.find("h001", IMPORT, START_S + QUARTER_S) is None
            assert store.find("h009", IMPORT, START_S) is None
            assert store.slot(EXPORT, START_S) == []
            assert store.meters() == [MeterSpan("h001", IMPORT, 2, START_S, START_S + 2 * QUARTER_S)]

    def test_a_store_tells_its_meters_and_its_span(self, fresh: Fresh) -> None:
        with fresh() as store:
            assert (store.meters(), store.span()) == ([], None)
            store.add([reading("b", 3), reading("a", 1), reading("a", 1, channel=EXPORT), reading("a", 2)])
            assert store.span() == (START_S + QUARTER_S, START_S + 3 * QUARTER_S)
            assert store.meters() == [
                MeterSpan("a", IMPORT, 2, START_S + QUARTER_S, START_S + 2 * QUARTER_S),
                MeterSpan("a", EXPORT, 1, START_S + QUARTER_S, START_S + QUARTER_S),
                MeterSpan("b", IMPORT, 1, START_S + 3 * QUARTER_S, START_S + 3 * QUARTER_S),
            ]

    def test_forgotten_readings_are_gone_and_the_others_stay(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add(reading(k=k) for k in range(4))
            assert store.forget(START_S + 2 * QUARTER_S) == 2
            assert everything(store) == [reading(k=2), reading(k=3)]
            assert store.forget(START_S) == 0

    def test_a_forgotten_meters_readings_go_and_its_name_with_the_last(self, fresh: Fresh) -> None:
        with fresh() as store:
            store.add([*(reading("a", k) for k in range(4)), reading("a", 1, channel=EXPORT), reading("b", 1)])
            assert store.forget_meter("a", START_S, START_S + 2 * QUARTER_S) == 3
            assert everything(store) == [reading("b", 1), reading("a", 2), reading("a", 3)]
            assert store.forget_meter("a", 0, 2**62) == 2
            assert store.forget_meter("a", 0, 2**62) == 0
            assert [span.meter for span in store.meters()] == ["b"]
            store.add([reading("a", 9)])
            assert everything(store) == [reading("b", 1), reading("a", 9)]

    def test_more_readings_than_are_taken_at_a_time_are_stored(self, fresh: Fresh) -> None:
        with fresh() as store:
            assert store.add(reading(k=k) for k in range(20_500)) == 20_500
            assert store.span() == (START_S, START_S + 20_499 * QUARTER_S)

    @settings(
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture], max_examples=40
    )
    @given(intakes=st.lists(st.tuples(st.lists(readings, max_size=12), st.booleans()), max_size=6))
    def test_a_store_does_what_a_dictionary_would(
        self, fresh: Fresh, intakes: list[tuple[list[Reading], bool]]
    ) -> None:
        model: dict[tuple[int, Direction, str], Reading] = {}
        with fresh() as store:
            for offered, kept in intakes:
                after, expected = dict(model), []
                for position, one in enumerate(offered):
                    key = (one.start_s, one.channel, one.meter)
                    if key in after:
                        expected.append((position, Clash.STORED if key in model else Clash.REPEATED))
                    after.setdefault(key, one)
                try:
                    with store.intake() as intake:
                        assert intake.offer(offered) == expected
                        if not kept:
                            raise ZeroDivisionError
                    model = after
                except ZeroDivisionError:
                    pass
            assert everything(store) == [model[key] for key in sorted(model)]
