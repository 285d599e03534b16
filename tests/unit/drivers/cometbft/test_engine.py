"""The engine's own files, byte by byte; `tests/integration/test_engine_files.py` has the engine itself read them."""

import json
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridproof.drivers.cometbft.engine import (
    MAX_RPC_BYTES,
    EngineKey,
    EngineSettings,
    StateSync,
    config_file,
    genesis_file,
    node_key_file,
    read_signer_file,
    signer_file,
    signer_state_file,
)
from gridproof.drivers.cometbft.errors import EngineFileError
from gridproof.drivers.cometbft.service import read_app_state
from gridproof.drivers.limits import MAX_BLOCK_BYTES
from gridproof.primitives import ed25519
from gridproof.state import Validator, address_of
from gridproof.state.transaction import MAX_TRANSACTION_BYTES

from tests.tiny.app import tiny_genesis

KEY = EngineKey(bytes(range(32)))
SETTINGS = EngineSettings(
    name="Alpha",
    application="/run/alpha/node.sock",
    rpc="127.0.0.1:26657",
    p2p="0.0.0.0:26656",
    external="alpha.example:26656",
    peers=("ab" * 20 + "@beta.example:26656", "cd" * 20 + "@gamma.example:26656"),
)


def read(**changes: Any) -> Mapping[str, Any]:
    return tomllib.loads(config_file(SETTINGS._replace(**changes)).decode())


# --- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_signs_as_ed25519_and_is_called_by_the_hash_of_its_public_part() -> None:
    assert KEY.public == ed25519.public_key(KEY.seed)
    assert KEY.address == address_of(KEY.public)
    ed25519.verify(KEY.public, b"message", KEY.sign(b"message"))


def test_a_key_is_not_shown() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}", repr([KEY]), repr({"key": KEY})):
        assert KEY.seed.hex() not in shown
        assert repr(KEY.seed) not in shown
        assert KEY.address.hex() in shown


@pytest.mark.parametrize("make", [signer_file, node_key_file])
def test_a_key_file_is_read_again(make: Any) -> None:
    assert read_signer_file(make(KEY), "x") == KEY


def test_the_signers_file_names_address_and_public_key() -> None:
    told = json.loads(signer_file(KEY))
    assert told["address"] == KEY.address.hex().upper()
    assert told["pub_key"] == {"type": "tendermint/PubKeyEd25519", "value": b64encode(KEY.public).decode()}
    assert set(json.loads(node_key_file(KEY))) == {"priv_key"}


SECRET = b64encode(KEY.seed + KEY.public).decode()
ED = "tendermint/PrivKeyEd25519"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"{}",
        b"[" * 60_000,
        b'{"priv_key": 5}',
        json.dumps({"priv_key": {"value": SECRET}}).encode(),
        json.dumps({"priv_key": {"type": ED}}).encode(),
        json.dumps({"priv_key": {"type": ED, "value": SECRET[:-4]}}).encode(),
        json.dumps({"priv_key": {"type": ED, "value": SECRET + "===="}}).encode(),
        json.dumps({"priv_key": {"type": ED, "value": "*" * 88}}).encode(),
        json.dumps({"priv_key": {"type": "tendermint/PrivKeySecp256k1", "value": SECRET}}).encode(),
        json.dumps({"priv_key": {"type": ED, "value": b64encode(KEY.seed + bytes(32)).decode()}}).encode(),
    ],
)
def test_what_is_no_key_file_is_refused_and_nothing_of_it_told(content: bytes) -> None:
    with pytest.raises(EngineFileError) as refused:
        read_signer_file(content, "/node/signer/key.json")
    assert refused.value.path == "/node/signer/key.json"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert SECRET[:20] not in str(refused.value)


def test_a_signers_record_begins_at_nothing_or_silences_the_key_up_to_a_height() -> None:
    assert json.loads(signer_state_file()) == {"height": "0", "round": 0, "step": 0}
    assert json.loads(signer_state_file(120)) == {"height": "120", "round": 0, "step": 3}


# --- genesis ---------------------------------------------------------------------------------------------------------


def test_the_engines_genesis_holds_the_ledgers_byte_for_byte() -> None:
    told = json.loads(
        genesis_file("tiny-1", tiny_genesis(), 1_760_000_000, [("Zürich & Söhne", Validator(3, KEY.public, 10))])
    )
    assert read_app_state(json.dumps(told["app_state"]).encode()) == tiny_genesis()
    assert (told["chain_id"], told["genesis_time"]) == ("tiny-1", "2025-10-09T08:53:20Z")
    (validator,) = told["validators"]
    assert validator == {
        "address": KEY.address.hex().upper(),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": b64encode(KEY.public).decode()},
        "power": "10",
        "name": "Zürich & Söhne",
    }
    assert told["app_hash"] == ""
    parameters = told["consensus_params"]
    assert parameters["validator"] == {"pub_key_types": ["ed25519"]}
    assert int(parameters["block"]["max_bytes"]) == MAX_BLOCK_BYTES


def test_genesis_files_of_one_network_are_the_same_bytes() -> None:
    def made() -> bytes:
        return genesis_file("tiny-1", tiny_genesis(), 5, [("a", Validator(1, KEY.public, 10))])

    assert made() == made()


def test_a_block_takes_the_largest_transaction_and_the_rpc_its_text() -> None:
    assert 2 * MAX_TRANSACTION_BYTES < MAX_BLOCK_BYTES
    assert MAX_TRANSACTION_BYTES * 4 // 3 + 2**10 < MAX_RPC_BYTES


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_say_what_the_node_says() -> None:
    told = read(commit_ms=200, is_strict=True, log_level="error")
    assert told["proxy_app"] == "unix:///run/alpha/node.sock"
    assert (told["moniker"], told["log_level"], told["log_format"]) == ("Alpha", "error", "json")
    assert told["rpc"]["laddr"] == "tcp://127.0.0.1:26657"
    assert told["p2p"]["laddr"] == "tcp://0.0.0.0:26656"
    assert told["p2p"]["external_address"] == "alpha.example:26656"
    assert told["p2p"]["persistent_peers"] == ",".join(SETTINGS.peers)
    assert told["p2p"]["addr_book_strict"] is True
    assert told["consensus"] == {"timeout_commit": "200ms", "create_empty_blocks": False}
    assert told["statesync"] == {"enable": False}


def test_what_is_signed_is_kept_apart_from_what_may_be_fetched_again() -> None:
    told = read()
    assert told["priv_validator_key_file"] == "../signer/key.json"
    assert told["priv_validator_state_file"] == "../signer/state.json"


def test_no_setting_holds_a_secret() -> None:
    assert SECRET.encode() not in config_file(SETTINGS)
    assert b"PrivKey" not in config_file(SETTINGS)


def test_nobody_is_asked_in_and_what_cannot_enter_a_block_is_looked_at_again() -> None:
    told = read()
    assert told["p2p"]["pex"] is False
    assert told["mempool"]["recheck"] is True
    assert told["mempool"]["max_tx_bytes"] == MAX_TRANSACTION_BYTES
    assert told["tx_index"]["indexer"] == "null"


def test_figures_are_served_where_an_address_is_given_only() -> None:
    assert read()["instrumentation"]["prometheus"] is False
    told = read(figures="127.0.0.1:26660")["instrumentation"]
    assert (told["prometheus"], told["prometheus_listen_addr"]) == (True, "127.0.0.1:26660")


def test_a_node_that_joins_by_a_snapshot_is_told_what_to_trust() -> None:
    told = read(state_sync=StateSync(("http://a:1", "http://b:2"), 7, b"\xab" * 32, 3_600))["statesync"]
    assert told["enable"] is True
    assert (told["rpc_servers"], told["trust_height"]) == ("http://a:1,http://b:2", 7)
    assert (told["trust_hash"], told["trust_period"]) == ("ab" * 32, "3600s")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_name_of_any_letters_is_told_the_engine_in_those_that_it_takes(name: str) -> None:
    """It ends at the start otherwise: `info.Moniker must be valid non-empty ASCII text without tabs`."""
    moniker = read(name=name)["moniker"]
    assert moniker.isascii()
    assert moniker.isprintable()
    assert moniker.strip() == moniker != ""


@pytest.mark.parametrize(
    ("name", "moniker"),
    [
        ("Alpha", "Alpha"),
        (" Zürich & Söhne ", "Zurich & Sohne"),
        ("日本", "node"),
        ("a\tb", "ab"),
        ("\U0001f600", "node"),
    ],
)
def test_a_name_stays_as_near_as_it_can(name: str, moniker: str) -> None:
    assert read(name=name)["moniker"] == moniker


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_text_of_any_letters_is_read_as_it_was_written(text: str) -> None:
    """TOML knows no pairs of escapes, as JSON writes letters beyond the basic plane."""
    assert read(log_level=text)["log_level"] == text


def test_the_settings_are_the_same_bytes_at_every_start() -> None:
    assert config_file(SETTINGS) == config_file(SETTINGS)
    assert b"node.toml" in config_file(SETTINGS).splitlines()[0]
