"""What is erased cannot be had back from any file, and what a thief finds opens nothing of the past.

Every test looks at all files of a community's folder, databases' free pages and logs among them, and first shows that
the same look finds what is there.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import typer

from gridproof.actors import credentials
from gridproof.actors.bill_provider.keys import Keys, Line
from gridproof.actors.bills.reading import open_sealed
from gridproof.actors.bills.sealing import open_report
from gridproof.actors.community import Community
from gridproof.actors.enrolment import MeterFile, read_household, read_meter
from gridproof.cli.main import app
from gridproof.connectors.outbox import Outbox
from gridproof.connectors.rosters import RosterFiles
from gridproof.connectors.secret_files import SecretFiles
from gridproof.domain import (
    Direction,
    Half,
    MonthBounds,
    MonthId,
    Secret,
    bill_key,
    identity,
    leaf_at,
    mask,
    month_seed,
    next_chain_key,
    register_key,
    roster_leaf,
    seal_secret,
    sign_seeds,
    view_seeds,
)
from gridproof.domain.metering import split
from gridproof.errors import GridproofError
from gridproof.primitives import secp256k1

from .parties import FIRST_K, REGION, Public, public_of
from tests.billed import (
    AFTER_NOVEMBER,
    AFTER_OCTOBER,
    HOURS,
    NAMES,
    OCTOBER,
    OF_NOVEMBER,
    OF_OCTOBER,
    Billed,
    founded,
)

LINE: Final = Line(REGION, Direction.IMPORT)
FIRST_HOURS: Final = 4  # October's


class Known(NamedTuple):
    """What the test saw in October, to look for it later.

    Attributes:
        signing: chain keys and sign seeds of all places, and the one-time keys of all slots.
        chains: view chain keys.
        viewing: view seeds and the leaves under them.
        meters: the meters' files as they were.
    """

    signing: list[bytes]
    chains: list[bytes]
    viewing: list[bytes]
    meters: dict[str, MeterFile]


class Scene(NamedTuple):
    """A community that went from October into November and finished both, and copies of it on the way."""

    october: Billed
    november: Billed
    finished: Billed
    known: Known
    said: str
    public: Public


def seen_in(billed: Billed) -> Known:
    """Everything secret of October, while it is there."""
    community = Community(billed.root)
    bounds = MonthBounds(MonthId(OF_OCTOBER), FIRST_K * 3_600, (FIRST_K + FIRST_HOURS) * 3_600, 3_600)
    keys = Keys(billed.root / "secrets" / "bill-provider", SecretFiles(), bytes)
    numbers = sorted(keys.views(LINE, OF_OCTOBER))
    signing, chains, viewing = [], [], []
    for pair in keys.chains(LINE, OF_OCTOBER, numbers).values():
        seeds, views = sign_seeds(pair.sign, Direction.IMPORT), view_seeds(pair.view, Direction.IMPORT)
        signing += [
            pair.sign,
            *seeds,
            *(leaf_at(seed, bounds, k) for seed in seeds for k in range(bounds.first_k, bounds.end_k)),
        ]
        chains.append(pair.view)
        viewing += [*views, *(leaf_at(seed, bounds, k) for seed in views for k in range(bounds.first_k, bounds.end_k))]
    meters = {
        file.name: file
        for file in (read_meter(SecretFiles(), path) for path in community.folder.enrolments.glob("*.meter"))
    }
    return Known(signing, chains, viewing, meters)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    base = tmp_path_factory.mktemp("erased")
    billed = founded(base / "home")
    billed.read(range(HOURS))
    said = []

    def told(*words: object) -> None:
        done = billed(*words)
        said.append(done.out + done.err)

    told("run", "--until", "2025-10-31T23:00")
    october = Billed(Path(shutil.copytree(billed.root, base / "october")))
    known = seen_in(october)
    told("run")
    told("run", "--until", AFTER_OCTOBER)
    told("bill", "make")
    november = Billed(Path(shutil.copytree(billed.root, base / "november")))
    public = public_of(november.root)
    for words in (
        ("bill", "list"),
        ("bill", "show", "Adalind"),
        ("meter", "list"),
        ("key", "list"),
        ("status",),
        ("doctor",),
    ):
        told(*words)
        told(*words, "--json")
    told("bill", "finish", "--month", OCTOBER)
    told("run", "--until", AFTER_NOVEMBER)
    return Scene(october, november, billed, known, "".join(said), public)


def holders(billed: Billed, secrets: Iterable[bytes], *, but: Callable[[str], bool] = lambda _name: False) -> set[str]:
    """The files in which any of some secrets lies, as bytes or hexadecimal, less some."""
    wanted = [*secrets]
    found = set()
    for name, content in billed.files().items():
        if not but(name) and any(each in content or each.hex().encode() in content for each in wanted):
            found.add(name)
    return found


def is_handed_out(name: str) -> bool:
    """Whether a file is a household's own, which it takes away: its view secret is in it from the enrolment on."""
    return name.endswith(".household")


# --- erased ----------------------------------------------------------------------------------------------------------


def test_a_past_months_sign_secrets_lie_in_no_file(scene: Scene) -> None:
    there = holders(scene.october, scene.known.signing)
    assert {name.rpartition(".")[2] for name in there} == {"key", "meter"}, "the look finds them while they are there"
    assert len([name for name in there if name.endswith(".meter")]) == len(NAMES)
    assert holders(scene.november, scene.known.signing) == set()
    assert holders(scene.finished, scene.known.signing) == set()


def test_a_past_months_view_chain_is_with_the_households_only(scene: Scene) -> None:
    assert len(holders(scene.october, scene.known.chains, but=is_handed_out)) == 1 + len(NAMES)
    assert holders(scene.november, scene.known.chains, but=is_handed_out) == set()


def test_a_finished_months_view_seeds_and_masks_lie_in_no_file(scene: Scene) -> None:
    """November's bills need them to be kept until they are final, and so they are found till then."""
    views = f"secrets/bill-provider/views/{LINE}/{OF_OCTOBER}.key"
    assert holders(scene.november, scene.known.viewing) == {views}
    assert holders(scene.finished, scene.known.viewing) == set()


def test_sent_records_lie_in_the_meters_outbox_until_the_month_is_finished_and_not_in_its_free_pages(
    scene: Scene,
) -> None:
    with closing(Outbox(scene.november.root / "outbox" / "meters.db")) as outbox:
        entries = [each for row in Community(scene.november.root).meters() for each in outbox.of_meter(row.handle)]
    october = [each.record.signature for each in entries if each.slot.k < FIRST_K + FIRST_HOURS]
    assert len(october) == 2 * FIRST_HOURS * len(NAMES)

    def public(name: str) -> bool:
        return name.startswith("ledger/")

    assert holders(scene.november, october, but=public) == {"outbox/meters.db"}
    assert holders(scene.finished, october, but=public) == set()


def test_who_a_record_was_is_in_no_file_once_the_month_is_finished(scene: Scene) -> None:
    def with_owners(billed: Billed) -> list[str]:
        return [
            name for name in billed.files() if re.search(rf"/(owners|accounts|views)/.*/{OF_OCTOBER}|\.cells$", name)
        ]

    assert len(with_owners(scene.november)) == 3
    assert with_owners(scene.finished) == []
    assert with_owners(scene.november)[0].startswith("secrets/bill-provider/accounts/")


def test_making_bills_leaves_no_gathered_records(scene: Scene) -> None:
    assert (scene.november.root / "bills" / "gathered").is_dir(), "they lay there"
    assert list((scene.november.root / "bills" / "gathered").iterdir()) == []


# --- stolen ----------------------------------------------------------------------------------------------------------


def closure(chains: Iterable[bytes], months: int = 3) -> list[bytes]:
    """All secrets that the product's functions make of some chain keys, for a few months on: every step is tried."""
    reached = list(dict.fromkeys(chains))
    front = reached
    for _ in range(months):
        front = [next_chain_key(each, secret) for each in front for secret in Secret]
        reached += front
    seeds = [month_seed(each, s, h, c) for each in reached for s in Secret for h in Half for c in Direction]
    return [*reached, *seeds]


def one_time_identities(secrets: Iterable[bytes], bounds: MonthBounds, ks: Iterable[int]) -> set[bytes]:
    """The roster leaves that some secrets sign for: each as a seed, and each as a key itself."""
    hours = list(ks)
    leaves = set()
    for secret in secrets:
        leaves |= {roster_leaf(identity(secret, bounds, k)) for k in hours}
        if secp256k1.is_scalar(secret):
            leaves.add(roster_leaf(secp256k1.x_only(secret)))
        leaves.add(roster_leaf(bill_key(secret).public_key))
        leaves.add(roster_leaf(register_key(secret).public_key))
    return leaves


def roster_leaves(billed: Billed, month: int, ks: Iterable[int]) -> set[bytes]:
    rosters = RosterFiles(billed.root / "public" / "rosters").open(REGION, Direction.IMPORT, month, 1)
    return {leaf for k in ks for leaf in rosters.leaves(k)}


def test_nothing_that_a_households_secret_leads_to_signs_for_a_leaf_of_any_roster(scene: Scene) -> None:
    path = next((scene.october.root / "enrolments").glob("Adalind.*.household"))
    file = read_household(SecretFiles(), path)
    bounds = scene.public.bounds[OF_OCTOBER]
    ks = range(bounds.first_k, bounds.end_k)
    leaves = roster_leaves(scene.october, OF_OCTOBER, ks)
    view = one_time_identities(closure([each.view for each in file.views]), bounds, ks)
    assert not view & leaves
    # The control: the meter's own file leads to both leaves of each of its slots, and to no other's.
    sign = one_time_identities(closure([each.sign for each in scene.known.meters["Adalind"].chains]), bounds, ks)
    assert len(sign & leaves) == 2 * len(ks)


def test_a_household_cannot_sign_its_register_either(scene: Scene) -> None:
    file = read_household(SecretFiles(), next((scene.october.root / "enrolments").glob("Adalind.*.household")))
    told = register_key(scene.known.meters["Adalind"].chains[0].sign).public_key
    reached = closure([each.view for each in file.views])
    assert told not in {register_key(each).public_key for each in reached}
    assert told not in {bill_key(each).public_key for each in reached}
    meters = closure([each.sign for each in scene.known.meters["Adalind"].chains])
    assert told in {register_key(each).public_key for each in meters}


def stolen(scene: Scene) -> list[bytes]:
    """All that the file of November leads to which lies with the meter then: both chains, and what they give."""
    path = next((scene.november.root / "enrolments").glob("Adalind.*.meter"))
    file = read_meter(SecretFiles(), path)
    assert file.month == OF_NOVEMBER
    return closure(key for each in file.chains for key in (each.sign, each.view))


def kept(scene: Scene) -> list[bytes]:
    """The same of the file as it was in October: the control."""
    return closure(key for each in scene.known.meters["Adalind"].chains for key in (each.sign, each.view))


def test_a_stolen_file_of_this_month_signs_for_no_leaf_of_the_last_one(scene: Scene) -> None:
    bounds = scene.public.bounds[OF_OCTOBER]
    ks = range(bounds.first_k, bounds.end_k)
    leaves = roster_leaves(scene.november, OF_OCTOBER, ks)
    assert not one_time_identities(stolen(scene), bounds, ks) & leaves
    assert len(one_time_identities(kept(scene), bounds, ks) & leaves) == 2 * len(ks)


def test_a_stolen_file_of_this_month_unmasks_no_record_of_the_last_one(scene: Scene) -> None:
    bounds = scene.public.bounds[OF_OCTOBER]

    def unmasked(secrets: list[bytes]) -> int:
        """How many of October's records are the first half that some secret's split and mask make."""
        found = 0
        for at in range(FIRST_HOURS):
            values = set(scene.public.slots[at].values)
            leaves = [leaf_at(secret, bounds, FIRST_K + at) for secret in secrets]
            masks = {mask(leaf) for leaf in leaves}
            halves = {(mask(first) + split(second)) % 2**64 for first in leaves for second in leaves}
            found += len(values & (masks | halves))
        return found

    assert unmasked(stolen(scene)) == 0
    assert unmasked(kept(scene)) == FIRST_HOURS


def test_a_stolen_file_of_this_month_gives_no_earlier_identity_and_opens_no_earlier_bill(scene: Scene) -> None:
    bills = [bill for bill in scene.public.bills if bill.month == OF_OCTOBER]
    assert len(bills) == len(NAMES)

    def found(secrets: list[bytes]) -> tuple[int, int]:
        """How many of October's billing identities, and of its bills, some secrets give."""
        identities = {bill_key(each).public_key for each in secrets} & {bill.bid for bill in bills}
        opened = 0
        for bill in bills:
            for each in secrets:
                try:
                    place = (scene.public.chain_id, int(REGION), MonthId(OF_OCTOBER), bill.bid, bill.version)
                    open_report(bill.content, seal_secret(each), *place)
                    opened += 1
                except GridproofError:
                    continue
        return len(identities), opened

    assert found(stolen(scene)) == (0, 0)
    assert found(kept(scene)) == (1, 1)


def test_a_households_file_of_a_later_month_opens_no_earlier_bill(scene: Scene) -> None:
    file = read_household(SecretFiles(), next((scene.november.root / "enrolments").glob("Adalind.*.household")))
    mine = next(bill for bill in scene.public.bills if bill.bid == bill_key(file.identity_view(OF_OCTOBER)).public_key)
    assert open_sealed(mine.content, file, MonthId(OF_OCTOBER), 1).household == "Adalind"
    later = scene.known.meters["Adalind"].in_month(OF_NOVEMBER).for_household()
    with pytest.raises(GridproofError) as refused:
        open_sealed(mine.content, later, MonthId(OF_OCTOBER), 1)
    assert type(refused.value).__name__ == "MonthErasedError"


# --- said ------------------------------------------------------------------------------------------------------------


def secrets_of(billed: Billed) -> list[bytes]:
    """The participants' keys, and the households' and meters' chain keys."""
    found = []
    for path in sorted((billed.root / "secrets" / "keys").glob("*.key")):
        own = credentials.read(SecretFiles(), path, path.stem)
        found += [each for each in (own.transaction, own.receipt, own.encryption) if each]
    for path in sorted((billed.root / "enrolments").glob("*.meter")):
        found += [key for each in read_meter(SecretFiles(), path).chains for key in (each.sign, each.view)]
    return found


def test_no_command_says_a_secret(scene: Scene) -> None:
    secrets = [*scene.known.signing, *scene.known.chains, *scene.known.viewing, *secrets_of(scene.finished)]
    assert len(scene.said) > 5_000
    for secret in secrets:
        assert secret.hex() not in scene.said.lower()
        assert repr(secret)[2:-1] not in scene.said


def test_nothing_that_holds_a_secret_shows_it_when_it_is_printed(scene: Scene) -> None:
    meter = scene.known.meters["Adalind"]
    chain = meter.chains[0]
    keys = Keys(scene.october.root / "secrets" / "bill-provider", SecretFiles(), bytes)
    path = scene.october.root / "secrets" / "keys" / "operator.key"
    own = credentials.read(SecretFiles(), path, "operator")
    shown = [
        meter,
        meter.for_household(),
        chain,
        sign_seeds(chain.sign, Direction.IMPORT),
        view_seeds(chain.view, Direction.IMPORT),
        own,
        own.signer,
        bill_key(chain.view),
        register_key(chain.sign),
        keys.chains(LINE, OF_OCTOBER, [1]),
        keys.views(LINE, OF_OCTOBER),
        SecretFiles("a passphrase of many words"),
    ]
    secrets = [
        chain.sign,
        chain.view,
        *sign_seeds(chain.sign, Direction.IMPORT),
        *view_seeds(chain.view, Direction.IMPORT),
        own.transaction,
        own.encryption,
        *(key for each in keys.chains(LINE, OF_OCTOBER, [1]).values() for key in (each.sign, each.view)),
        *(seed for each in keys.views(LINE, OF_OCTOBER).values() for seed in each),
        b"a passphrase of many words",
    ]
    for thing in shown:
        for text in (repr(thing), str(thing), f"{thing}", json.dumps({"said": repr(thing)})):
            assert not any(secret.hex() in text or repr(secret)[2:-1] in text for secret in secrets), type(thing)


def test_no_command_takes_a_secret_as_a_word(scene: Scene) -> None:
    """Whoever lists processes reads their words: secrets come from files, the environment, or a prompt."""
    options: list[tuple[str, Any]] = []

    def look(group: Any, before: str = "") -> None:
        for name, command in getattr(group, "commands", {}).items():
            look(command, f"{before}{name} ")
        options.extend((before, option) for option in group.params)

    look(typer.main.get_command(app))
    assert len(options) > 100
    telling = re.compile(r"passphrase|secret|password|seed|recovery|token")
    named = {each: option for _, option in options for each in option.opts if telling.search(each)}
    assert set(named) == {"--passphrase-file", "--recovery-key", "--new-recovery", "--seed"}
    for name in ("--passphrase-file", "--recovery-key"):
        assert named[name].metavar == "FILE"
    assert named["--new-recovery"].is_flag
    assert {at for at, option in options if "--seed" in option.opts} == {"demo "}, "of a day whose secrets are played"
