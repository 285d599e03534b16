"""Figures of a node for Prometheus: what the service does, where the ledger stands, what the process uses.

Rules:
    F-1 No label says anything of a person or of a transaction: labels are participants (the companies), kinds of
        requests and numbers of refusals, so that there are few of them.
    F-2 All figures stand in `CATALOGUE`, from which the guide's page is written.
    F-3 Where the ledger stands is read when somebody asks, from the last committed state; a store that fails is left
        out, and the other figures are told.
    F-4 Nothing is global: two nodes in one process have figures of their own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from time import perf_counter
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from gridproof import __version__
from gridproof.state import Application, Head, SignatureClaim, Verifier, system
from gridproof.state.store import StoreError

from .observing import Observer

CODES_A_MODULE: Final = 1_000
BUCKETS_S: Final = (0.0001, 0.0005, 0.001, 0.002, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


class Figure(NamedTuple):
    """A figure that a node tells.

    Attributes:
        name: as Prometheus has it.
        kind: `counter`, `gauge` or `histogram`; a counter begins at 0 when the ledger's process starts.
        labels: that tell its series apart.
        meaning: a sentence.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


BUILD: Final = Figure("gridproof_build_info", "gauge", ("version",), "Always 1; the program's version.")
HEIGHT: Final = Figure("gridproof_height", "gauge", (), "Height of the last committed block.")
LEDGER_TIME: Final = Figure("gridproof_ledger_time_seconds", "gauge", (), "Ledger time, UTC epoch seconds.")
BLOCKS: Final = Figure(
    "gridproof_blocks_total", "counter", ("proposer",), "Committed blocks, by the participant that proposed them."
)
TRANSACTIONS: Final = Figure(
    "gridproof_transactions_total",
    "counter",
    ("result",),
    "Transactions in committed blocks: `applied`, or `refused` with the thousands of the refusal's number, which are "
    "the module's.",
)
ENVELOPES: Final = Figure(
    "gridproof_envelopes_total",
    "counter",
    ("code", "again"),
    "Envelopes looked at, by the refusal's number (0: let in), and whether it was looked at again after a block.",
)
LEFT_OUT: Final = Figure(
    "gridproof_left_out_total",
    "counter",
    ("code",),
    "Transactions left out of this node's proposals, by the refusal's number.",
)
PROPOSALS_REFUSED: Final = Figure(
    "gridproof_proposals_refused_total",
    "counter",
    ("proposer",),
    "Proposed blocks that this node voted against, by the participant that proposed them.",
)
REQUESTS: Final = Figure(
    "gridproof_request_seconds",
    "histogram",
    ("request",),
    "How long requests of the engine took, by kind; `finalize_block` and `commit` are a block.",
)
SIGNATURES: Final = Figure("gridproof_signatures_total", "counter", (), "Signatures checked.")
SIGNATURE_TIME: Final = Figure("gridproof_signature_seconds_total", "counter", (), "Time spent on checking them.")
SNAPSHOTS: Final = Figure(
    "gridproof_snapshots_total", "counter", ("outcome",), "Snapshots that were due: `taken` or `missed`."
)
SNAPSHOT_HEIGHT: Final = Figure("gridproof_snapshot_height", "gauge", (), "Height of the last snapshot taken; or 0.")
SNAPSHOT_TIME: Final = Figure("gridproof_snapshot_seconds", "gauge", (), "How long writing it took.")
SNAPSHOT_SIZE: Final = Figure("gridproof_snapshot_bytes", "gauge", (), "Its size.")
STORE_SIZE: Final = Figure(
    "gridproof_store_bytes", "gauge", (), "Size of the ledger's database, free pages in it included."
)
VALIDATORS: Final = Figure("gridproof_validators", "gauge", (), "How many vote on blocks.")
POWER: Final = Figure("gridproof_validator_power", "gauge", ("participant",), "Power of a validator's vote.")
RESTARTS: Final = Figure(
    "gridproof_restarts_total",
    "counter",
    (),
    "How often `gridproof node start` has started ledger and engine again since it runs.",
)
CATALOGUE: Final = (
    *(BUILD, HEIGHT, LEDGER_TIME, BLOCKS, TRANSACTIONS, ENVELOPES, LEFT_OUT, PROPOSALS_REFUSED, REQUESTS, SIGNATURES),
    *(SIGNATURE_TIME, SNAPSHOTS, SNAPSHOT_HEIGHT, SNAPSHOT_TIME, SNAPSHOT_SIZE, STORE_SIZE, VALIDATORS, POWER),
    RESTARTS,
    Figure("process_cpu_seconds_total", "counter", (), "Processor time of the ledger's process."),
    Figure(
        "process_resident_memory_bytes",
        "gauge",
        (),
        "Memory of the ledger's process, what it maps of the database included.",
    ),
    Figure("process_virtual_memory_bytes", "gauge", (), "Its address space; the database's map makes it large."),
    Figure("process_start_time_seconds", "gauge", (), "When it started, UTC epoch seconds."),
    Figure("process_open_fds", "gauge", (), "Files and connections that it has open."),
    Figure("process_max_fds", "gauge", (), "How many it may have open."),
)


class Figures(Observer):
    """Counts what a node does, and tells it.

    Args:
        restarts: how often the node was started again before.

    Attributes:
        registry: what Prometheus' library reads all figures from.
    """

    def __init__(self, restarts: int = 0) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        _gauge(BUILD, self.registry).labels(__version__).set(1)
        _counter(RESTARTS, self.registry).inc(restarts)
        self._blocks = _counter(BLOCKS, self.registry)
        self._transactions = _counter(TRANSACTIONS, self.registry)
        self._envelopes = _counter(ENVELOPES, self.registry)
        self._left_out = _counter(LEFT_OUT, self.registry)
        self._proposals_refused = _counter(PROPOSALS_REFUSED, self.registry)
        self._requests = Histogram(
            REQUESTS.name, REQUESTS.meaning, REQUESTS.labels, buckets=BUCKETS_S, registry=self.registry
        )
        self._signatures = _counter(SIGNATURES, self.registry)
        self._signature_time = _counter(SIGNATURE_TIME, self.registry)
        self._snapshots = _counter(SNAPSHOTS, self.registry)
        self._snapshot_height = _gauge(SNAPSHOT_HEIGHT, self.registry)
        self._snapshot_time = _gauge(SNAPSHOT_TIME, self.registry)
        self._snapshot_size = _gauge(SNAPSHOT_SIZE, self.registry)

    def watch(self, application: Application, stored_bytes: Callable[[], int]) -> None:
        """Tell from now on where a ledger stands, too.

        Args:
            application: of the node; read in whatever thread asks for figures.
            stored_bytes: tells the size of its database.
        """
        self.registry.register(_Standing(application, stored_bytes))

    def verifier(self, inner: Verifier) -> Verifier:
        """A verifier that works as another one does, and counts.

        Args:
            inner: does the work.
        """
        return _CountedVerifier(inner, self._signatures, self._signature_time)

    # The library finds a figure by its labels anew each time; where it is counted for every envelope, it is kept. There
    # are no more codes than refusals, and no more kinds than the engine has.

    @cache  # noqa: B019 - a process has one of these
    def _request_time(self, request: str) -> Callable[[float], None]:
        return self._requests.labels(request).observe

    @cache  # noqa: B019
    def _count_envelope(self, code: int, again: bool) -> Callable[[], None]:
        return self._envelopes.labels(code, "yes" if again else "no").inc

    # --- what the service tells ------------------------------------------------------------------------------------

    def answered(self, request: str, seconds: float, together: int = 1) -> None:
        """Count requests of the engine, and the seconds that each took."""
        observe = self._request_time(request)
        for _ in range(together):
            observe(seconds / together)

    def checked(self, code: int, *, again: bool) -> None:
        """Count an envelope that was looked at, by its code."""
        self._count_envelope(code, again)()

    def left_out(self, code: int) -> None:
        """Count a transaction that was left out of a proposal, by its code."""
        self._left_out.labels(code).inc()

    def refused(self, proposer: int) -> None:
        """Count a proposal that was refused, by its proposer."""
        self._proposals_refused.labels(proposer).inc()

    def committed(self, head: Head, proposer: int, codes: Iterable[int]) -> None:
        """Count a committed block by its proposer, and its transactions by what became of them."""
        self._blocks.labels(proposer).inc()
        for code in codes:
            self._transactions.labels(result_of(code)).inc()

    def snapshot_taken(self, height: int, seconds: float, size: int) -> None:
        """Keep the last snapshot's height, seconds and bytes, and count it."""
        self._snapshots.labels("taken").inc()
        self._snapshot_height.set(height)
        self._snapshot_time.set(seconds)
        self._snapshot_size.set(size)

    def snapshot_missed(self) -> None:
        """Count a snapshot that was due and not written."""
        self._snapshots.labels("missed").inc()


def result_of(code: int) -> str:
    """The label for a transaction's code: `applied`, or `refused 2xxx` for a refusal of module 2."""
    return f"refused {code // CODES_A_MODULE}xxx" if code else "applied"


def markdown() -> str:
    """The catalogue as a table, for the guide."""
    lines = ["| figure | kind | labels | meaning |", "|---|---|---|---|"]
    for each in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        lines.append(f"| `{each.name}` | {each.kind} | {labels} | {each.meaning} |")
    return "\n".join(lines) + "\n"


class _Standing:
    """Where the ledger stands (F-3)."""

    def __init__(self, application: Application, stored_bytes: Callable[[], int]) -> None:
        self._application = application
        self._stored_bytes = stored_bytes

    def describe(self) -> Iterator[Metric]:
        """What it tells, for the registry, which would ask the ledger otherwise."""
        return (_family(each) for each in (HEIGHT, LEDGER_TIME, VALIDATORS, POWER, STORE_SIZE))

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now."""
        head = self._application.info()
        yield _family(HEIGHT, head.height)
        try:
            told = [*self._of_state(head), _family(STORE_SIZE, self._stored_bytes())]
        except StoreError:
            return
        yield from told

    def _of_state(self, head: Head) -> Iterator[Metric]:
        if not head.height:  # nothing is written before the first block
            return
        with self._application.reading() as view:
            set_s = system.operator_clock_s(view)
        yield _family(LEDGER_TIME, head.time_s if set_s is None else set_s)
        validators = self._application.validators()
        yield _family(VALIDATORS, len(validators))
        power = _family(POWER)
        for each in validators:
            power.add_metric([str(each.participant)], each.power)
        yield power


class _CountedVerifier:
    def __init__(self, inner: Verifier, count: Counter, seconds: Counter) -> None:
        self._inner = inner
        self._count = count
        self._seconds = seconds

    def find_invalid(self, claims: Sequence[SignatureClaim]) -> int | None:
        """Index of the first claim that does not hold, or None when all hold."""
        began = perf_counter()
        found = self._inner.find_invalid(claims)
        self._seconds.inc(perf_counter() - began)
        self._count.inc(len(claims))
        return found


def _counter(figure: Figure, registry: CollectorRegistry) -> Counter:
    return Counter(figure.name, figure.meaning, figure.labels, registry=registry)


def _gauge(figure: Figure, registry: CollectorRegistry) -> Gauge:
    return Gauge(figure.name, figure.meaning, figure.labels, registry=registry)


def _family(figure: Figure, value: int | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(figure.name, figure.meaning, value=value, labels=figure.labels or None)
