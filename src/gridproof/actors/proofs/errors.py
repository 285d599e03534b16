"""Reasons for which a proof to take away is not made, or does not hold."""

from gridproof.actors.errors import ActorError


class TrustFileError(ActorError):
    """The file of what you trust is none of a version that is known here; nothing was checked.
    `gridproof proof trust` writes one.
    """

    path: str
    detail: str


class NodesDisagreeError(ActorError):
    """The nodes name different headers at one height: one of them is of another chain, or lies. Nothing was written.
    Ask the members which header is theirs.
    """

    height: int
    first: str
    other: str


class TooFewNodesError(ActorError):
    """Fewer than two of the nodes name a header, so there is none that they agree on. Nothing was written.
    Start the others, or name the one that you mean with --node.
    """

    named: int
    silent: str


class NoValidatorsError(ActorError):
    """A ledger in one process has no validators who sign its headers, so a light client has nothing to go by.
    `gridproof export records`, `export bill` and `export history` write files that are checked against an app hash.
    Name a node of the network with --node where there is one.
    """


class StatementUnknownError(ActorError):
    """The file states something of a kind that is not known here, so it was not checked. Use a newer gridproof."""

    kind: str


class StatementFalseError(ActorError):
    """The header is proven, but what the file states does not follow from it. Have the file made again."""

    kind: str
    detail: str


class HouseholdNeededError(ActorError):
    """What the file states can only be read with the household's view secret. Name its file with --household."""

    kind: str


class CardNeededError(ActorError):
    """A bill's leaves and registers can only be checked with the month's card; all else in the file holds.
    Name the household's card with --card.
    """

    month: str


class AnchorTooYoungError(ActorError):
    """The header that you trust is younger than the state that is proven. Trust an earlier one of the same chain."""

    trusted: int
    height: int


class HeaderAwaitedError(ActorError):
    """No header tells this state yet: it stands in the block after it, which the network has not made. Try again."""

    height: int
    latest: int


class HeaderDiffersError(ActorError):
    """The node's header tells another state than the ledger that was asked: they are of different networks.
    Name a node of this ledger's network.
    """

    height: int
    ledger: str
    header: str


class ThereIsOneError(ActorError):
    """The ledger has it, so its absence cannot be proven; `gridproof proof export entry` proves what is there."""

    kind: str
    about: str


class InFoldError(ActorError):
    """Its month is closed and folded: it is there, and has no entry of its own any more, so nothing was written.
    Prove it through the fold with `gridproof proof export price`, or `total`.
    """

    kind: str
    about: str


class NoSuchKindError(ActorError):
    """The ledger's state has no entries that are called so; nothing was written. Name one of the kinds."""

    kind: str
    kinds: str


class PlaceFormError(ActorError):
    """These are not the parts of such an entry's place. Give them in this order: numbers, or hexadecimal digits."""

    kind: str
    parts: str


class NothingToProveError(ActorError):
    """The ledger has nothing of this to prove; `proof export absence` proves that it has not."""

    kind: str
    about: str
