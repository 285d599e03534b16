"""`gridproof period`: what became of the periods."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .console import Speaker, table
from .options import HERE, AsJson, Channel, Dir, PassphraseFile, Regions, open_community, require_one, require_single

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.actors.community.periods import Period
    from gridproof.connectors.config import Region
    from gridproof.connectors.ledger import LedgerClient

app = typer.Typer(help="Periods: list, show.", no_args_is_help=True)


@app.command("list")
def list_periods(
    *,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", show_default="the last one that has any")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="A month instead of a day.")] = None,
    regions: Regions = None,
    channel: Channel = "import",
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, for one region, into this new file.")
    ] = None,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> None:
    """List the periods of a day or month: status, total, how many are missing."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.picking import listed, require_some, span_of, worked_spans
    from gridproof.domain import Direction

    require_one(day=day, month=month)
    community = open_community(folder)
    direction = Direction.parse(channel)
    chosen = community.regions(regions or ())
    if svg is not None:
        require_single("--svg", "--region", [region.name for region in chosen])
    found: list[Period] = []
    title = ""
    with reached(community.folder) as ledger:
        for region, worked in worked_spans(community, ledger.client, chosen, direction):
            span = span_of(community, worked, day, month)
            title = span.title
            found += listed(ledger.client, region, direction, span, worked)
        require_some(community, found, title, worked)
    told = [_told(community, period) for period in found]
    totals = [period.total_wh for period in found if period.total_wh is not None]
    value = {
        "span": title,
        "channel": direction.label,
        "periods": told,
        "total_wh": sum(totals),
        "opened": len(totals),
        "missing": sum(period.missing or 0 for period in found),
    }
    if svg is not None:
        _draw(community, chosen, title, found, svg)
        value["svg"] = svg
    Speaker(as_json=as_json).result(value, lambda words: _say_list(words, community, found, value))


@app.command()
def show(
    region: Annotated[
        str | None, typer.Argument(metavar="[REGION]", help="By number or name.", show_default="the first")
    ] = None,
    when: Annotated[
        str | None,
        typer.Argument(metavar="[WHEN]", help="A time in the period, or its number k.", show_default="the last total"),
    ] = None,
    *,
    channel: Channel = "import",
    faults: Annotated[
        bool, typer.Option("--faults", help="Name the meters with which something is wrong, as the bill provider.")
    ] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show all that the ledger knows of one period of a region's channel."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.picking import period_at
    from gridproof.domain import Direction

    community = open_community(folder, passphrase_file)
    direction = Direction.parse(channel)
    chosen = community.region(region) if region is not None else community.settings.regions[0]
    with reached(community.folder) as ledger:
        period = period_at(community, ledger.client, chosen, direction, when)
        value = {**_told(community, period), **_details(community, ledger.client, period)}
        if faults:
            value["faults"] = _faults(community, ledger.client, period)
    Speaker(as_json=as_json).result(value, lambda words: _say_one(words, chosen, value))


def _told(community: "Community", period: "Period") -> dict[str, Any]:
    label, period_s = community.times.label, community.period_s
    return {
        "region": int(period.region),
        "channel": period.channel.label,
        "k": period.k,
        "start": label(period.k * period_s),
        "end": label((period.k + 1) * period_s),
        "status": period.status,
        "total_wh": period.total_wh,
        "enrolled": period.enrolled,
        "live": period.live,
        "missing": period.missing,
        "records": period.state.filled_count if period.state else 0,
    }


def _details(community: "Community", client: "LedgerClient", period: "Period") -> dict[str, Any]:
    from gridproof.domain import month_label
    from gridproof.modules.aggregation import queries as aggregation
    from gridproof.modules.registry import queries as registry

    slot = (period.region, period.channel, period.k)
    rules = client.ask(registry.region, period.region)
    window_end_s = (period.k + 1) * community.period_s + (rules.window_s if rules else 0)
    roster = client.ask(aggregation.roster, *slot)
    names = {number: participant.name for number, participant in client.ask(registry.participants)}
    state = period.state
    return {
        "month": month_label(period.month),
        "window_end": community.times.label(window_end_s),
        "opening_end": community.times.label(window_end_s + (rules.opening_s if rules else 0)),
        "claim_end": community.times.label(window_end_s + (rules.claim_s if rules else 0)),
        "roster_root": roster.root if roster else None,
        "leaves": roster.count if roster else None,
        "claimed_drops": len(client.ask(aggregation.claimed, *slot)),
        "batches": [
            {
                "aggregator": names.get(note.aggregator, ""),
                "records": note.count,
                "fresh": note.fresh,
                "root": note.root,
            }
            for note in (state.batches if state else ())
        ],
    }


def _faults(community: "Community", client: "LedgerClient", period: "Period") -> list[dict[str, Any]]:
    from gridproof.actors.bill_provider import Totals
    from gridproof.domain import Slot

    totals = Totals(community.bill_provider(client))
    found = totals.find_faults(Slot(period.region, period.channel, period.k))
    return [
        {"meter": fault.meter, "kind": fault.kind.value, "positions": fault.positions, "reading_wh": fault.reading_wh}
        for fault in found
    ]


def _draw(community: "Community", regions: "tuple[Region, ...]", title: str, found: "list[Period]", path: Path) -> None:
    from gridproof.connectors.files import write_whole

    from .chart import Bar, draw

    named = ", ".join(region.name for region in regions)
    bars = [
        Bar(community.times.label(each.k * community.period_s)[11:16], each.total_wh, each.missing or 0, each.status)
        for each in found
    ]
    drawn = draw(f"{community.settings.community.name}, {named}, {title}", bars)
    write_whole(path, drawn.encode(), replace=False)


def _say_list(words: Console, community: "Community", found: "list[Period]", value: dict[str, Any]) -> None:
    shown = table(
        "region", "from", "status", "#total Wh", "#live", "#missing", title=f"{value['span']} {value['channel']}"
    )
    for each in found:
        start = community.times.short(each.k * community.period_s)
        cells = (each.region, start, each.status, _figure(each.total_wh), _figure(each.live), _figure(each.missing))
        shown.add_row(*map(str, cells))
    words.print(shown)
    words.print(
        f"{len(found)} periods, {value['opened']} with a total: {value['total_wh']:,} Wh; {value['missing']} missing."
    )


def _say_one(words: Console, region: "Region", value: dict[str, Any]) -> None:
    shown = table("", "")
    shown.show_header = False
    shown.add_row("region", f"{region.number} {region.name}")
    for key, each in value.items():
        if key in ("batches", "faults", "region"):
            continue
        told = each.hex() if isinstance(each, bytes) else "-" if each is None else str(each)
        shown.add_row(key.replace("_", " "), told)
    words.print(shown)
    for batch in value["batches"]:
        words.print(
            f"batch of {batch['aggregator']}: {batch['records']} records, {batch['fresh']} of them new", markup=False
        )
    for fault in value.get("faults", ()):
        read = "" if fault["reading_wh"] is None else f", reads {fault['reading_wh']:,} Wh"
        words.print(f"{fault['kind']}: meter {fault['meter'] or '(none)'}{read}", markup=False)


def _figure(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
