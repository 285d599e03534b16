"""Replays a history file on both stores and prints what it led to; run in processes of different surroundings."""

import sys
from pathlib import Path

from gridproof.drivers.history import HistoryFile
from gridproof.drivers.verification import replay
from gridproof.state.store import LmdbStore, MemoryStore

from tests.tiny.app import tiny


def main(file: str, folder: str) -> None:
    """Print one line a store: app hash, number of falsehoods."""
    for store in (MemoryStore(), LmdbStore(str(Path(folder) / "store"))):
        report = replay(HistoryFile(file), tiny, into=store)
        print(report.app_hash.hex(), len(report.falsehoods))  # noqa: T201
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
