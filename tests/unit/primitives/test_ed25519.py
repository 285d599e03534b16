"""Ed25519, against RFC 8032 and against the curve itself."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridproof.primitives.ed25519 import is_sound_key, public_key, sign, verify
from gridproof.primitives.errors import InvalidArgumentError, InvalidScalarError, InvalidSignatureError

# RFC 8032, section 7.1: secret, public key, message, signature.
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493
Point = tuple[int, int]


@pytest.mark.parametrize("name", RFC_8032)
def test_rfc_8032(name: str) -> None:
    secret, public, message, signature = (bytes.fromhex(part) for part in RFC_8032[name])
    assert public_key(secret) == public
    assert is_sound_key(public)
    assert sign(secret, message) == signature
    verify(public, message, signature)


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_an_altered_signature_message_or_key_is_refused(at: int) -> None:
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032["TEST 3"])
    altered = bytearray(signature)
    altered[at] ^= 1
    for key, text, signed in (
        (public, message, bytes(altered)),
        (public, message + b"\x00", signature),
        (bytes.fromhex(RFC_8032["TEST 2"][1]), message, signature),
    ):
        with pytest.raises(InvalidSignatureError) as refused:
            verify(key, text, signed)
        assert refused.value.public_key == key


def test_a_scalar_beyond_the_order_is_refused() -> None:
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032["TEST 2"])
    beyond = (int.from_bytes(signature[32:], "little") + L).to_bytes(32, "little")
    with pytest.raises(InvalidSignatureError):
        verify(public, message, signature[:32] + beyond)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_has_another_size_is_refused(size: int) -> None:
    _, public, message, signature = (bytes.fromhex(part) for part in RFC_8032["TEST 1"])
    assert not is_sound_key(bytes([9]) * size)
    with pytest.raises(InvalidSignatureError):
        verify(bytes(size), message, signature)
    with pytest.raises(InvalidSignatureError):
        verify(public, message, signature[:size])
    with pytest.raises(InvalidScalarError) as refused:
        public_key(bytes(size))
    assert refused.value.length == size


def test_what_is_no_bytes_is_refused() -> None:
    _, public, _, signature = (bytes.fromhex(part) for part in RFC_8032["TEST 1"])
    with pytest.raises(InvalidSignatureError):
        verify(public, "text", signature)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError):
        sign(bytes(32), "text")  # type: ignore[arg-type]


# --- keys that anyone can sign for -----------------------------------------------------------------------------------


def add(left: Point, right: Point) -> Point:
    """Twisted Edwards addition, a = -1."""
    (x1, y1), (x2, y2) = left, right
    cross = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + cross, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - cross, -1, P) % P


def times(point: Point, scalar: int) -> Point:
    total: Point = (0, 1)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def points_of(y: int) -> list[Point]:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    return [(root, y), (P - root, y)] if root * root % P == square else []


def torsion() -> set[Point]:
    """The eight points of small order: whatever is left of any point once the large prime order is taken out."""
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        found |= {times(point, L) for point in points_of(y)}
        y += 1
    return found


def test_no_key_of_small_order_is_sound() -> None:
    eight = torsion()
    assert all(times(point, 8) == (0, 1) for point in eight)
    for x, y in eight:
        key = (y | (x & 1) << 255).to_bytes(32, "little")
        assert not is_sound_key(key)
        assert not is_sound_key(bytes((*key[:31], key[31] ^ 0x80))), "nor with the other sign"


def test_anyone_could_sign_for_a_key_of_small_order() -> None:
    # The positive control: the library alone takes R = identity, s = 0 under the key "identity", for every message.
    identity = (1).to_bytes(32, "little")
    forged = identity + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"whatever")
    with pytest.raises(InvalidSignatureError):
        verify(identity, b"whatever", forged)


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_no_key_that_is_not_canonical_is_sound(y: int) -> None:
    assert not is_sound_key(y.to_bytes(32, "little"))


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    y = next(y for y in range(2, 100) if not points_of(y))
    with pytest.raises(InvalidSignatureError):
        verify(y.to_bytes(32, "little"), b"", bytes(64))
