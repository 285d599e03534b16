"""The settings of a community, each with its type, limits, unit, default and meaning: the one table of all of them.

`table` reads it; the check, the commented file and the page of the documentation are made from that. Limits and
defaults of what the ledger keeps are the registry's own.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from gridproof.connectors.http import HTTP_URL
from gridproof.domain import MAX_READING_WH, U16_MAX
from gridproof.modules.registry.parameters import DEFAULT_PERIOD_S, PARAMETERS, PRIVACY

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f-\x9f\s](?:[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s])?\Z"
_INSIDE: Final = r"^(?!/)(?!(?:.*/)?\.\.?(?:/|\Z))[^\x00-\x1f\x7f]+\Z"
_NAME_FORM: Final = "1 to 64 printable characters without blanks at the ends"
_NODE_FORM: Final = "an address such as http://127.0.0.1:26657, without a name or password in it"
_PATH_FORM: Final = "a path below the community's folder"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


def _name(meaning: str) -> Meta:
    return Meta(max_length=64, pattern=_PRINTABLE, description=meaning, extra={"form": _NAME_FORM})


def _path(meaning: str) -> Meta:
    return Meta(max_length=200, pattern=_INSIDE, description=meaning, extra={"form": _PATH_FORM})


def _parameter(name: str, meaning: str, unit: str = "") -> Meta:
    limits = PARAMETERS[name] if name in PARAMETERS else PRIVACY[name]
    return Meta(ge=limits.low, le=limits.high, description=meaning, extra={"unit": unit})


class Community(Section, frozen=True):
    """The community as a whole."""

    name: Annotated[str, _name("What people call the community.")]
    zone: Annotated[
        str,
        Meta(
            description="Time zone, by its IANA name, in which months and days are cut.",
            extra={"form": "an IANA name such as Europe/Zurich"},
        ),
    ]
    currency: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z]{3}\Z",
            description="Currency of prices and bills, by its ISO 4217 code.",
            extra={"form": "three capital letters such as CHF"},
        ),
    ]
    period_s: Annotated[
        Literal[300, 600, 900, 1800, 3600],
        Meta(description="Length of a metering period. It cannot change later.", extra={"unit": "seconds"}),
    ] = DEFAULT_PERIOD_S


class Region(Section, frozen=True):
    """A part of the grid with totals and prices of its own."""

    number: Annotated[int, Meta(ge=1, le=U16_MAX, description="Number of the region on the ledger.")]
    name: Annotated[str, _name("What people call the region.")]


class Aggregator(Section, frozen=True):
    """A data aggregator that takes meters' records."""

    name: Annotated[str, _name("Name of the data aggregator on the ledger.")]
    regions: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=U16_MAX)], ...],
        Meta(description="Numbers of the regions that it serves; none means all of them."),
    ] = ()


class Privacy(Section, frozen=True):
    """When a total may come out; a change counts from the next month on."""

    k_min: Annotated[int, _parameter("k_min", "The fewest meters with a live pair for which a total comes out.")] = (
        PRIVACY["k_min"].default
    )
    min_live_permille: Annotated[
        int, _parameter("min_live_permille", "The least share of enrolled meters with a live pair.", "1/1000")
    ] = PRIVACY["min_live_permille"].default


class Windows(Section, frozen=True):
    """How long the ledger waits for what."""

    window_s: Annotated[int, _parameter("window_s", "How long after a period's end batches are taken.", "seconds")] = (
        PARAMETERS["window_s"].default
    )
    window_blocks: Annotated[
        int,
        _parameter("window_blocks", "How many blocks must follow a slot's first batch before it closes.", "blocks"),
    ] = PARAMETERS["window_blocks"].default
    opening_s: Annotated[
        int, _parameter("opening_s", "How long after the window a slot's masks may be opened.", "seconds")
    ] = PARAMETERS["opening_s"].default
    claim_s: Annotated[
        int, _parameter("claim_s", "How long after the window a dropped record may be claimed.", "seconds")
    ] = PARAMETERS["claim_s"].default


class Spares(Section, frozen=True):
    """Spare places of each region's roster, for meters that come during a month."""

    minimum: Annotated[int, Meta(ge=0, le=10_000, description="At least so many.", extra={"unit": "places"})] = 4
    percent: Annotated[
        int, Meta(ge=0, le=1_000, description="So many for each hundred enrolled meters.", extra={"unit": "%"})
    ] = 10


class Meters(Section, frozen=True):
    """What a meter can plausibly say."""

    plausible_limit_wh: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_READING_WH - 1,
            description="A reading above this is taken for a fault and left out of the total.",
            extra={"unit": "Wh in one period"},
        ),
    ] = 50_000


class Filters(Section, frozen=True):
    """The Bloom filters that sort out strangers' records early."""

    false_positive_one_in: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000_000,
            description="One stranger's record in so many passes (and fails at the roster).",
            extra={"unit": "records"},
        ),
    ] = 1_000_000


class Ledger(Section, frozen=True):
    """The ledger itself."""

    kind: Annotated[
        Literal["embedded", "network"],
        Meta(description="A ledger in this folder, or one that a network's nodes keep. It cannot change later."),
    ] = "embedded"
    nodes: Annotated[
        tuple[Annotated[str, Meta(max_length=200, pattern=HTTP_URL, extra={"form": _NODE_FORM})], ...],
        Meta(
            max_length=100,
            description="Addresses of the network's nodes; the first one that answers is asked.",
        ),
    ] = ()
    clock: Annotated[
        Literal["operator", "block"],
        Meta(
            description=(
                "What moves the ledger's time: the blocks' own time, or only the operator's word, "
                "for demonstrations and imported pasts. It cannot change later."
            )
        ),
    ] = "operator"
    retention_months: Annotated[
        int,
        _parameter("retention_months", "How long after its closing a month's batch bodies are kept.", "months"),
    ] = PARAMETERS["retention_months"].default


class Content(Section, frozen=True):
    """Where encrypted bills and other content is kept, by the name that its bytes give it."""

    store: Annotated[
        Literal["folder", "kubo"],
        Meta(description="A folder (`paths.content`), or a Kubo node, which speaks IPFS."),
    ] = "folder"
    kubo_url: Annotated[
        str,
        Meta(
            max_length=200,
            pattern=HTTP_URL,
            description="Address of the Kubo node's RPC. Who reaches it rules the node: keep it on this machine.",
            extra={"form": "an address such as http://127.0.0.1:5001, without a name or password in it"},
        ),
    ] = "http://127.0.0.1:5001"


class Paths(Section, frozen=True):
    """Where things lie in the community's folder."""

    genesis: Annotated[str, _path("The ledger's first state.")] = "genesis.json"
    tariff: Annotated[str, _path("What energy costs; without this file, months are opened without prices.")] = (
        "tariff.toml"
    )
    ledger: Annotated[str, _path("The ledger's database.")] = "ledger"
    socket: Annotated[str, _path("Where the running node takes other processes' requests.")] = "node.sock"
    readings: Annotated[str, _path("The meters' readings.")] = "readings.db"
    secrets: Annotated[str, _path("Keys and seeds.")] = "secrets"
    enrolments: Annotated[str, _path("Files to hand to meters and households.")] = "enrolments"
    outbox: Annotated[str, _path("The meters' records, kept until they are on the ledger.")] = "outbox"
    content: Annotated[str, _path("The content store, where it is a folder.")] = "public/content"


class Settings(Section, frozen=True):
    """All settings of a community's folder."""

    community: Community
    regions: Annotated[tuple[Region, ...], Meta(min_length=1, max_length=1_000)]
    aggregators: Annotated[tuple[Aggregator, ...], Meta(min_length=1, max_length=1_000)]
    privacy: Privacy = Privacy()
    windows: Windows = Windows()
    spares: Spares = Spares()
    meters: Meters = Meters()
    filters: Filters = Filters()
    ledger: Ledger = Ledger()
    content: Content = Content()
    paths: Paths = Paths()

    def regions_of(self, aggregator: Aggregator) -> tuple[int, ...]:
        """Numbers of the regions that a data aggregator serves, ascending."""
        return tuple(sorted(aggregator.regions or (region.number for region in self.regions)))

    def spare_places(self, meters: int) -> int:
        """How many spare places a roster gets.

        Args:
            meters: meters enrolled on the channel when the roster is made.
        """
        return max(self.spares.minimum, -(-meters * self.spares.percent // 100))
