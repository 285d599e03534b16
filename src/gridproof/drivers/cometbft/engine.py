"""The engine's own files: keys, genesis and settings, as CometBFT 0.38 reads them.

The settings are written anew from the node's at every start, so that they never contradict them; keys, genesis and the
signer's state are written once. Settings that stand at the engine's default are left out.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from unicodedata import normalize

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridproof.drivers.limits import MAX_BLOCK_BYTES
from gridproof.state import Validator
from gridproof.state.transaction import MAX_TRANSACTION_BYTES
from gridproof.state.validators import address_of

from .errors import EngineFileError
from .service import write_app_state

VERSION: Final = "0.38.25"
SEED_BYTES: Final = 32
SIGNED: Final = 3  # the engine's number of the last step of a round
# Beside the engine's folder, so that whoever loses or removes its data does not lose what the key has signed.
SIGNER_KEY: Final = "../signer/key.json"
SIGNER_STATE: Final = "../signer/state.json"
MAX_RPC_BYTES: Final = 12 * 2**20  # a transaction in base64, and what stands around it
EVIDENCE_BLOCKS: Final = 100_000
EVIDENCE_NS: Final = (
    21 * 86_400 * 10**9
)  # a week more than headers are trusted for (`actors.proofs.anchor`, `sync.trust_s`)


class EngineKey(NamedTuple):
    """An ed25519 key of the engine.

    Attributes:
        seed: 32 bytes, secret.
    """

    seed: bytes

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def address(self) -> bytes:
        """What the engine calls the key, 20 bytes."""
        return address_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """Sign a message; 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def __repr__(self) -> str:
        return f"EngineKey({self.address.hex()})"


def signer_file(key: EngineKey) -> bytes:
    """The content of `priv_validator_key.json`; secret."""
    return _json(
        {
            "address": key.address.hex().upper(),
            "pub_key": _typed("tendermint/PubKeyEd25519", key.public),
            "priv_key": _typed("tendermint/PrivKeyEd25519", key.seed + key.public),
        }
    )


def read_signer_file(raw: bytes, path: str) -> EngineKey:
    """Read the key of a `priv_validator_key.json` or `node_key.json`.

    Args:
        raw: its content.
        path: the file, for the error.

    Raises:
        EngineFileError: it holds no ed25519 key.
    """
    try:
        told = json.loads(raw)["priv_key"]
        kind, secret = told["type"], b64decode(told["value"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError):  # not named as the cause: it holds what the file holds
        raise EngineFileError(path=path, detail="it is no key file of the engine") from None
    if kind != "tendermint/PrivKeyEd25519" or len(secret) != 2 * SEED_BYTES:
        raise EngineFileError(path=path, detail="its key is no ed25519 key")
    key = EngineKey(secret[:SEED_BYTES])
    if key.public != secret[SEED_BYTES:]:
        raise EngineFileError(path=path, detail="the halves of its key do not belong together")
    return key


def node_key_file(key: EngineKey) -> bytes:
    """The content of `node_key.json`; secret."""
    return _json({"priv_key": _typed("tendermint/PrivKeyEd25519", key.seed + key.public)})


def signer_state_file(height: int = 0) -> bytes:
    """The content of `priv_validator_state.json`: what the key has signed last.

    Args:
        height: up to which it signs nothing any more; 0 for a key that never signed.
    """
    return _json({"height": str(height), "round": 0, "step": SIGNED if height else 0})


def genesis_file(
    chain_id: str, genesis: bytes, genesis_time_s: int, validators: Sequence[tuple[str, Validator]]
) -> bytes:
    """The content of the engine's `genesis.json`, which all nodes of a network share.

    Args:
        chain_id: name of the chain.
        genesis: the ledger's own genesis document.
        genesis_time_s: UTC epoch seconds; not in the future, for the engine would wait.
        validators: each with its name.
    """
    return _json(
        {
            "genesis_time": datetime.fromtimestamp(genesis_time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "chain_id": chain_id,
            "initial_height": "1",
            "consensus_params": {
                "block": {"max_bytes": str(MAX_BLOCK_BYTES), "max_gas": "-1"},
                "evidence": {
                    "max_age_num_blocks": str(EVIDENCE_BLOCKS),
                    "max_age_duration": str(EVIDENCE_NS),
                    "max_bytes": "1048576",
                },
                "validator": {"pub_key_types": ["ed25519"]},
                "version": {"app": "0"},
                "abci": {"vote_extensions_enable_height": "0"},
            },
            "validators": [_validator(name, each) for name, each in validators],
            "app_hash": "",
            "app_state": write_app_state(genesis),
        }
    )


class StateSync(NamedTuple):
    """How a new node takes a snapshot instead of all blocks.

    Attributes:
        servers: at least two addresses of nodes' RPC.
        height: of a header that is trusted.
        header_hash: its hash, 32 bytes.
        trust_s: for how long that header may be trusted, seconds.
    """

    servers: tuple[str, ...]
    height: int
    header_hash: bytes
    trust_s: int


class EngineSettings(NamedTuple):
    """What the engine is told.

    Attributes:
        name: of the node, for people.
        application: path of the Application's socket.
        rpc: where it serves its RPC, `host:port`.
        p2p: where it listens for other nodes, `host:port`.
        external: what other nodes call that, `host:port`.
        peers: of nodes to keep a connection with, `id@host:port`.
        commit_ms: how long it waits after a block for late votes, milliseconds.
        figures: where it serves figures for Prometheus, `host:port`; nowhere if empty.
        is_strict: whether it takes only peers with public addresses of their own.
        state_sync: how it joins, where it does not replay all blocks.
        log_level: of the engine's log.
    """

    name: str
    application: str
    rpc: str
    p2p: str
    external: str
    peers: tuple[str, ...]
    commit_ms: int = 1_000
    figures: str = ""
    is_strict: bool = False
    state_sync: StateSync | None = None
    log_level: str = "info"


def config_file(settings: EngineSettings) -> bytes:
    """The content of the engine's `config.toml`."""
    tables: dict[str, dict[str, Any]] = {
        "": {
            "proxy_app": f"unix://{settings.application}",
            "moniker": _moniker(settings.name),
            "log_level": settings.log_level,
            "log_format": "json",
            "priv_validator_key_file": SIGNER_KEY,
            "priv_validator_state_file": SIGNER_STATE,
        },
        "rpc": {
            "laddr": f"tcp://{settings.rpc}",
            "max_request_batch_size": 100,
            "max_body_bytes": MAX_RPC_BYTES,
        },
        "p2p": {
            "laddr": f"tcp://{settings.p2p}",
            "external_address": settings.external,
            "persistent_peers": ",".join(settings.peers),
            "pex": False,  # members know each other; nobody else is asked in
            "addr_book_strict": settings.is_strict,
            "allow_duplicate_ip": True,
            "flush_throttle_timeout": "10ms",
            "persistent_peers_max_dial_period": "2s",
            "send_rate": 20_480_000,
            "recv_rate": 20_480_000,
        },
        "mempool": {
            "recheck": True,  # what can no longer enter a block must go, or the engine makes blocks for it for ever
            "max_tx_bytes": MAX_TRANSACTION_BYTES,
            "max_txs_bytes": 256 * 2**20,
            "max_batch_bytes": 0,
        },
        "statesync": _state_sync(settings.state_sync),
        "consensus": {
            "timeout_commit": f"{settings.commit_ms}ms",
            "create_empty_blocks": False,  # a network at rest makes none
        },
        "tx_index": {"indexer": "null"},  # the Application knows where each transaction stands
        "instrumentation": {
            "prometheus": bool(settings.figures),
            "prometheus_listen_addr": settings.figures or ":26660",
            "namespace": "cometbft",
        },
    }
    lines = ["# Written by `gridproof node start` at every start: change node.toml instead."]
    for table, entries in tables.items():
        lines += [f"\n[{table}]"] if table else []
        lines += [f"{name} = {_toml(value)}" for name, value in entries.items()]
    return ("\n".join(lines) + "\n").encode()


def _state_sync(given: StateSync | None) -> dict[str, Any]:
    if given is None:
        return {"enable": False}
    return {
        "enable": True,
        "rpc_servers": ",".join(given.servers),
        "trust_height": given.height,
        "trust_hash": given.header_hash.hex(),
        "trust_period": f"{given.trust_s}s",
        "discovery_time": "5s",
        "chunk_request_timeout": "10s",
        "chunk_fetchers": "4",
    }


def _validator(name: str, validator: Validator) -> dict[str, Any]:
    return {
        "address": address_of(validator.key).hex().upper(),
        "pub_key": _typed("tendermint/PubKeyEd25519", validator.key),
        "power": str(validator.power),
        "name": name,
    }


def _moniker(name: str) -> str:
    """A name in the letters that the engine takes for it, printable ASCII; it is for people alone."""
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(each for each in plain if each.isprintable()).strip() or "node"


def _toml(value: object) -> str:
    """A text, number or truth value as TOML has it: what JSON writes, but for letters in pairs of escapes."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _typed(kind: str, raw: bytes) -> dict[str, str]:
    return {"type": kind, "value": b64encode(raw).decode()}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
