"""Founding a community: its folder, keys, genesis document and ledger, all or nothing.

All is made in a folder of its own and put in place at the end (`staging`), the settings last: a folder without
`gridproof.toml` is no community.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gridproof.actors.randomness import Randomness
from gridproof.app import application
from gridproof.connectors.config import FILE_NAME, Region, Settings, render
from gridproof.connectors.files import make_private_folder, write_whole
from gridproof.connectors.secret_files import SecretFiles
from gridproof.drivers.embedded import EmbeddedLedger, Options
from gridproof.modules.registry.types import KeyRole, Role
from gridproof.state import SerialVerifier
from gridproof.state.store import MemoryStore

from .errors import (
    AmbiguousTimeError,
    FolderTakenError,
    MisalignedTimeError,
    NameReservedError,
    SkippedTimeError,
    TimeError,
)
from .folder import Folder
from .people import BILL_PROVIDER, CONTROL_CENTER, OPERATOR, equip
from .staging import holds, staged
from .times import Times, require_between_periods

_ID_BYTES: Final = 4
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MAX_SLUG: Final = 40
_MAX_SHOWN: Final = 3


class StartMisalignedError(TimeError):
    """No period starts at this time, for periods are cut in UTC; nothing was made. Start at `before` or at `after`."""

    given: str
    before: str
    after: str


class Network(NamedTuple):
    """What a genesis document says of the network that keeps the ledger.

    Attributes:
        sections: further sections of the document, by module.
        companies: further data aggregators, which have a node and take no records.
    """

    sections: Mapping[str, Any] = MappingProxyType({})
    companies: tuple[str, ...] = ()


ALONE: Final = Network()


class Founded(NamedTuple):
    """A community that was made.

    Attributes:
        root: its folder.
        chain_id: name of its ledger.
        start_s: ledger time at the start, UTC epoch seconds.
        app_hash: root of its first state, 32 bytes; of a network's, that which its nodes begin with.
        genesis: the file of its genesis document.
        recovery: the folder of recovery keys, to be moved elsewhere.
    """

    root: Path
    chain_id: str
    start_s: int
    app_hash: bytes
    genesis: Path
    recovery: Path


def found(
    root: Path,
    settings: Settings,
    start_s: int,
    secrets: SecretFiles,
    randomness: Randomness,
    tariff: bytes | None = None,
    *,
    network: Network = ALONE,
) -> Founded:
    """Make a community's folder; of a ledger that is a network, all but the ledger, which its nodes make.

    Args:
        root: not there yet, or empty.
        settings: valid ones.
        start_s: ledger time at the start, UTC epoch seconds, between two periods.
        secrets: seals what is secret, where there is a passphrase.
        randomness: where keys come from.
        tariff: what shall stand in the tariff's file, a valid one; none where energy has no prices.
        network: what the genesis document says of the network that keeps the ledger.

    Raises:
        FolderTakenError: the folder is not empty; nothing was made.
        NameReservedError: an aggregator is called like another participant; nothing was made.
        FolderUnmadeError: the disk or the folder above does not take it; nothing is left of it.
        GenesisError: the ledger refuses the settings; nothing was made.
    """
    for aggregator in settings.aggregators:
        if aggregator.name in (OPERATOR, BILL_PROVIDER, CONTROL_CENTER):
            raise NameReservedError(name=aggregator.name)
    root = root.absolute()
    _require_free(root)
    chain_id = f"{_slug(settings.community.name)}-{randomness(_ID_BYTES).hex()}"
    with staged(root, FILE_NAME) as staging:
        folder = Folder(staging, settings.paths)
        is_network = settings.ledger.kind == "network"
        for private in folder.private_folders:
            if private != folder.ledger or not is_network:
                make_private_folder(private)
        make_private_folder(folder.rosters)
        document = _genesis(folder, settings, chain_id, start_s, secrets, randomness, network.companies)
        document["modules"].update(network.sections)
        genesis = json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
        write_whole(folder.genesis, genesis)
        app_hash = _try_out(genesis) if is_network else _bear(folder, genesis, start_s)
        if tariff is not None:
            write_whole(folder.tariff, tariff)
        write_whole(folder.config, render(settings).encode())
    there = Folder(root, settings.paths)
    return Founded(root, chain_id, start_s, app_hash, there.genesis, there.recovery)


def _bear(folder: Folder, genesis: bytes, start_s: int) -> bytes:
    """Make the ledger, and give the root of its first state."""
    with EmbeddedLedger.at(folder.ledger, application, genesis, Options(SerialVerifier())) as ledger:
        ledger.make_block(start_s, empty=True)  # with it the ledger's first state lies on the disk
        return ledger.head.app_hash


def _try_out(genesis: bytes) -> bytes:
    """The root that a genesis document leads to, which is refused here as it would be at the nodes."""
    return application(MemoryStore(), SerialVerifier()).init_chain(genesis)


def parse_start(times: Times, given: str) -> int:
    """Read at what time a ledger shall start; a date alone is the midnight at its beginning.

    Args:
        times: of the community to be.
        given: as people write it.

    Returns:
        UTC epoch seconds, between two periods.

    Raises:
        StartMisalignedError: no period starts then; those beside it are named.
        TimeError: it is no time.
    """
    start_s = times.parse(given)
    if _DATE.fullmatch(given.strip()):
        with suppress(SkippedTimeError, AmbiguousTimeError):  # the day begins with its first period, then
            start_s = times.parse(f"{given.strip()}T00:00")
    try:
        return require_between_periods(times, given, start_s)
    except MisalignedTimeError as within:
        raise StartMisalignedError(given=given, before=within.before, after=within.after) from within


def region_parameters(settings: Settings, region: Region) -> dict[str, Any]:
    """A region as the ledger takes it: the fields of `AddRegion`."""
    windows, privacy = settings.windows, settings.privacy
    return {
        "region": region.number,
        "name": region.name,
        "period_s": settings.community.period_s,
        "window_s": windows.window_s,
        "window_blocks": windows.window_blocks,
        "opening_s": windows.opening_s,
        "claim_s": windows.claim_s,
        "retention_months": settings.ledger.retention_months,
        "k_min": privacy.k_min,
        "min_live_permille": privacy.min_live_permille,
    }


def _genesis(
    folder: Folder,
    settings: Settings,
    chain_id: str,
    start_s: int,
    secrets: SecretFiles,
    randomness: Randomness,
    companies: tuple[str, ...],
) -> dict[str, Any]:
    people = [(OPERATOR, Role.OPERATOR), (BILL_PROVIDER, Role.BILL_PROVIDER)]
    people += [(aggregator.name, Role.DATA_AGGREGATOR) for aggregator in settings.aggregators]
    people.append((CONTROL_CENTER, Role.CONTROL_CENTER))
    people += [(company, Role.DATA_AGGREGATOR) for company in companies]
    participants = []
    for name, role in people:
        public = equip(folder, secrets, name, randomness, receipts=role is Role.DATA_AGGREGATOR)
        keys = {KeyRole(entry.role).label: entry.key.hex() for entry in public}
        participants.append({"name": name, "roles": [role.label], "keys": keys})
    return {
        "chain_id": chain_id,
        "genesis_time_s": start_s,
        "clock": settings.ledger.clock,
        "zone": settings.community.zone,
        "currency": settings.community.currency,
        "modules": {
            "registry": {
                "participants": participants,
                "regions": [region_parameters(settings, region) for region in settings.regions],
            }
        },
    }


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:_MAX_SLUG].strip("-")
    return plain or "community"


def _require_free(root: Path) -> None:
    held = holds(root)
    if held:
        more = ", …" if len(held) > _MAX_SHOWN else ""
        raise FolderTakenError(folder=str(root), holds=", ".join(held[:_MAX_SHOWN]) + more)
