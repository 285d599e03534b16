"""Holding a community's settings and genesis document against its ledger.

Rules:
    G-1 The ledger in the folder is the one that the folder's genesis document founded.
    G-2 What the ledger was founded with stays: zone, currency, clock, period, and all of a region but its privacy.
    G-3 A region of the ledger stays in the settings; one of the settings that the ledger lacks is added later.
    G-4 What kind of ledger it is stays, too: one that the genesis document gives validators to is a network's, and one
        without that lies in the folder is the folder's own.
"""

from typing import Final

from gridproof.connectors.config import Fault, Faults, Settings
from gridproof.connectors.files import FileUnreadableError
from gridproof.connectors.ledger import LedgerClient
from gridproof.modules.consensus.keeper import NAME as CONSENSUS
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.types import Region
from gridproof.state import system
from gridproof.state.genesis import Genesis, genesis_hash, parse_genesis

from .errors import CommunityError
from .folder import Folder
from .founding import region_parameters

CHANGING: Final = ("k_min", "min_live_permille")  # of a region's parameters: told to the ledger at the next run
_SECTIONS: Final = {
    "period_s": "community",
    "window_s": "windows",
    "window_blocks": "windows",
    "opening_s": "windows",
    "claim_s": "windows",
    "retention_months": "ledger",
}


class ForeignLedgerError(CommunityError):
    """This ledger is another community's: `genesis.json` is not what it was founded with; nothing was done.
    Bring the community's own ledger and genesis document together.
    """

    ledger: str
    genesis: str


class SettingsDifferError(CommunityError):
    """Settings differ from the ledger's, which stay what they were at the founding; nothing was done.
    Set them back in gridproof.toml.
    """

    differences: Faults


def own_genesis(folder: Folder, ledger_chain: str, ledger_hash: bytes) -> Genesis | None:
    """The folder's genesis document, once it is found to be the ledger's (G-1); None where there is none.

    Args:
        folder: the community's.
        ledger_chain: name of the ledger's chain.
        ledger_hash: tagged hash of the document that the ledger was founded with, 32 bytes.

    Raises:
        ForeignLedgerError: the ledger was founded with another one.
        GenesisError: the document is none.
        FileUnreadableError: the system refuses it.
    """
    found = _read_genesis(folder)
    if found is None:
        return None
    document, hash_ = found
    if hash_ != ledger_hash:
        raise ForeignLedgerError(ledger=ledger_chain, genesis=document.chain_id)
    return document


def kind_faults(folder: Folder, settings: Settings) -> Faults:
    """What the settings say otherwise than the folder of what kind the ledger is (G-4); no ledger is asked.

    Raises:
        GenesisError, FileUnreadableError: the genesis document is none.
    """
    found, kind = _read_genesis(folder), settings.ledger.kind
    is_voted_on = found is not None and CONSENSUS in found[0].modules
    if kind == "embedded" and is_voted_on:
        sentence = (
            "genesis.json says that a network keeps this ledger. Set it to network, and name nodes in ledger.nodes"
        )
        return Faults([Fault("ledger.kind", sentence)])
    if kind == "network" and not is_voted_on and folder.database.is_dir():
        return Faults(
            [Fault("ledger.kind", "the ledger lies in this folder, and no network has it. Set it to embedded")]
        )
    return Faults()


def require_kind(folder: Folder, settings: Settings) -> None:
    """Return unless the settings are wrong about what kind of ledger it is (G-4).

    Raises:
        SettingsDifferError: they are.
        GenesisError, FileUnreadableError: the genesis document is none.
    """
    faults = kind_faults(folder, settings)
    if faults:
        raise SettingsDifferError(differences=faults)


def chain_of(folder: Folder) -> str | None:
    """The chain's name by the folder's genesis document; None where there is none.

    Raises:
        GenesisError: the document is none.
        FileUnreadableError: the system refuses it.
    """
    document = _read_genesis(folder)
    return None if document is None else document[0].chain_id


def differences(folder: Folder, settings: Settings, client: LedgerClient) -> Faults:
    """What the settings say otherwise than the ledger and cannot (G-2, G-3).

    Raises:
        ForeignLedgerError, GenesisError, FileUnreadableError: the genesis document is not the ledger's.
    """
    status = client.status()
    genesis = own_genesis(folder, status.chain_id, status.genesis_hash)
    faults = []
    if genesis is not None:
        faults += _compared("community.zone", genesis.zone, settings.community.zone)
        faults += _compared("community.currency", genesis.currency, settings.community.currency)
    clock = "block" if client.ask(system.operator_clock_s) is None else "operator"
    faults += _compared("ledger.clock", clock, settings.ledger.clock)
    for number, known in client.ask(registry.regions):
        faults += _of_region(settings, number, known)
    return Faults(dict.fromkeys(faults))


def require_agreement(folder: Folder, settings: Settings, client: LedgerClient) -> None:
    """Return if nothing of the settings contradicts the ledger.

    Raises:
        SettingsDifferError: something does; all of it is named.
        ForeignLedgerError, GenesisError, FileUnreadableError: the genesis document is not the ledger's.
    """
    found = differences(folder, settings, client)
    if found:
        raise SettingsDifferError(differences=found)


def _read_genesis(folder: Folder) -> tuple[Genesis, bytes] | None:
    """The folder's genesis document and its tagged hash."""
    try:
        raw = folder.genesis.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise FileUnreadableError(path=str(folder.genesis), detail=failure.strerror or str(failure)) from failure
    return parse_genesis(raw), genesis_hash(raw)


def _of_region(settings: Settings, number: int, known: Region) -> list[Fault]:
    at = next((at for at, region in enumerate(settings.regions, 1) if region.number == number), None)
    if at is None:
        return [Fault("regions", f"region {number} {known.name!r} of the ledger is not in the settings. Put it back")]
    faults = []
    for name, value in region_parameters(settings, settings.regions[at - 1]).items():
        if name != "region" and name not in CHANGING:
            key = f"{_SECTIONS[name]}.{name}" if name in _SECTIONS else f"regions[{at}].{name}"
            faults += _compared(key, getattr(known, name), value)
    return faults


def _compared(key: str, kept: object, given: object) -> list[Fault]:
    if kept == given:
        return []
    name = key.rpartition(".")[2]
    return [Fault(key, f"{name} is {kept} on the ledger for good, and {given} here. Set it back to {kept}")]
