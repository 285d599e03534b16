"""`gridproof run`: all actors at work over the readings that were imported."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .console import Speaker
from .options import HERE, AsJson, Dir, PassphraseFile, open_community

if TYPE_CHECKING:
    from gridproof.actors.community import Community
    from gridproof.actors.community.running import Outcome
    from gridproof.drivers.wire import Status


def run(
    *,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Go no further than this, and as far, so that months are closed on the way."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Go on with what is imported later, until stopped with Ctrl-C.")
    ] = False,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Run all actors over the imported readings, and serve the ledger to other commands meanwhile.

    Stopped with Ctrl-C, or killed anywhere, the next run goes on where it was.
    """
    from gridproof.actors.community.access import at_helm
    from gridproof.actors.community.running import Run
    from gridproof.actors.stopping import stopped_by_signals
    from gridproof.connectors.ledger import GivenUpError

    speaker = Speaker(as_json=as_json)
    community = open_community(folder, passphrase_file)
    until_s = None if until is None else community.times.parse(until)
    with at_helm(community.folder) as reached, stopped_by_signals() as stop, speaker.progress("periods") as step:
        at_work = Run(community, reached, stop, step)
        try:
            outcome = at_work.serve(until_s) if serve else at_work.work_off(until_s)
        except GivenUpError as given_up:
            reason = str(given_up)
            speaker.result({"stopped": True, "problems": [reason]}, lambda words: words.print(reason))
            return 130
        status = reached.client.status()
    told = _told(community, outcome, status)
    speaker.result(told, lambda words: _say(words, community, outcome, status, until_s))
    return 130 if outcome.stopped else 0


def _told(community: "Community", outcome: "Outcome", status: "Status") -> dict[str, Any]:
    label = community.times.label
    return {
        "from": None if outcome.first_s is None else label(outcome.first_s),
        "to": None if outcome.end_s is None else label(outcome.end_s),
        "slots": outcome.ended,
        "total_wh": outcome.total_wh,
        "problems": list(outcome.problems),
        "problem_count": outcome.problem_count,
        "registered": [{"name": name, "keys": community.folder.key_file(name)} for name in outcome.joined],
        "too_early_readings": outcome.too_early,
        "stopped": outcome.stopped,
        "height": status.height,
        "app_hash": status.app_hash,
        "ledger_time": label(status.ledger_time_s),
    }


def _say(words: Console, community: "Community", outcome: "Outcome", status: "Status", until_s: int | None) -> None:
    label = community.times.label
    if until_s is not None and outcome.was_past:
        words.print(f"Ledger time was past {label(until_s)} already: no period was begun.")
    if outcome.first_s is not None and outcome.end_s is not None:
        ended = ", ".join(f"{count} {name}" for name, count in outcome.ended.items() if count) or "none"
        words.print(f"Periods from {label(outcome.first_s)} to {label(outcome.end_s)}; slots that ended: {ended}.")
        words.print(f"Opened in all: {outcome.total_wh:,} Wh.")
    elif until_s is not None and not outcome.was_past:
        words.print("No readings waited on the way.")
    elif until_s is None and not outcome.joined:
        words.print("Nothing to do: no readings wait after ledger time. `gridproof readings import` brings some.")
    for name in outcome.joined:
        keys = community.folder.key_file(name)
        words.print(f"Registered on the ledger: {name}. Its keys lie in {keys}.", markup=False)
    for problem in outcome.problems:
        words.print(f"problem: {problem}", markup=False)
    if outcome.problem_count > len(outcome.problems):
        words.print(f"and {outcome.problem_count - len(outcome.problems)} more problems")
    if outcome.too_early:
        words.print(f"{outcome.too_early} readings lie before anything could be metered; they count nowhere.")
    words.print(f"Height {status.height}, ledger time {label(status.ledger_time_s)}, app hash {status.app_hash.hex()}.")
