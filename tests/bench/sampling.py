"""Where the time goes: a look at the running function many times a second, and parts that people recognise.

A timer of the system interrupts the main thread; a look falls on the innermost function of gridproof on the stack, and
through it on a part. While other threads check signatures the main thread waits for them: that time is the signatures'.
Looks disturb the work less than following every call would, which makes short functions seem dear.
"""

import signal
from collections import Counter
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

import gridproof

from .results import Profile

INTERVAL_S: Final = 0.001
KEPT_FUNCTIONS: Final = 12
PACKAGE: Final = str(Path(gridproof.__file__).parent)
ELSEWHERE: Final = "Python's start, imports and libraries"
CHECKING: Final = "signatures checked (libsecp256k1)"
PARTS: Final = {  # beginning of a function's name under the package -> part; the first that fits
    "primitives/schnorr: Signer": "signatures made (libsecp256k1)",
    "primitives/schnorr": CHECKING,
    "drivers/verifying": CHECKING,
    "state/verifier": CHECKING,
    "primitives/secp256k1": "public keys of identities (libsecp256k1)",
    "primitives/merkle": "Merkle trees: rosters, proofs, batch roots",
    "primitives/ggm": "key trees: leaves of the month's seeds",
    "primitives/bloom": "filter BF1",
    "primitives/encoding": "strict MessagePack: decoding and comparing",
    "primitives/hpke": "sealing (HPKE)",
    "primitives/sealing": "sealing secrets at rest",
    "primitives/cid": "content store and files, synced",
    "connectors/secret_files": "sealing secrets at rest",
    "domain/billing": "bills: the arithmetic",
    "domain": "scheme P: halves, masks, leaves and hashes of records",
    "state/smt": "the state's sparse Merkle tree",
    "state/store": "store: LMDB, durable commits",
    "state/admission": "envelopes, nonces, verdicts",
    "state/queries": "queries of the ledger",
    "state/transaction": "envelopes, nonces, verdicts",
    "state": "the Application: overlay, tables, results, events",
    "drivers": "the embedded driver: blocks, waiting transactions",
    "modules/aggregation/messages": "a batch's own check: bitmap, order, records' hashes",
    "modules": "the modules' rules",
    "actors/bill_provider/gathering": "bills: records turned from slots to households",
    "actors/bill_provider/making": "bills: lines and reports put together",
    "actors/bills/report": "bills: reports as JSON",
    "actors/bills/sealing": "bills: reports packed (zlib)",
    "actors/bill_provider": "bill provider",
    "actors/data_aggregator": "data aggregators",
    "actors/public_rosters": "data aggregators",
    "actors/meter": "meters",
    "actors/fleet": "meters",
    "actors/demo": "the demonstration: attackers, faults, its own count",
    "actors/demand": "the demonstration: attackers, faults, its own count",
    "actors": "other actors, conductor and clock",
    "connectors/content": "content store and files, synced",
    "connectors/files": "content store and files, synced",
    "connectors/ledger": "queries of the ledger",
    "connectors": "stores in SQLite, files and queues",
    "app": "the Application: overlay, tables, results, events",
    "cli": "command line",
}
TRANSPARENT: Final = ("primitives/hashing", "primitives/checks", "primitives/varint")  # part of what calls them


class Sampler:
    """Looks at the main thread while it is entered; may be entered many times."""

    def __init__(self) -> None:
        self._parts: Counter[str] = Counter()
        self._functions: Counter[str] = Counter()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(PACKAGE):
                name = f"{code.co_filename[len(PACKAGE) + 1 :].removesuffix('.py')}: {code.co_qualname}"
                if not name.startswith(TRANSPARENT):
                    self._parts[part_of(name)] += 1
                    self._functions[name] += 1
                    return
            frame = frame.f_back
        self._parts[ELSEWHERE] += 1
        self._functions[ELSEWHERE] += 1

    def profile(self, title: str) -> Profile:
        """What was seen so far."""
        return Profile(
            title=title,
            samples=self._parts.total(),
            parts=self._parts.most_common(),
            functions=self._functions.most_common(KEPT_FUNCTIONS),
        )


def part_of(name: str) -> str:
    """The part that a function belongs to.

    Args:
        name: its file under the package without its ending, `: `, and its own name.
    """
    return next((part for beginning, part in PARTS.items() if name.startswith(beginning)), name)
