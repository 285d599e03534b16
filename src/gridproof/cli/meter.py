"""`gridproof meter`: meters that come, go and are swapped. Needs the bill provider's secrets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from .console import Speaker, table
from .options import HERE, AsJson, Dir, PassphraseFile, open_community

if TYPE_CHECKING:
    from gridproof.actors.bill_provider import Issued
    from gridproof.actors.community import Community, MeterRow

app = typer.Typer(help="Meters: enrol, revoke, swap, list.", no_args_is_help=True)

From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Since when.", show_default="as early as it can be")
]


@app.command()
def enrol(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Names of the meters.")] = None,
    *,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list", metavar="FILE", help="More of them: a name a line, CSV (meter,region,channels), or readings."
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="Where they stand, by number or name.")
    ] = None,
    channels: Annotated[
        str, typer.Option(help="What they report: import, export, or both parted by a comma.")
    ] = "import",
    start: From = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Enrol meters: a file for each meter, one for its household, and word to the ledger. All or none."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.enrolling import Enrolling, Wanted, parse_channels, read_list, require_meter_name

    community = open_community(folder, passphrase_file)
    reported = parse_channels(channels)
    wanted = [Wanted(name, None, reported) for name in names or ()]
    for each in wanted:
        require_meter_name(each.name)
    wanted += read_list(community, listed, reported) if listed else []
    if region is not None:
        number = community.region(region).number
        wanted = [each._replace(region=each.region or number) for each in wanted]
    with at_work(community.folder), reached(community.folder) as ledger:
        issued = Enrolling(community, ledger.client).enrol(wanted, start)
    _say_issued(community, issued, as_json=as_json)


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The meter.")],
    *,
    start: From = None,
    moved_out: Annotated[
        bool, typer.Option("--moved-out", help="Tell nobody which leaves were the meter's: its household moved out.")
    ] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """End a meter's enrolment; what is left of its place is published, so that its records are refused at once."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.enrolling import Enrolling

    community = open_community(folder, passphrase_file)
    with at_work(community.folder), reached(community.folder) as ledger:
        until_k = Enrolling(community, ledger.client).revoke(name, start, moved_out=moved_out)
    until = community.times.label(until_k * community.period_s)
    Speaker(as_json=as_json).result(
        {"name": name, "until": until},
        lambda words: words.print(f"{name} is enrolled until {until}.", markup=False),
    )


@app.command()
def swap(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The meter that goes.")],
    new: Annotated[
        str | None, typer.Argument(metavar="[NEW]", help="The one that comes.", show_default="the same name")
    ] = None,
    *,
    start: From = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a meter in another's stead, with keys of its own: a new device, or a new household without a gap."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.enrolling import Enrolling, require_meter_name

    community = open_community(folder, passphrase_file)
    require_meter_name(old if new is None else new)
    with at_work(community.folder), reached(community.folder) as ledger:
        issued = Enrolling(community, ledger.client).swap(old, new, start)
    _say_issued(community, [issued], as_json=as_json)


@app.command()
def reissue(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The meter.")],
    *,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write an enrolled meter's files again: they were lost, or an enrolment was cut short."""
    from gridproof.actors.community.access import at_work, reached
    from gridproof.actors.community.enrolling import Enrolling

    community = open_community(folder, passphrase_file)
    with at_work(community.folder), reached(community.folder) as ledger:
        issued = Enrolling(community, ledger.client).reissue(name)
    _say_issued(community, [issued], as_json=as_json)


@app.command("list")
def list_meters(folder: Dir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> None:
    """List all meters, those whose time is over too, and how many readings there are of each.

    An enrolment or an end that the ledger does not know yet is told as such.
    """
    community = open_community(folder, passphrase_file)
    rows = community.meters()
    counts = _readings_of(community)
    waiting, silent = _under_way(community, rows)
    told = [
        {**_told(community, row, counts.get(row.name, 0)), "on_ledger": None if silent else row.handle not in waiting}
        for row in rows
    ]

    def tell(words: Console) -> None:
        shown = table("meter", "region", "channels", "from", "until", "#readings")
        short, period_s = community.times.short, community.period_s
        for row in rows:
            channels = "+".join(channel.label for channel in row.channels)
            until = short(row.until_k * period_s) if row.until_k else ""
            since, count = short(row.from_k * period_s), counts.get(row.name, 0)
            shown.add_row(escape(row.name), str(row.region), channels, since, until, f"{count:,}")
        words.print(shown)
        words.print(f"{len(told)} meters")
        for row in rows:
            if row.handle in waiting:
                what = "end" if row.until_k else "enrolment"
                words.print(f"The ledger does not know the {what} of {row.name} yet.", markup=False)
        if waiting:
            words.print("`gridproof run` tells it, and so does whatever enrols, revokes, swaps or reissues a meter.")
        if silent:
            words.print(f"Whether the ledger knows them was not asked: {silent}", markup=False)

    Speaker(as_json=as_json).result({"meters": told, "unasked": silent}, tell)


def _under_way(community: "Community", rows: "Sequence[MeterRow]") -> tuple[set[bytes], str]:
    """Handles of the meters of which the ledger lacks something, or why it gives no answer."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.enrolling import under_way
    from gridproof.errors import GridproofError

    try:
        with reached(community.folder) as ledger:
            return under_way(rows, ledger.client), ""
    except GridproofError as silence:  # the list is the bill provider's own, and told all the same
        return set(), str(silence)


def _readings_of(community: "Community") -> dict[str, int]:
    """How many readings there are of each name."""
    readings = community.readings()
    try:
        counts: dict[str, int] = {}
        for span in readings.meters():
            counts[span.meter] = counts.get(span.meter, 0) + span.readings
        return counts
    finally:
        readings.close()


def _told(community: "Community", row: "MeterRow", readings: int) -> dict[str, Any]:
    label, period_s = community.times.label, community.period_s
    return {
        "name": row.name,
        "handle": row.handle,
        "region": row.region,
        "channels": [channel.label for channel in row.channels],
        "from": label(row.from_k * period_s),
        "until": label(row.until_k * period_s) if row.until_k else None,
        "readings": readings,
    }


def _say_issued(community: "Community", issued: "Sequence[Issued]", *, as_json: bool) -> None:
    rows = {row.handle: row for row in community.meters()}
    told = [
        {
            **{key: value for key, value in _told(community, rows[each.meter], 0).items() if key != "readings"},
            "meter_file": each.meter_file,
            "household_file": each.household_file,
        }
        for each in issued
    ]

    def tell(words: Console) -> None:
        words.print(f"{len(told)} {'meter' if len(told) == 1 else 'meters'} enrolled from {told[0]['from']} on.")
        words.print(
            f"Hand out the files in {community.folder.enrolments}: *.meter to the meter, *.household to its household."
        )

    Speaker(as_json=as_json).result({"meters": told}, tell)
