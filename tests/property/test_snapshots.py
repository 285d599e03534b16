"""Whatever a ledger went through, who joins by its snapshot has the same tables and goes on to the same hashes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.drivers.pruning import prune
from gridproof.drivers.snapshots import SnapshotFolder
from gridproof.drivers.verification import verify_store
from gridproof.state.store import MemoryStore

from tests.tiny.app import tiny
from tests.unit.drivers.scenes import in_memory, post, signed
from tests.unit.drivers.snapshots.joining import CARRIED, chunks_of, entries, take_in

NAMES = ["operator", "household-1"]
TRANSACTIONS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.text("ab", min_size=1, max_size=80), st.integers(0, 4)), max_size=4
)
BLOCKS = st.lists(TRANSACTIONS, min_size=1, max_size=6)


@settings(max_examples=40)
@given(before=BLOCKS, after=BLOCKS, chunk_bytes=st.integers(1, 400), retain_height=st.integers(0, 8))
def test_a_joined_ledger_is_the_ledger(
    before: list[list[tuple[str, str, int]]],
    after: list[list[tuple[str, str, int]]],
    chunk_bytes: int,
    retain_height: int,
) -> None:
    nonces = dict.fromkeys(NAMES, 0)

    def signed_block(block: list[tuple[str, str, int]]) -> list[bytes]:
        made = []
        for name, text, region in block:
            made.append(signed(name, post(text, region), nonce=nonces[name]))
            nonces[name] += 1
        return made

    with in_memory() as ledger, TemporaryDirectory() as folder:
        for block in before:
            for raw in signed_block(block):
                ledger.submit(raw)
            ledger.make_block(empty=True)
        kept = SnapshotFolder(Path(folder) / "snapshots", chunk_bytes=chunk_bytes)
        snapshot = kept.take(ledger.store)
        store = MemoryStore()
        take_in(store, snapshot, chunks_of(kept, snapshot))
        for table in CARRIED:
            assert entries(store, table) == entries(ledger.store, table)
        prune(ledger.store, retain_height, kept.list())
        with in_memory(store=store) as joined:
            for block in after:
                for raw in signed_block(block):
                    ledger.submit(raw)
                    joined.submit(raw)
                ledger.make_block(empty=True)
                joined.make_block(empty=True)
                assert joined.head == ledger.head
            for each in (ledger, joined):
                assert verify_store(each.store, tiny, snapshots=kept).falsehoods == ()
