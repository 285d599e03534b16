"""`gridproof verify`: is it true? Exit code 0 only if all of it is; otherwise each falsehood in a line."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .bill import money, say_gone, told_report
from .console import Speaker, Step
from .options import HERE, AsJson, Dir, PassphraseFile, open_community
from .proof_words import say_readings, summed

if TYPE_CHECKING:
    from gridproof.actors.bills.proof import BillProof
    from gridproof.actors.bills.verifying import BillVerdict
    from gridproof.actors.community import Community
    from gridproof.actors.enrolment import HouseholdFile
    from gridproof.actors.proof_file import ProofFile, Verdict
    from gridproof.drivers.verification import Report

app = typer.Typer(help="Check a ledger, or a household's records.", no_args_is_help=True)


@app.command()
def ledger(
    history: Annotated[
        Path | None,
        typer.Argument(
            metavar="[HISTORY]", help="A file of `gridproof export history`.", show_default="the ledger here"
        ),
    ] = None,
    *,
    folder: Dir = HERE,
    as_json: AsJson = False,
) -> int:
    """Replay a ledger from its genesis, or from the oldest state it keeps, and check every signature, root, result and
    total again. It may be running.
    """
    speaker = Speaker(as_json=as_json)
    with speaker.progress("blocks") as step:
        report = _replay_file(history, step) if history else _replay_here(folder, step)

    def tell(words: Console) -> None:
        for falsehood in report.falsehoods:
            words.print(falsehood, markup=False)
        words.print(
            f"{report.chain_id}: {_stretch(report)}, "
            f"{report.transactions} transactions, {report.signatures} signatures checked"
            f"{_counted(report.announced)}; "
            f"{'all true' if report.is_true else 'NOT TRUE'}.",
            markup=False,
        )
        if report.base_height:
            words.print(
                f"What came before is taken from the state kept at height {report.base_height}, whose app hash is "
                f"{report.base_app_hash.hex()}: compare it with another node's.",
                markup=False,
            )
        words.print(f"app hash {report.app_hash.hex()}, genesis {report.genesis_hash.hex()}")

    told = {
        "ok": report.is_true,
        "chain_id": report.chain_id,
        "genesis_hash": report.genesis_hash,
        "first_height": report.first_height,
        "height": report.last_height,
        "transactions": report.transactions,
        "signatures": report.signatures,
        "app_hash": report.app_hash,
        "falsehoods": list(report.falsehoods),
        "announced": report.announced,
        "base_height": report.base_height,
        "base_app_hash": report.base_app_hash,
    }
    speaker.result(told, tell)
    return 1 if not report.is_true else 0


def _stretch(report: "Report") -> str:
    """Which blocks were replayed."""
    if report.base_height and report.first_height > report.last_height:
        return f"no block after {report.base_height}"
    return f"blocks {report.first_height} to {report.last_height}"


def _counted(announced: Mapping[str, int]) -> str:
    """The totals, prices and bills that were computed or held to their rules again."""
    kinds = (("MasksOpened", "total"), ("PriceSet", "price"), ("BillRegistered", "bill"))
    counts = [(announced.get(kind, 0), word) for kind, word in kinds]
    return "".join(f", {count} {word}{'s' * (count != 1)}" for count, word in counts if count)


@app.command()
def record(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `gridproof export records`.")],
    *,
    household: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The household's file, with its view secret.", show_default="the one here"),
    ] = None,
    app_hash: Annotated[
        str | None, typer.Option(metavar="HEX", help="App hash that you have from elsewhere and trust.")
    ] = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Check a household's own records offline: that they were counted, under which slot, and what they read."""
    from gridproof.actors.community.proving import parse_app_hash
    from gridproof.actors.proof_file import read_proof_file, verify_proof_file

    trusted = None if app_hash is None else parse_app_hash(app_hash)
    file = read_proof_file(path)
    verdict = verify_proof_file(file, _household(file, household, folder, passphrase_file), trusted)

    def tell(words: Console) -> None:
        _say_readings(words, file, verdict)

    told = {
        "ok": not verdict.falsehoods,
        "chain_id": file.chain_id,
        "height": file.height,
        "app_hash": file.app_hash,
        "trusted": trusted is not None,
        "region": file.region,
        "readings": [
            {
                "channel": each.slot.channel.label,
                "k": each.slot.k,
                "start_s": each.slot.k * file.period_s,
                "energy_wh": each.energy_wh,
                "status": str(each.status),
                "counted": each.counted,
            }
            for each in verdict.readings
        ],
        "energy_wh": sum(each.energy_wh for each in verdict.readings),
        "falsehoods": verdict.falsehoods,
    }
    Speaker(as_json=as_json).result(told, tell)
    return 1 if verdict.falsehoods else 0


@app.command()
def bill(
    what: Annotated[
        str, typer.Argument(metavar="METER|FILE", help="A household's meter, or a file of `gridproof export bill`.")
    ],
    *,
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="The month.", show_default="its last bill's")
    ] = None,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Version of the bill.", show_default="the last one")
    ] = None,
    household: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The household's file, with its view secret.", show_default="the one here"),
    ] = None,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The month's card.", show_default="the one here")
    ] = None,
    app_hash: Annotated[
        str | None, typer.Option(metavar="HEX", help="App hash that you have from elsewhere and trust.")
    ] = None,
    folder: Dir = HERE,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Recompute a household's bill: from the ledger here, or offline from a proof file.

    Raises:
        BadParameter: an option does not go with what is checked, or is missing.
    """
    from gridproof.actors.bills.proof import is_bill_proof, read_bill_proof
    from gridproof.actors.community.errors import NoCommunityError, NoSuchMeterError

    given = {"--household": household, "--card": card, "--app-hash": app_hash}
    trust = ""
    if not is_bill_proof(Path(what)):
        for name, value in given.items():
            if value is not None:
                if _is_path(what):
                    read_bill_proof(Path(what))  # says what is wrong with it
                raise typer.BadParameter(f"{name} goes with a file of `gridproof export bill`; {what} is none")
        try:
            told, verdict = _bill_here(what, month, version, folder, passphrase_file)
        except (NoCommunityError, NoSuchMeterError):
            if _is_path(what):  # a file was meant: what is wrong with it is told instead
                read_bill_proof(Path(what))
            raise
    else:
        if month is not None or version is not None:
            raise typer.BadParameter("a file is of one month and version; leave out --month and --version")
        told, verdict, trust = _bill_file(Path(what), household, card, app_hash, folder, passphrase_file)

    def tell(words: Console) -> None:
        for finding in verdict.findings:
            words.print(f"{finding.check:<11} {'true' if finding.holds else 'NOT TRUE'}", markup=False)
            for falsehood in finding.falsehoods:
                words.print(f"            {falsehood}", markup=False)
        words.print(
            f"The bill of {told['meter']} for {told['month']}, version {told['version']}: "
            f"{'all true' if verdict.is_true else 'NOT TRUE'}; to be paid are "
            f"{money(told['payable_e9'])} {told['currency']}.",
            markup=False,
        )
        say_gone(words, verdict)
        if trust:
            words.print(trust, markup=False)

    Speaker(as_json=as_json).result(told, tell)
    return 0 if verdict.is_true else 1


def _is_path(what: str) -> bool:
    """Whether a word that names no meter is meant as a file: it is one, or is written like one."""
    path = Path(what)
    return bool(path.suffix) or "/" in what or path.is_file()


def _bill_here(
    meter: str, month: str | None, version: int | None, folder: Path, passphrase_file: Path | None
) -> tuple[dict[str, Any], "BillVerdict"]:
    from gridproof.actors.community.access import reached
    from gridproof.actors.community.household_bills import read_bill

    community = open_community(folder, passphrase_file)
    wanted = None if month is None else community.times.month(month)
    with reached(community.folder) as ledger:
        read = read_bill(community, ledger.client, meter, wanted, version)
        status = ledger.client.status()
    told = told_report(read.opened.report, read.verdict)
    return {**told, "app_hash": status.app_hash, "height": status.height, "trusted": False}, read.verdict


def _bill_file(
    path: Path,
    household: Path | None,
    card: Path | None,
    app_hash: str | None,
    folder: Path,
    passphrase_file: Path | None,
) -> tuple[dict[str, Any], "BillVerdict", str]:
    """Recompute a bill from its file: what to tell, the verdict, and what the file's app hash rests on."""
    from gridproof.actors.bills.proof import read_bill_proof, verify_bill_proof
    from gridproof.actors.bills.words import read_card
    from gridproof.actors.community.household_bills import card_of, household_of_proof
    from gridproof.actors.community.proving import parse_app_hash
    from gridproof.actors.enrolment import read_household
    from gridproof.connectors.passphrase import read_passphrase
    from gridproof.connectors.secret_files import SecretFiles
    from gridproof.domain import MonthId

    proof = read_bill_proof(path)
    given = None if app_hash is None else parse_app_hash(app_hash)
    missing = [name for name, file in (("--household", household), ("--card", card)) if file is None]
    community = _at_hand(folder, passphrase_file, missing)
    held = community is not None and given is None and _is_the_ledgers(community, proof)
    secrets = SecretFiles(read_passphrase(file=passphrase_file))
    own = None if household is None else read_household(secrets, household)
    shown = None if card is None else read_card(secrets, card, proof.month)
    if own is None and community is not None:
        own = household_of_proof(community, proof)
    if own is None:
        raise typer.BadParameter("name the household's file with --household")
    if card is None and community is not None:
        shown = card_of(community, own, MonthId(proof.month))
    proven = verify_bill_proof(proof, own, shown, given)
    told = told_report(proven.report, proven.verdict)
    trusted = given is not None or held
    value = {**told, "app_hash": proof.app_hash, "height": proof.height, "trusted": trusted}
    if given is not None:
        basis = "That is the one given with --app-hash."
    elif held:
        basis = "The ledger here had the same one at this height."
    else:
        basis = (
            "It is the file's own, and nothing from elsewhere vouches for it: --app-hash was not given, and no ledger "
            f"here has it. Compare it with the one that a ledger you trust had at height {proof.height}."
        )
    against = f"Against app hash {proof.app_hash.hex()} at height {proof.height} of {proof.chain_id}."
    return value, proven.verdict, f"{against}\n{basis}"


def _at_hand(folder: Path, passphrase_file: Path | None, missing: list[str]) -> "Community | None":
    """The community of a folder; None where there is none that can be opened, and no file of it is missing.

    Raises:
        BadParameter: there is none, and one of the household's two files was not named.
    """
    from gridproof.actors.community.errors import NoCommunityError
    from gridproof.errors import GridproofError

    try:
        return open_community(folder, passphrase_file)
    except GridproofError as unopened:
        if not missing:
            return None
        if len(missing) == 1 and isinstance(unopened, NoCommunityError):
            (name,) = missing
            raise typer.BadParameter(f"{name} is missing; offline, give both of --household and --card") from unopened
        raise


def _is_the_ledgers(community: "Community", proof: "BillProof") -> bool:
    """Whether the ledger here had a file's app hash; False where it cannot say, as it is another's, behind, or gone.

    Raises:
        ForeignProofError: it had another one.
    """
    from contextlib import closing

    from gridproof.actors.community.access import network_of, stored
    from gridproof.actors.community.errors import ForeignProofError
    from gridproof.actors.community.histories import past_app_hash, past_app_hash_at
    from gridproof.errors import GridproofError

    try:
        network = network_of(community.folder)
        if network is not None:
            with closing(network):
                known = past_app_hash_at(network, proof.chain_id, proof.height)
        else:
            with stored(community.folder) as store:
                known = past_app_hash(store, proof.chain_id, proof.height)
    except GridproofError:  # the file may be proven all the same; that nothing vouches for it is told
        return False
    if known is not None and known != proof.app_hash:
        raise ForeignProofError(height=proof.height, file=proof.app_hash.hex(), ledger=known.hex())
    return known is not None


def _replay_here(folder: Path, step: Step) -> "Report":
    from contextlib import closing

    from gridproof.actors.community.access import history_of, network_of, stored
    from gridproof.app import application
    from gridproof.drivers.snapshots import SnapshotFolder
    from gridproof.drivers.verification import replay, verify_store

    community = open_community(folder)
    network = network_of(community.folder)
    if network is not None:
        with closing(network):
            return replay(history_of(community.folder, network), application, progress=step)
    with stored(community.folder) as store:
        kept = SnapshotFolder(community.folder.snapshots)
        return verify_store(store, application, progress=step, snapshots=kept)


def _replay_file(history: Path, step: Step) -> "Report":
    from gridproof.app import application
    from gridproof.drivers.history import HistoryFile
    from gridproof.drivers.verification import replay

    return replay(HistoryFile(history), application, progress=step)


def _household(file: "ProofFile", given: Path | None, folder: Path, passphrase_file: Path | None) -> "HouseholdFile":
    from gridproof.actors.community.proving import household_of
    from gridproof.actors.enrolment import read_household
    from gridproof.connectors.passphrase import read_passphrase
    from gridproof.connectors.secret_files import SecretFiles

    if given is not None:
        return read_household(SecretFiles(read_passphrase(file=passphrase_file)), given)
    return household_of(open_community(folder, passphrase_file), file)


def _say_readings(words: Console, file: "ProofFile", verdict: "Verdict") -> None:
    say_readings(words, verdict.readings, file.period_s)
    for falsehood in verdict.falsehoods:
        words.print(falsehood, markup=False)
    words.print(f"{summed(verdict.readings)}: {'all true' if not verdict.falsehoods else 'NOT TRUE'}.")
    words.print(f"Against app hash {file.app_hash} at height {file.height} of {file.chain_id}.", markup=False)
