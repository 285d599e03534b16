"""`gridproof init`: found a community."""

import json
from getpass import getpass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from gridproof.actors.commands import command

from .console import Speaker
from .options import AsJson, PassphraseFile, on_terminal, split

if TYPE_CHECKING:
    from gridproof.actors.community import Founded, Times
    from gridproof.connectors.config import Settings
    from gridproof.connectors.secret_files import SecretFiles

MAX_COUNT: Final = 1_000  # regions, and aggregators: as in a file of settings
MAX_DIGITS: Final = 9
OF_SETTINGS: Final = ("name", "zone", "currency", "period_s", "regions", "aggregators", "clock")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may be there if it is empty.")],
    *,
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Name of the community.", show_default="the folder's")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of months and days, by its IANA name.")] = "Europe/Zurich",
    currency: Annotated[str, typer.Option(help="Currency by its ISO 4217 code.")] = "CHF",
    period_s: Annotated[int, typer.Option("--period-s", help="Length of a metering period in seconds.")] = 900,
    regions: Annotated[str, typer.Option(help="How many regions, up to 1000, or their names parted by commas.")] = "1",
    aggregators: Annotated[str, typer.Option(help="How many data aggregators, or their names.")] = "2",
    clock: Annotated[
        str,
        typer.Option(
            metavar="operator|block", help="What moves ledger time: imported readings, or the time of the day."
        ),
    ] = "operator",
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Ledger time at the start: nothing before it can be metered.",
            show_default="this month's first instant; with the block clock, now",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the settings from this gridproof.toml instead of the options above."),
    ] = None,
    tariff: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the tariff from this file.", show_default="one to start from"),
    ] = None,
    sealed: Annotated[bool, typer.Option("--sealed", help="Seal all secrets with a passphrase.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Found a community: its folder with settings, keys, genesis document and ledger.

    All or nothing. Afterwards enrol meters, import readings, and run.
    """
    from gridproof.actors.community import found
    from gridproof.actors.randomness import system
    from gridproof.connectors.config import load

    speaker = Speaker(as_json=as_json)
    if config is None:
        given = name or folder.absolute().name
        parted = counted("--regions", regions, "Region"), counted("--aggregators", aggregators, "aggregator")
        settings = settings_of(given, zone, currency, period_s, *parted, clock)
    else:
        _require_alone(context)
        settings = load(config)
        _require_embedded(settings)
    times = times_of(settings)
    start_s = start_of(settings, times, start)
    priced = tariff_of(tariff, settings)
    made = found(folder, settings, start_s, secrets_of(passphrase_file, sealed=sealed), system, priced)
    speaker.result(_told(made, settings, times), lambda words: _say(words, made, times, folder))


def counted(option: str, given: str, word: str) -> tuple[str, ...]:
    """Names, or so many numbered ones.

    Raises:
        BadParameter: it is a number of which there cannot be so many, or a name is empty or there twice.
    """
    text = given.strip()
    digits = text.lstrip("+-")
    is_number = digits.isdigit() and digits.isascii()
    if is_number and (text != digits or len(digits) > MAX_DIGITS or not 0 < int(digits) <= MAX_COUNT):
        wanted = f"a number from 1 to {MAX_COUNT}, or names parted by commas"
        raise typer.BadParameter(f"{option} takes {wanted}; not {text[:20]}")
    names = split(text, word)
    if "" in names:
        raise typer.BadParameter(f"{option} takes names parted by commas; number {names.index('') + 1} is empty")
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise typer.BadParameter(f"{option} names {twice[:60]} twice")
    return names


def _require_alone(context: typer.Context) -> None:
    """Return if no option was given that the file of settings answers.

    Raises:
        BadParameter: one was.
    """
    sources = {name: context.get_parameter_source(name) for name in OF_SETTINGS}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise typer.BadParameter(f"--config takes all settings from its file; leave out {options}, or write it there")


def _require_embedded(settings: "Settings") -> None:
    """Return if the ledger shall lie in the folder.

    Raises:
        BadParameter: it shall be a network, whose nodes must be made with it.
    """
    if settings.ledger.kind == "network":
        raise typer.BadParameter("a community whose ledger is a network is founded with `gridproof net init`")


def settings_of(
    name: str,
    zone: str,
    currency: str,
    period_s: int,
    regions: tuple[str, ...],
    aggregators: tuple[str, ...],
    clock: str,
) -> "Settings":
    """Settings from the command line, held to the same rules as a file's.

    Raises:
        OptionsInvalidError: they break one; all faults are named.
    """
    from gridproof.connectors.config import ConfigInvalidError, OptionsInvalidError, parse

    lines = ["[community]", f"name = {_toml(name)}", f"zone = {_toml(zone)}", f"currency = {_toml(currency)}"]
    lines.append(f"period_s = {period_s}")
    for number, region in enumerate(regions, 1):
        lines += ["[[regions]]", f"number = {number}", f"name = {_toml(region)}"]
    for aggregator in aggregators:
        lines += ["[[aggregators]]", f"name = {_toml(aggregator)}"]
    lines += ["[ledger]", f"clock = {_toml(clock)}"]
    try:
        return parse("\n".join(lines).encode())
    except ConfigInvalidError as wrong:
        raise OptionsInvalidError(faults=wrong.faults) from wrong


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def times_of(settings: "Settings") -> "Times":
    """How a community to be reads and writes times."""
    from gridproof.actors.community import Times
    from gridproof.calendar import Calendar

    return Times(Calendar(settings.community.zone, settings.community.period_s))


def start_of(settings: "Settings", times: "Times", given: str | None) -> int:
    """Ledger time at the start: as given, or by the clock that moves it."""
    from gridproof.actors.community.founding import parse_start

    now_s = int(time())
    if given is not None:
        return parse_start(times, given)
    if settings.ledger.clock == "block":
        return now_s - now_s % settings.community.period_s
    return times.calendar.bounds(times.calendar.month_of(now_s)).start_s


def tariff_of(path: Path | None, settings: "Settings") -> bytes:
    """The file of the tariff: a copy of the given one, once it is found good, or one to start from.

    Raises:
        TariffInvalidError: it has faults; all of them are named.
        FileError: it cannot be read.
    """
    from gridproof.connectors.tariff_file import default_tariff, parse_tariff, read_tariff

    if path is None:
        return default_tariff(settings.community.currency).encode()
    content = read_tariff(path)
    parse_tariff(content, str(path))
    return content


def secrets_of(passphrase_file: Path | None, *, sealed: bool) -> "SecretFiles":
    """Seals where a passphrase is given, as `--sealed` demands.

    Raises:
        NoPassphraseError: there is none where one is needed.
        PassphraseError: it cannot be taken from where it should be.
    """
    from gridproof.actors.community.errors import NoPassphraseError
    from gridproof.connectors.passphrase import read_passphrase
    from gridproof.connectors.secret_files import SecretFiles

    prompt = getpass if sealed and on_terminal() else None
    passphrase = read_passphrase(file=passphrase_file, prompt=prompt, confirm=True)
    if sealed and passphrase is None:
        raise NoPassphraseError
    return SecretFiles(passphrase)


def _told(made: "Founded", settings: "Settings", times: "Times") -> dict[str, object]:
    return {
        "folder": made.root,
        "chain_id": made.chain_id,
        "start": times.label(made.start_s),
        "app_hash": made.app_hash,
        "recovery_keys": made.recovery,
        "regions": [{"number": region.number, "name": region.name} for region in settings.regions],
        "aggregators": [aggregator.name for aggregator in settings.aggregators],
    }


def _say(words: Console, made: "Founded", times: "Times", folder: Path) -> None:
    place = escape(str(made.root))
    words.print(f"Founded [bold]{made.chain_id}[/] in {place}; ledger time is {times.label(made.start_s)}.")
    words.print(f"Move the recovery keys to a safe place, offline: {made.recovery}", markup=False)
    words.print(f"Next: {command('meter', 'enrol', 'NAME...', '-C', folder)}", markup=False)
