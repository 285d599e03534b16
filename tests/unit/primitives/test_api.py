"""The public names of the primitives: pinned, so that a change of them is a decision."""

import importlib
import inspect
import pkgutil

import pytest

from gridproof import primitives
from gridproof.errors import GridproofError
from gridproof.primitives import errors

NAMES = {
    "bloom": ["MAX_CAPACITY", "MAX_ONE_IN", "BloomFilter"],
    "checks": ["has_size", "is_bytes", "is_text", "shown", "size_of"],
    "cid": [
        "CHUNK_SIZE",
        "DEFAULT_LAYOUT",
        "MAX_LINKS",
        "Layout",
        "Link",
        "cid_v1",
        "dag_pb",
        "dag_pb_links",
        "file_cid",
        "format_cid",
        "is_raw",
        "parse_cid",
    ],
    "ed25519": ["KEY_SIZE", "SIGNATURE_SIZE", "is_sound_key", "public_key", "sign", "verify"],
    "encoding": ["Codec", "decode", "encode"],
    "errors": [
        "DecryptionError",
        "InvalidArgumentError",
        "InvalidPointError",
        "InvalidProofError",
        "InvalidScalarError",
        "InvalidSignatureError",
        "MalformedEncodingError",
        "NonCanonicalEncodingError",
        "PrimitiveError",
    ],
    "ggm": ["MAX_DEPTH", "SEED_SIZE", "leaf", "leaves"],
    "hashing": ["HASH_SIZE", "Tag", "sha256", "tagged_hash"],
    "hkdf": ["MAX_LENGTH", "hkdf"],
    "hpke": ["KEY_SIZE", "OVERHEAD", "derive_secret", "public_key", "seal", "unseal"],
    "merkle": [
        "EMPTY_ROOT",
        "consistency_proof",
        "inclusion_proof",
        "inclusion_proofs",
        "leaf_hash",
        "multi_proof",
        "root",
        "verify_consistency",
        "verify_inclusion",
        "verify_multi",
    ],
    "schnorr": ["SIGNATURE_SIZE", "Signer", "find_invalid", "is_valid", "sign", "verify"],
    "sealing": [
        "DEFAULT_LOG2_N",
        "MAX_LOG2_N",
        "MIN_LOG2_N",
        "NONCE_SIZE",
        "SALT_SIZE",
        "PassphraseKey",
        "open_with_passphrase",
        "seal_with_passphrase",
    ],
    "secp256k1": [
        "COMPRESSED_SIZE",
        "ORDER",
        "POINT_SIZE",
        "SCALAR_SIZE",
        "is_point",
        "is_scalar",
        "parse_point",
        "point_of",
        "require_point",
        "require_scalar",
        "scalar_from_hash",
        "x_only",
        "x_only_all",
    ],
    "varint": ["MAX_BYTES", "MAX_VALUE", "decode", "encode"],
}


def test_every_module_is_listed_here() -> None:
    assert sorted(module.name for module in pkgutil.iter_modules(primitives.__path__)) == sorted(NAMES)


@pytest.mark.parametrize("module", NAMES)
def test_a_modules_public_names_are_pinned_and_there(module: str) -> None:
    loaded = importlib.import_module(f"gridproof.primitives.{module}")
    assert loaded.__all__ == NAMES[module]
    for name in loaded.__all__:
        thing = getattr(loaded, name)
        if inspect.isroutine(thing) or inspect.isclass(thing):
            assert thing.__doc__, name


def test_the_package_offers_its_errors() -> None:
    assert primitives.__all__ == NAMES["errors"]


@pytest.mark.parametrize("name", NAMES["errors"])
def test_each_error_says_in_a_sentence_what_happened(name: str) -> None:
    error = getattr(errors, name)
    assert issubclass(error, GridproofError)
    assert error.__doc__.split("\n\n")[0].rstrip().endswith(".")
