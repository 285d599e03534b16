"""Reasons for which a node cannot be made, started or asked."""

from gridproof.errors import GridproofError


class NodeError(GridproofError):
    """A node of a network cannot do what was asked."""


class LastingError(NodeError):
    """A node does not start, and would not if it were tried again; see to the cause first."""


class NoNodeError(LastingError):
    """There is no node in this folder. `gridproof net init` makes a network's, `gridproof node init` a single one."""

    folder: str


class NodeFolderTakenError(NodeError):
    """Something is there already that is no empty folder; nothing was made. Name another place, or empty it."""

    folder: str


class NodeSettingsError(LastingError):
    """The node's settings have a fault; nothing was started. Mend the place that is named."""

    path: str
    detail: str


class NodeRunningError(LastingError):
    """The node of this folder runs already, and goes on; a second one was not started. `gridproof node status` tells
    how it is.
    """

    folder: str
    held_by: str


class EngineMissingError(LastingError):
    """There is no engine: CometBFT of this version. Install it with
    `go install github.com/cometbft/cometbft/cmd/cometbft@v{version}`, or name it in `engine.program`.
    """

    version: str
    looked_at: str


class EngineVersionError(LastingError):
    """The engine is of another version than this program works with; nothing was started. Install CometBFT `wanted`."""

    program: str
    found: str
    wanted: str


class AddressTakenError(NodeError):
    """Another process listens at an address of the node; nothing was started. Stop it, or change the setting."""

    setting: str
    address: str
    detail: str


class SignerKeyLostError(LastingError):
    """The key that this node votes with is gone; nothing was started, for the engine would make another one, which has
    no vote. Put it back from your backup; or make a new node with `gridproof node init`, and `gridproof node join` asks
    for its vote in place of the old one's.
    """

    path: str


class SignerStateLostError(LastingError):
    """The record of what this node's key has signed is gone, or cannot be read; the node does not start, for it could
    sign twice. Run `gridproof node recover`: it moves the record past everything that the network has decided.
    """

    path: str


class EngineDataLostError(LastingError):
    """The engine's blocks are gone while the ledger's state is here; the engine cannot go on from that.
    Run `gridproof node recover`: it lays the state aside and lets the node fetch all from the others.
    """

    folder: str


class NodeStoppedError(LastingError):
    """The node stopped and does not start again by itself; all that was committed is kept."""

    cause: str


class NodeSilentError(NodeError):
    """The node of this folder gives no answer. Start it with `gridproof node start`, wait where it still fetches
    blocks, or look at `gridproof node logs`.
    """

    node: str


class NodeSilentSinceError(NodeSilentError):
    """The node of this folder gives no answer; what was sent may take effect all the same. Start it with
    `gridproof node start`, wait where it still fetches blocks, or look at `gridproof node logs`.
    """


class NetworkSilentError(NodeError):
    """Not all nodes of the network answered in time. `gridproof net status` tells which, `gridproof net logs` why."""

    waited_s: int
    detail: str


class NoNetworkError(NodeError):
    """There is no network in this folder. `gridproof net init` makes one."""

    folder: str


class RequestError(NodeError):
    """The file is no request to join this network; nothing was sent. Ask for a fresh one: `gridproof node join`."""

    path: str
    detail: str


class RequestMissingError(NodeError):
    """There is no such file, and a proposal is not called so; nothing was sent. Check the path, or give all digits that
    `gridproof node proposals` shows.
    """

    given: str


class NoSuchValidatorError(NodeError):
    """No company of this name has a vote; nothing was sent. Name one of `known`."""

    name: str
    known: str


class OwnVoteError(NodeError):
    """The vote is this company's own; nothing was sent. `gridproof node leave` gives it back."""

    name: str


class NoSuchProposalError(NodeError):
    """No open proposal has an id that begins so, or the digits are too few to name one safely; nothing was sent.
    Give all digits that `gridproof node proposals` shows.
    """

    given: str
    known: str


class NetworkUnlikeError(NodeError):
    """Nothing that answers there can be used to join a network; nothing was made. Name the RPC of a running node with
    `--from`, such as `http://HOST:26657`, or another of the network's nodes.
    """

    url: str
    detail: str


class CompanyUnknownError(NodeError):
    """The ledger knows no company of this name, so that keys would be of no use to it; nothing was made. Have the
    operator register it, correct `--name`, or leave `--keys` away.
    """

    name: str
    known: str


class KeysOfAnotherError(NodeError):
    """The key file is another company's; nothing was made. Name the company's own with `--keys`."""

    path: str
    name: str
    owner: str


class NodeRunsError(NodeError):
    """The node runs; nothing was changed. Stop it first."""

    folder: str


class VoteNeededError(NodeError):
    """The key would sign nothing for so many blocks, and without its power the others have no two thirds: these blocks
    would never come, and the network would stand still for good. Nothing was changed. Where what the key has signed is
    known and only blocks or state are wrong, move `engine/data` away and recover without `--anew`: the record stays.
    `--yes` silences the key all the same.
    """

    blocks: int
    power: int
    total: int


class NothingToRecoverError(NodeError):
    """Nothing is missing in this node's folder; nothing was changed. `gridproof node start` starts it."""

    folder: str
