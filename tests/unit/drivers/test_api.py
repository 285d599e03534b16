"""The packages that others rely on offer these names, and nothing by accident."""

import importlib

import pytest

NAMES = {
    "connectors.ledger": {
        "ClientError", "GivenUpError", "InProcessClient", "LedgerClient", "NetworkClient", "NodeSilentError",
        "NodeSpeaksOtherwiseError", "NodeUnreachableError", "NodeView", "NodesUnreachableError", "Proven",
        "RemoteHistory", "Sender", "Sent", "SentUnansweredError", "SocketClient", "UnprovenError",
    },
    "drivers.embedded": {
        "ApplicationFactory", "EmbeddedLedger", "FolderLock", "Limits", "Node", "Options", "back_up", "holder_of",
        "is_held", "restore",
    },
    "drivers.snapshots": {
        "CHUNK_BYTES", "FOLDER_NAME", "FORMAT", "Intake", "MAX_CHUNKS", "MAX_CHUNK_BYTES", "Manifest", "Snapshot",
        "SnapshotFolder", "discard", "head_of", "is_restoring", "read_manifest",
    },
    "state": {
        "ADDRESS_SIZE", "B16", "B20", "B32", "BLOCK_EVENTS", "U8", "U16", "U32", "U64", "Accounts", "Answer",
        "Application", "Block", "BlockInfo", "BlockResult", "Context", "EnvelopeError", "Event", "Genesis",
        "GenesisError", "GenesisSection", "Head", "Map", "Message", "Migration", "Misbehaviour", "Module",
        "NoValidators", "Overlay", "Proposal", "Reader", "Record", "Route", "SerialVerifier", "SideMap",
        "SignatureClaim", "SnapshotReader", "StateError", "StoredEvent", "Transaction", "TransactionPlace",
        "TransactionResult", "Upgrade", "Validator", "ValidatorBook", "Verifier", "Violation", "Writer",
        "address_of", "genesis_section", "question", "route", "sign_transaction",
    },
}  # fmt: skip


@pytest.mark.parametrize("package", NAMES)
def test_a_package_offers_these_names_and_has_them(package: str) -> None:
    loaded = importlib.import_module(f"gridproof.{package}")
    assert set(loaded.__all__) == NAMES[package]
    assert all(hasattr(loaded, name) for name in loaded.__all__)
