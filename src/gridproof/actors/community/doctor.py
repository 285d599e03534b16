"""What is wrong with a community's folder: each finding in a line with what to do.

Looked at, in this order: settings; rights of folders and files; room on the disk; lock and node; the database's pages,
or a network's nodes; tariffs; the ledger against genesis document, settings, machine and roster files; secrets;
enrolments; readings; versions.
What cannot be looked at because something before it is wrong is left out.
"""

import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import Enum
from functools import partial
from pathlib import Path
from time import time
from typing import Final, NamedTuple, TypeVar

from gridproof import __version__
from gridproof.actors.randomness import system
from gridproof.connectors.config import check, load
from gridproof.connectors.ledger import LedgerClient
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.tariff_file import check_tariff
from gridproof.domain import Direction
from gridproof.drivers.embedded import FolderLock
from gridproof.drivers.errors import LedgerLockedError
from gridproof.errors import GridproofError
from gridproof.modules.aggregation import queries as aggregation
from gridproof.modules.registry import queries as registry
from gridproof.primitives import merkle
from gridproof.state import system as chain
from gridproof.state.store import find_damage

from .access import network_of, reached, require_ledger
from .agreement import CHANGING, differences
from .community import Community, Passphrase
from .folder import Folder
from .founding import region_parameters
from .handed import flaws
from .key_states import Held, KeyState, key_states
from .periods import months_of

LITTLE_ROOM: Final = 200 * 2**20
FEW_BLOCKS: Final = 5  # by which a node may be behind while it is asked
NO_ROOM: Final = 20 * 2**20
CLOCK_SLACK_S: Final = 120
_OTHERS: Final = 0o077
_SILENT: Final = (
    "no node of the network can be asked, so secrets and enrolments were not held against it. Start nodes, or correct "
    "`ledger.nodes`."
)


Looked = TypeVar("Looked")


class Severity(Enum):
    """How bad a finding is."""

    GOOD = "ok"
    HINT = "hint"
    WRONG = "wrong"


class Finding(NamedTuple):
    """What was found.

    Attributes:
        severity: how bad it is.
        subject: what it is about.
        sentence: what it is, and what to do.
    """

    severity: Severity
    subject: str
    sentence: str


def examine(root: Path, passphrase: Passphrase) -> list[Finding]:
    """Examine a community's folder.

    Args:
        root: the folder.
        passphrase: finds the passphrase of its secrets.
    """
    findings = list(_settings(root))
    if any(finding.severity is Severity.WRONG for finding in findings):
        return findings
    folder = Folder(root, load(Folder(root).config).paths)
    is_network = load(folder.config).ledger.kind == "network"
    for look in (_rights, _room, _nodes if is_network else _database):
        findings += _guarded(look.__name__.strip("_"), look, folder)
    community = Community(root, passphrase, system)
    is_silent = any(each.severity is Severity.WRONG and each.subject in ("nodes", "ledger") for each in findings)
    for inspect in (_tariff, _readings) if is_silent else (_tariff, _ledger, _secrets, _enrolments, _readings):
        findings += _guarded(inspect.__name__.strip("_"), inspect, community)
    findings.append(_good("versions", f"gridproof {__version__}, Python {platform.python_version()}"))
    return findings


def _guarded(subject: str, look: Callable[[Looked], Iterator[Finding]], at: Looked) -> Iterator[Finding]:
    """What a look finds; an error that ends it is a finding too."""
    try:
        yield from look(at)
    except GridproofError as wrong:
        yield _wrong(subject, str(wrong))
    except OSError as wrong:
        yield _wrong(subject, f"{wrong.filename or ''}: {wrong.strerror or wrong}. See to the cause.")


def _settings(root: Path) -> Iterator[Finding]:
    config = Folder(root).config
    try:
        faults = check(config)
    except GridproofError as wrong:
        yield _wrong("settings", str(wrong))
        return
    yield from (_wrong("settings", f"{fault}. Correct {config.name}.") for fault in faults)
    if not faults:
        yield _good("settings", f"{config} is good")


def _rights(folder: Folder) -> Iterator[Finding]:
    bad = False
    is_network = load(folder.config).ledger.kind == "network"
    for path in folder.private_folders:
        if path == folder.ledger and is_network:
            continue
        if not path.is_dir():
            bad = True
            yield _wrong("folders", f"{path} is missing. Restore it, or make it with mode 0700 if it was empty.")
        elif path.stat().st_mode & _OTHERS:
            bad = True
            yield _wrong("folders", f"others may enter {path}. Run `chmod 700` on it; think who read what is in it.")
    for path in folder.private_files:
        mode = path.stat().st_mode
        if mode & _OTHERS:
            bad = True
            yield _wrong(
                "files", f"others may open {path} ({stat.S_IMODE(mode):04o}). Run `chmod 600`; think who read it."
            )
    if not bad:
        yield _good("rights", "folders and private files are their owner's alone")
    if any(folder.recovery.glob("*.key")):
        yield _hint("recovery keys", f"they lie beside the keys that they replace. Move {folder.recovery}/* offline.")


def _room(folder: Folder) -> Iterator[Finding]:
    free = shutil.disk_usage(folder.root).free
    told = f"{free // 2**20:,} MiB free"
    if free < NO_ROOM:
        yield _wrong("disk", f"{told}. Make room, or nothing can be written.")
    elif free < LITTLE_ROOM:
        yield _hint("disk", f"{told}. Make room soon.")
    else:
        yield _good("disk", told)


def _database(folder: Folder) -> Iterator[Finding]:
    """Walk the database's pages, when nobody writes to it."""
    require_ledger(folder)
    try:
        lock = FolderLock(folder.ledger)
    except LedgerLockedError as held:
        yield _good("database", f"in use by {held.held_by}; its pages can be looked at when it is not running")
        return
    try:
        damage = find_damage(str(folder.database))
    finally:
        lock.release()
    if damage:
        yield _wrong("database", f"{damage[0]}. Restore the ledger with `gridproof restore`.")
    else:
        yield _good("database", "all pages are sound; `gridproof verify ledger` checks what they say")


def _nodes(folder: Folder) -> Iterator[Finding]:
    """Ask each node of the network where it stands."""
    network = network_of(folder)
    if network is None:
        return
    with closing(network):
        views = network.survey()
    last = max((view.height for view in views if view.height is not None), default=0)
    for view in views:
        if view.height is None:
            yield _hint("node", f"{view.url} cannot be used: {view.detail}. Look at it, or correct `ledger.nodes`.")
        elif view.height < last - FEW_BLOCKS:
            yield _hint("node", f"{view.url} is at height {view.height}, others at {last}. See whether it goes on.")
        else:
            yield _good("node", f"{view.url} is at height {view.height}")
    if all(view.height is None for view in views):
        yield _wrong("ledger", _SILENT)


def _tariff(community: Community) -> Iterator[Finding]:
    """What months are opened with; without a file they have no prices."""
    paths = dict.fromkeys(community.folder.tariff_of(region.number) for region in community.settings.regions)
    for path in paths:
        if not path.exists():
            yield _hint("tariff", f"{path} is not there, so months are opened without prices. Write it to have bills.")
            continue
        faults = check_tariff(path)
        yield from (_wrong("tariff", f"{fault}. Correct {path.name}.") for fault in faults)
        if not faults:
            yield _good("tariff", f"{path} is good")


def _ledger(community: Community) -> Iterator[Finding]:
    with reached(community.folder) as ledger:
        client, status = ledger.client, ledger.client.status()
        yield _good("ledger", f"height {status.height}, chain {status.chain_id}")
        yield from _clock(client, status.ledger_time_s)
        yield from _guarded("genesis", partial(_differences, client=client), community)
        yield from _rosters(community.folder.rosters, client)


def _clock(client: LedgerClient, ledger_time_s: int) -> Iterator[Finding]:
    if client.ask(chain.operator_clock_s) is not None:
        return
    ahead_s = ledger_time_s - int(time())
    if ahead_s > CLOCK_SLACK_S:
        yield _wrong("clock", f"the machine's clock is {ahead_s} s behind the ledger's last block. Set it right.")
    else:
        yield _good("clock", "the machine's clock agrees with the ledger")


def _differences(community: Community, client: LedgerClient) -> Iterator[Finding]:
    """What the settings say otherwise than the ledger."""
    settings = community.settings
    if not community.folder.genesis.exists():
        yield _wrong("genesis", f"{community.folder.genesis} is missing. Bring it back from where you keep copies.")
    yield from (_wrong("settings", f"{fault}.") for fault in differences(community.folder, settings, client))
    known_names = {participant.name for _, participant in client.ask(registry.participants)}
    for aggregator in settings.aggregators:
        if aggregator.name not in known_names:
            yield _hint(
                "settings", f"data aggregator {aggregator.name!r} joins the ledger at the next `gridproof run`."
            )
    for region in settings.regions:
        known = client.ask(registry.region, region.number)
        if known is None:
            yield _hint("settings", f"region {region.number} joins the ledger at the next `gridproof run`.")
            continue
        wanted = region_parameters(settings, region)
        for name in CHANGING:
            kept, value = getattr(known, name), wanted[name]
            if value != kept:
                yield _hint(
                    "settings", f"region {region.number}: {name} changes from {kept} to {value} with a later month."
                )


def _rosters(folder: Path, client: LedgerClient) -> Iterator[Finding]:
    """Hold the public roster files of open months against the ledger."""
    files, looked = RosterFiles(folder), 0
    for number, _ in client.ask(registry.regions):
        for view in months_of(client, number):
            for channel in Direction if not view.closed else ():
                for at, epoch in enumerate(client.ask(aggregation.epochs, number, channel, view.bounds.month), 1):
                    looked += 1
                    where = f"rosters of region {number} {channel.label}, month {view.bounds.month}, epoch {at}"
                    try:
                        opened = files.open(number, channel, view.bounds.month, at)
                        roots = opened.roots()
                        bound = merkle.root([roots[i : i + 32] for i in range(0, len(roots), 32)])
                        agree = bound == epoch.rosters_root
                        agree &= files.filter(number, channel, view.bounds.month, at).digest() == epoch.filter_hash
                    except GridproofError as wrong:
                        yield _wrong("rosters", f"{where}: {wrong}")
                        continue
                    if not agree:
                        yield _wrong("rosters", f"{where}: the file is not what the ledger binds. Fetch it again.")
    if looked:
        yield _good("rosters", f"{looked} epochs looked at")


def _secrets(community: Community) -> Iterator[Finding]:
    if community.is_sealed and not community.secrets.seals:
        yield _hint("secrets", "they are sealed; give the passphrase in GRIDPROOF_PASSPHRASE to have them looked at.")
        return
    names = _who_has_keys(community)
    findings = [finding for state in _states(community) if state.name in names for finding in _of_keys(state)]
    yield from findings
    meters = community.meters()
    if not any(finding.severity is Severity.WRONG for finding in findings):
        told = f"keys of {len(names)} participants and the book of {len(meters)} meters are readable"
        yield _good("secrets", f"{told}, {'sealed' if community.is_sealed else 'not sealed with a passphrase'}")


def _of_keys(state: KeyState) -> Iterator[Finding]:
    """What there is to say of a participant's keys."""
    if state.advice:
        stops = state.taken is None and state.file is not Held.GOOD
        sentence = state.advice if state.file is Held.UNREADABLE else f"{state.advice}."
        yield (_wrong if stops else _hint)("secrets", f"keys of {state.name}: {sentence}")
    if state.recovery is Held.DIFFERS:
        yield _wrong(
            "secrets",
            f"recovery key of {state.name}: the ledger names another than the one here. "
            "Bring the right one back, and keep it offline.",
        )
    elif state.recovery is Held.UNREADABLE:
        yield _wrong("secrets", f"recovery key of {state.name}: its file cannot be read. Bring it back from a copy.")


def _states(community: Community) -> list[KeyState]:
    with reached(community.folder) as ledger:
        return key_states(community, ledger.client)


def _enrolments(community: Community) -> Iterator[Finding]:
    if community.is_sealed and not community.secrets.seals:
        return
    with reached(community.folder) as ledger:
        now_s = ledger.client.status().ledger_time_s
    found = list(flaws(community, now_s))
    for flaw in found:
        yield (_wrong if flaw.stops else _hint)("enrolments", flaw.sentence)
    if not found:
        yield _good("enrolments", "each enrolled meter's files are there and its own")


def _who_has_keys(community: Community) -> list[str]:
    """The participants whose keys should lie here: those of the settings that have joined the ledger."""
    with reached(community.folder) as ledger:
        joined = {participant.name for _, participant in ledger.client.ask(registry.participants)}
    return [name for name in community.participants if name in joined]


def _readings(community: Community) -> Iterator[Finding]:
    with closing(community.readings()) as readings:
        spans = readings.meters()
    yield _good("readings", f"{sum(span.readings for span in spans):,} of {len({span.meter for span in spans})} meters")


def _good(subject: str, sentence: str) -> Finding:
    return Finding(Severity.GOOD, subject, sentence)


def _hint(subject: str, sentence: str) -> Finding:
    return Finding(Severity.HINT, subject, sentence)


def _wrong(subject: str, sentence: str) -> Finding:
    return Finding(Severity.WRONG, subject, sentence)
