"""Keys and points: every bad scalar and point is refused by type."""

import json
from typing import Any

import pytest

from gridproof.primitives import secp256k1
from gridproof.primitives.errors import InvalidPointError, InvalidScalarError

from tests.shared import vectors

P = 2**256 - 2**32 - 977
GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
GY = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8

BAD_SCALARS: list[Any] = [
    bytes(32),
    secp256k1.ORDER.to_bytes(32, "big"),
    (secp256k1.ORDER + 1).to_bytes(32, "big"),
    b"\xff" * 32,
    b"",
    b"\x01" * 31,
    b"\x01" * 33,
    "1" * 32,
    None,
    1,
    bytearray(b"\x01" * 32),
]
BAD_POINTS: list[Any] = [
    bytes(32),  # 0**3 + 7 has no root
    (5).to_bytes(32, "big"),  # 5**3 + 7 has none either
    P.to_bytes(32, "big"),
    (P + 1).to_bytes(32, "big"),  # 1 is an x of the curve, but not written so
    b"\xff" * 32,
    b"",
    b"\x01" * 31,
    b"\x02" + GX.to_bytes(32, "big"),
    GX.to_bytes(32, "big").hex(),
    None,
]


def scalar(value: int) -> bytes:
    return value.to_bytes(32, "big")


def add(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    """The curve's addition, written out."""
    if one == two:
        slope = 3 * one[0] ** 2 * pow(2 * one[1], -1, P) % P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P) % P
    x = (slope**2 - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def test_small_multiples_of_the_generator_equal_additions_written_out() -> None:
    point = (GX, GY)
    for multiple in range(1, 40):
        assert secp256k1.x_only(scalar(multiple)) == point[0].to_bytes(32, "big")
        assert secp256k1.point_of(scalar(multiple)) == bytes((2 + point[1] % 2,)) + point[0].to_bytes(32, "big")
        point = add(point, (GX, GY)) if multiple > 1 else add((GX, GY), (GX, GY))


def test_keys_of_the_foreign_threshold_vectors() -> None:
    document = json.loads(vectors("vss/rfc9591-frost-secp256k1-sha256.json").read_text())["inputs"]
    secret, public = bytes.fromhex(document["group_secret_key"]), bytes.fromhex(document["group_public_key"])
    assert secp256k1.point_of(secret) == public
    assert secp256k1.x_only(secret) == public[1:]
    assert secp256k1.parse_point(public) == public


def test_a_secret_and_its_negative_share_their_x() -> None:
    one, other = scalar(12345), scalar(secp256k1.ORDER - 12345)
    assert secp256k1.x_only(one) == secp256k1.x_only(other)
    assert secp256k1.point_of(one)[0] ^ secp256k1.point_of(other)[0] == 1


@pytest.mark.parametrize("secret", BAD_SCALARS, ids=repr)
def test_a_bad_scalar_is_refused_and_not_shown(secret: Any) -> None:
    assert not secp256k1.is_scalar(secret)
    size = len(secret) if isinstance(secret, bytes) else 0
    for function in (
        secp256k1.require_scalar,
        secp256k1.scalar_from_hash,
        secp256k1.x_only,
        secp256k1.point_of,
        lambda secret: secp256k1.x_only_all([scalar(1), secret]),
    ):
        with pytest.raises(InvalidScalarError) as refusal:
            function(secret)
        assert refusal.value.particulars == {"length": size}


def test_the_largest_and_the_smallest_scalar_are_taken() -> None:
    for value in (1, secp256k1.ORDER - 1):
        secp256k1.require_scalar(scalar(value))
        assert secp256k1.scalar_from_hash(scalar(value)) == scalar(value)
    assert secp256k1.x_only_all([]) == []
    assert secp256k1.x_only_all(map(scalar, (1, 2))) == [secp256k1.x_only(scalar(1)), secp256k1.x_only(scalar(2))]


@pytest.mark.parametrize("point", BAD_POINTS, ids=repr)
def test_a_bad_point_is_refused(point: Any) -> None:
    assert not secp256k1.is_point(point)
    with pytest.raises(InvalidPointError) as refusal:
        secp256k1.require_point(point)
    assert refusal.value.point == (point if isinstance(point, bytes) else b"")


def test_a_point_is_taken() -> None:
    secp256k1.require_point(GX.to_bytes(32, "big"))
    secp256k1.require_point((1).to_bytes(32, "big"))


def test_both_long_forms_of_a_point_are_read() -> None:
    x, y = GX.to_bytes(32, "big"), GY.to_bytes(32, "big")
    compressed = bytes((2 + GY % 2,)) + x
    assert secp256k1.parse_point(b"\x04" + x + y) == secp256k1.parse_point(compressed) == compressed
    other = bytes((3 - GY % 2,)) + x
    assert secp256k1.parse_point(other) == other  # the twin is another point with the same x


@pytest.mark.parametrize(
    "point",
    [
        b"",
        b"\x00",  # the point at infinity
        GX.to_bytes(32, "big"),
        b"\x05" + GX.to_bytes(32, "big"),
        b"\x02" + bytes(32),
        b"\x02" + P.to_bytes(32, "big"),
        b"\x02" + GX.to_bytes(32, "big") + b"\x00",
        b"\x04" + GX.to_bytes(32, "big"),
        b"\x04" + GX.to_bytes(32, "big") + (GY + 1).to_bytes(32, "big"),
        bytes((6 + GY % 2,)) + GX.to_bytes(32, "big") + GY.to_bytes(32, "big"),  # hybrid
        "02" + "00" * 32,
        None,
    ],
    ids=repr,
)
def test_an_unknown_form_or_a_point_off_the_curve_is_refused(point: Any) -> None:
    with pytest.raises(InvalidPointError):
        secp256k1.parse_point(point)
