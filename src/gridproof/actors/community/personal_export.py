"""A household's personal data as files: what the community's folder holds about it, for programs and for people.

| file | content |
|---|---|
| `household.json` | everything, by kind |
| `index.txt` | what there is, in a few lines |
| `bills/<month>-v<n>.json` | each bill that opens with the household's file here, as it was sealed |
| `bills/<month>-v<n>.sealed` | each that does not: it opens with the household's own copy of its file |
| `<name>.<handle>.household` | the household's file of its enrolment, sealed if it is so here |

The meter's own file is not among them: it holds the meter's sign secret, which is no household's.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from gridproof.actors.bill_provider import BillProvider, Stores
from gridproof.actors.bills.reading import open_reasons, open_sealed
from gridproof.actors.bills.report import encode_report
from gridproof.actors.bills.words import card_path, read_card
from gridproof.actors.crew import REGISTERS
from gridproof.actors.enrolment import HouseholdFile, read_household
from gridproof.connectors.bill_book import BillNote
from gridproof.connectors.files import (
    PRIVATE_FILE,
    FileExistsAlreadyError,
    FileUnwritableError,
    make_private_folder,
    read_private,
    sync_folder,
    temporary_beside,
    write_whole,
)
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.registers import Registers
from gridproof.domain import Direction, MonthId, month_label, reasons_info, seal_secret
from gridproof.errors import GridproofError
from gridproof.modules.billing import queries as billing
from gridproof.modules.registry import queries as registry

from .community import Community
from .handed import handle_in_file
from .people import BILL_PROVIDER
from .personal import REMAINS, Owned, owned_by

FORMAT: Final = "gridproof-household"
VERSION: Final = 1
_MAX_FILE: Final = 16 * 2**20


class ExportedHousehold(NamedTuple):
    """A household's data that was written.

    Attributes:
        path: the folder.
        counts: how many things of each kind.
        lacks: what could not be had, a sentence each.
    """

    path: Path
    counts: dict[str, int]
    lacks: tuple[str, ...]


def export_household(
    community: Community, client: LedgerClient, name: str, path: Path, handle: str | None = None
) -> ExportedHousehold:
    """Write what the folder holds about a household, all or nothing.

    Args:
        community: whose.
        client: the way to the ledger.
        name: the meter's name.
        path: the folder to make.
        handle: how the meter's handle begins, where the name has had several.

    Raises:
        NoSuchMeterError, NoSuchHandleError: there never was such a meter.
        FileExistsAlreadyError: the folder is there already; it was left as it is.
        FileError, SecretFileError, DatabaseError: a file cannot be read or written.
    """
    if path.exists():
        raise FileExistsAlreadyError(path=str(path))
    with ExitStack() as stack:
        gathering = _Gathering(community, client, stack, owned_by(community, name, handle))
        told = {"format": FORMAT, "version": VERSION, **gathering.all(name)}
    counts = {kind: len(found) for kind, found in told.items() if isinstance(found, list)}
    files = {
        "household.json": json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n",
        "index.txt": _index(told, counts, gathering.lacks).encode(),
        **gathering.files,
    }
    _write(path, files)
    return ExportedHousehold(path, counts, tuple(gathering.lacks))


class _Gathering:
    """Gathers what there is.

    Args:
        community: whose.
        client: the way to the ledger.
        stack: lets go of what was opened.
        meant: the meters.
    """

    def __init__(self, community: Community, client: LedgerClient, stack: ExitStack, meant: Sequence[Owned]) -> None:
        self._community = community
        self._client = client
        self._meant = meant
        self._stores: Stores = community.stores()
        for store in self._stores:
            stack.enter_context(closing(store))
        self._provider: BillProvider = stack.enter_context(closing(community.bill_provider(client)))
        self._readings = stack.enter_context(closing(community.readings()))
        self._registers = stack.enter_context(closing(Registers(community.folder.meters.with_name(REGISTERS))))
        self._outbox = stack.enter_context(closing(Outbox(community.folder.meters)))
        self._opening = list(community.keys(client, BILL_PROVIDER).opening_secrets())
        self._files = dict(self._household_files())
        self.files: dict[str, bytes] = {}
        self.lacks: list[str] = []

    def all(self, name: str) -> dict[str, Any]:
        """Everything, by kind."""
        status = self._client.status()
        for path, _ in self._files.values():
            self.files[path.name] = read_private(path, _MAX_FILE)
        return {
            "community": self._community.settings.community.name,
            "chain_id": status.chain_id,
            "ledger_time": self._community.times.label(status.ledger_time_s),
            "name": name,
            "meters": [self._meter(each) for each in self._meant],
            "readings": [told for each in self._meant for told in self._readings_of(each)],
            "registers": [told for each in self._meant for told in self._registers_of(each)],
            "signed_registers": [told for each in self._meant for told in self._signed_of(each)],
            "records": [told for each in self._meant for told in self._records_of(each)],
            "cards": [told for each in self._meant for told in self._cards_of(each)],
            "bills": [
                self._bill(note) for each in self._meant for note in self._provider.bills.of_meter(each.row.handle)
            ],
            "objections": [told for each in self._meant for told in self._objections_of(each)],
        }

    def _household_files(self) -> Iterator[tuple[bytes, tuple[Path, HouseholdFile]]]:
        for each in self._meant:
            handle = each.row.handle
            for path in sorted(self._community.folder.enrolments.glob(f"*.{handle_in_file(handle)}.household")):
                yield handle, (path, read_household(self._community.secrets, path))

    # --- kinds -------------------------------------------------------------------------------------------------------

    def _meter(self, each: Owned) -> dict[str, Any]:
        row, label, period_s = each.row, self._community.times.label, self._community.period_s
        known = self._client.ask(registry.meter, row.handle)
        on_ledger = None if known is None else {"from_k": known.from_k, "until_k": known.until_k}
        return {
            "handle": row.handle.hex(),
            "region": row.region,
            "channels": [channel.label for channel in row.channels],
            "from": label(row.from_k * period_s),
            "until": label(row.until_k * period_s) if row.until_k else None,
            "on_ledger": on_ledger,
        }

    def _readings_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        for channel in Direction:
            for reading in self._readings.of_meter(each.row.name, channel, each.start_s, each.end_s):
                start = self._community.times.label(reading.start_s)
                yield {"channel": channel.label, "start": start, "energy_wh": reading.energy_wh}

    def _registers_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        for register in self._registers.of_meter(each.row.name, each.start_s, each.end_s - 1):
            at = self._community.times.label(register.at_s)
            yield {"channel": register.channel.label, "at": at, "register_wh": register.register_wh}

    def _signed_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        for signed in self._registers.signed_by(each.row.handle):
            channel, *values = signed.span
            named = dict(zip(("start_k", "end_k", "start_wh", "end_wh"), values, strict=True))
            month, signature = month_label(MonthId(signed.month)), signed.signature.hex()
            yield {"month": month, "channel": Direction(channel).label, **named, "signature": signature}

    def _records_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        for entry in self._outbox.of_meter(each.row.handle):
            yield {
                "channel": entry.slot.channel.label,
                "k": entry.slot.k,
                "half": int(entry.half),
                "prid": entry.record.prid.hex(),
                "rc": str(entry.record.rc),
                "signature": entry.record.signature.hex(),
                "receipt": entry.receipt.hex() if entry.receipt else None,
            }

    def _cards_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        folder = card_path(self._community.folder.cards, each.row.handle, 0).parent
        for path in sorted(folder.glob("*.card")):
            card = read_card(self._community.secrets, path, int(path.stem))
            parts = [
                {
                    "channel": Direction(part.channel).label,
                    "first_k": part.first_k,
                    "periods": part.periods,
                    "root": part.root.hex(),
                    "register_key": part.register_key.hex(),
                }
                for part in card.parts
            ]
            month, key, signature = month_label(MonthId(card.month)), card.key.hex(), card.signature.hex()
            yield {"month": month, "bid": card.bid.hex(), "parts": parts, "key": key, "signature": signature}

    def _bill(self, note: BillNote) -> dict[str, Any]:
        month, shown = month_label(MonthId(note.month)), ("bid", "digest", "meter")
        known = self._client.ask(billing.bill, note.region, note.month, note.bid, note.version)
        told = {name: value for name, value in note._asdict().items() if name not in shown}
        registered = None if known is None else {"cid": known.cid, "digest": known.digest.hex()}
        held = {name: getattr(note, name).hex() for name in shown}
        return {**told, **held, "month": month, "file": self._report(note, month), "on_ledger": registered}

    def _report(self, note: BillNote, month: str) -> str | None:
        """Where the export has a bill: opened where it opens, else sealed."""
        stem, file = f"bills/{month}-v{note.version}", self._files.get(note.meter)
        try:
            sealed = self._stores.archive.get(note.cid)
        except GridproofError as missing:
            self.lacks.append(f"the bill of {month}, version {note.version}: {missing}")
            return None
        try:
            if file is not None:
                opened = encode_report(open_sealed(sealed, file[1], MonthId(note.month), note.version))
                self.files[f"{stem}.json"] = opened
                return f"{stem}.json"
            reason = "the household's file is not here"
        except GridproofError as closed:
            reason = str(closed)
        self.lacks.append(f"the bill of {month}, version {note.version}, is sealed as it was: {reason}")
        self.files[f"{stem}.sealed"] = sealed
        return f"{stem}.sealed"

    def _objections_of(self, each: Owned) -> Iterator[dict[str, Any]]:
        notes = self._provider.bills.of_meter(each.row.handle)
        for region, month, bid in dict.fromkeys((note.region, note.month, note.bid) for note in notes):
            for number, raised in self._client.ask(billing.objections, region, month, bid):
                place = (region, MonthId(month), bid, number)
                answer = None
                if raised.answer is not None:
                    words = self._words(raised.answer.cid, self._own_secrets(each, month), place, answer=True)
                    answer = {"upheld": raised.answer.upheld, "reasons": words}
                yield {
                    "month": month_label(MonthId(month)),
                    "number": number,
                    "version": raised.version,
                    "reasons": self._words(raised.cid, self._opening, place, answer=False),
                    "answer": answer,
                }

    def _own_secrets(self, each: Owned, month: int) -> list[bytes]:
        file = self._files.get(each.row.handle)
        return [] if file is None or month < file[1].month else [seal_secret(file[1].identity_view(month))]

    def _words(
        self, cid: str, secrets: list[bytes], place: tuple[int, MonthId, bytes, int], *, answer: bool
    ) -> str | None:
        region, month, bid, number = place
        info = reasons_info(self._client.status().chain_id, region, month, bid, number, answer=answer)
        try:
            return open_reasons(self._stores.public.get(cid), secrets, info)
        except GridproofError as closed:
            what = "the answer to objection" if answer else "the reasons of objection"
            self.lacks.append(f"{what} {number} of {month_label(month)}: {closed}")
            return None


def _index(told: dict[str, Any], counts: dict[str, int], lacks: Sequence[str]) -> str:
    lines = [
        f"What the community {told['community']} holds about the household of meter {told['name']}.",
        f"Ledger {told['chain_id']}, at {told['ledger_time']}. All of it, for programs: household.json.",
        "",
        *(f"{kind.replace('_', ' '):<18} {count}" for kind, count in counts.items()),
        "",
        "Bills lie in the folder bills. The file that ends with .household is the household's own secret: it opens its",
        "bills and shows its masks. Keep it where nobody else reads it.",
    ]
    if lacks:
        lines += ["", "Not to be had:", *(f"- {each}" for each in lacks)]
    lines += ["", "What cannot be deleted here:", *(f"- {each}" for each in REMAINS)]
    return "\n".join(lines) + "\n"


def _write(path: Path, files: dict[str, bytes]) -> None:
    """Write files into a folder that appears whole, for its owner only."""
    staging = temporary_beside(path.absolute())
    try:
        for name, content in files.items():
            make_private_folder((staging / name).parent)
            write_whole(staging / name, content, PRIVATE_FILE)
        staging.rename(path)
        sync_folder(path.absolute().parent)
    except OSError as failure:
        raise FileUnwritableError(path=str(path), detail=failure.strerror or str(failure)) from failure
    finally:
        _clear(staging)


def _clear(staging: Path) -> None:
    """Take away what an error left of a folder in the making."""
    for each in sorted(staging.rglob("*"), reverse=True):
        if each.is_dir():
            each.rmdir()
        else:
            each.unlink()
    if staging.exists():
        staging.rmdir()
