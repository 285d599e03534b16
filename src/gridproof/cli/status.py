"""`gridproof status` and `gridproof doctor`: where the community stands, and what is wrong with it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from .console import Speaker, table
from .options import HERE, AsJson, Dir, PassphraseFile, open_community

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.actors.community.overview import Overview
    from gridproof.connectors.ledger import NodeView


def status(*, folder: Dir = HERE, as_json: AsJson = False) -> None:
    """Tell where the ledger stands, what became of the slots, and what waits."""
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.agreement import own_genesis
    from gridproof.actors.community.overview import overview

    community = open_community(folder)
    with reached(community.folder) as ledger:
        now = ledger.client.status()
        own_genesis(community.folder, now.chain_id, now.genesis_hash)
        view = overview(community, ledger.client)
        node = "running" if ledger.ledger is None else "here"
        nodes = None if ledger.network is None else ledger.network.survey()
    if nodes is not None:
        node = "network"
    value = _told(community, view, node, nodes)
    Speaker(as_json=as_json).result(value, lambda words: _say(words, community, view, node, nodes))


def doctor(*, folder: Dir = HERE, passphrase_file: PassphraseFile = None, as_json: AsJson = False) -> int:
    """Look for what is wrong: settings, rights, disk, secrets, ledger, roster files. A line each, with what to do."""
    from gridproof.actors.community.doctor import Severity, examine
    from gridproof.connectors.passphrase import read_passphrase

    findings = examine(folder, lambda _sealed: read_passphrase(file=passphrase_file))
    wrong = [finding for finding in findings if finding.severity is Severity.WRONG]

    def tell(words: Console) -> None:
        for finding in findings:
            words.print(f"{finding.severity.value:>5}  {finding.subject}: {finding.sentence}", markup=False)
        words.print("Nothing is wrong." if not wrong else f"{len(wrong)} to mend.")

    told = [{"severity": each.severity.value, "subject": each.subject, "sentence": each.sentence} for each in findings]
    Speaker(as_json=as_json).result({"ok": not wrong, "findings": told}, tell)
    return 1 if wrong else 0


def _told(community: "Community", view: "Overview", node: str, nodes: "Sequence[NodeView] | None") -> dict[str, Any]:
    from gridproof.domain import month_label

    label = community.times.label
    backlog = view.backlog
    return {
        "community": community.settings.community.name,
        "chain_id": view.ledger.chain_id,
        "node": node,
        "nodes": [] if nodes is None else [each._asdict() for each in nodes],
        "height": view.ledger.height,
        "app_hash": view.ledger.app_hash,
        "genesis_hash": view.ledger.genesis_hash,
        "ledger_time": label(view.ledger.ledger_time_s),
        "months": [
            {
                "region": line.region,
                "channel": line.channel.label,
                "month": month_label(line.month),
                "closed": line.closed,
                "slots": line.slots,
                "total_wh": line.total_wh,
            }
            for line in view.lines
        ],
        "meters": [
            {"region": region, "channel": channel.label, "enrolled": count}
            for (region, channel), count in view.enrolled.items()
        ],
        "readings": {
            "count": backlog.readings,
            "first": None if backlog.first_s is None else label(backlog.first_s),
            "last": None if backlog.last_s is None else label(backlog.last_s),
            "backlog_periods": backlog.periods,
        },
    }


def _place(node: str, nodes: "Sequence[NodeView] | None") -> str:
    """Where the ledger is, in words."""
    if nodes is None:
        return f"node {'running' if node == 'running' else 'not running'}"
    good = sum(each.height is not None for each in nodes)
    return f"{good} of the network's {len(nodes)} nodes can be used"


def _say(
    words: Console, community: "Community", view: "Overview", node: str, nodes: "Sequence[NodeView] | None"
) -> None:
    from gridproof.domain import month_label

    label, ledger, backlog = community.times.label, view.ledger, view.backlog
    words.print(f"{community.settings.community.name}: chain {ledger.chain_id}", markup=False)
    words.print(f"height {ledger.height}, app hash {ledger.app_hash.hex()}")
    words.print(f"ledger time {label(ledger.ledger_time_s)}; {_place(node, nodes)}", markup=False)
    meters = ", ".join(
        f"region {region}: {count} {way.label}" for (region, way), count in view.enrolled.items() if count
    )
    words.print(f"meters enrolled: {meters or 'none'}")
    shown = table("region", "channel", "month", "", "slots", "#total Wh")
    for line in view.lines:
        slots = ", ".join(f"{count} {name}" for name, count in line.slots.items() if count)
        state = "closed" if line.closed else "open"
        shown.add_row(str(line.region), line.channel.label, month_label(line.month), state, slots, f"{line.total_wh:,}")
    if view.lines:
        words.print(shown)
    if backlog.first_s is None or backlog.last_s is None:
        words.print("readings: none")
    else:
        words.print(f"readings: {backlog.readings:,}, from {label(backlog.first_s)} to {label(backlog.last_s)}")
        words.print(f"backlog: {backlog.periods} periods")
