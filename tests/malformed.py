"""Transactions as nobody should send them: noise, mutations of true ones, and well-signed ones with hostile contents.

The same seed gives the same transactions. The tests take 10^5 of them, the benchmark 10^7.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from gridproof.primitives.encoding import encode
from gridproof.primitives.errors import PrimitiveError
from gridproof.state import Message, Record

EDGES: Final = (0, 1, -1, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**63, 2**64 - 1)
SIZES: Final = (0, 1, 15, 16, 31, 32, 33, 63, 64, 65, 255, 1_000)
HEADS: Final = bytes((0x90, 0x9F, 0xC0, 0xC1, 0xC4, 0xC6, 0xCF, 0xD3, 0xDC, 0xDD, 0xDE, 0xDF, 0xD9, 0xFF))
DEEP: Final = 2_000
KEPT: Final = 0.8  # share of a hostile message's fields that stay true, so that the rules behind them are reached


def malformed(seed: int, count: int, samples: Sequence[bytes]) -> Iterator[bytes]:
    """Noise and mutations; none of them is one of the samples.

    Args:
        seed: the same seed gives the same bytes.
        count: how many.
        samples: true transactions.
    """
    chance = random.Random(seed)
    true = frozenset(samples)
    made = 0
    while made < count:
        raw = chance.choice(_WAYS)(chance, samples)
        if raw not in true:
            made += 1
            yield raw


def _noise(chance: random.Random, _samples: Sequence[bytes]) -> bytes:
    return chance.randbytes(chance.randrange(300))


def _flipped(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    raw = bytearray(chance.choice(samples))
    for _ in range(chance.randint(1, 3)):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def _replaced(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    raw = bytearray(chance.choice(samples))
    raw[chance.randrange(len(raw))] = chance.choice(HEADS)
    return bytes(raw)


def _cut(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    raw = chance.choice(samples)
    return raw[: chance.randrange(len(raw))]


def _spliced(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    first, second = chance.choice(samples), chance.choice(samples)
    return first[: chance.randrange(len(first))] + second[chance.randrange(len(second)) :]


def _grown(chance: random.Random, samples: Sequence[bytes]) -> bytes:
    raw = chance.choice(samples)
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.randbytes(chance.randint(1, 9)) + raw[at:]


def _deep(chance: random.Random, _samples: Sequence[bytes]) -> bytes:
    head = chance.choice((b"\x91", b"\x92\x91", b"\x81\xa1a", b"\xdc\x00\x01"))
    return head * chance.randrange(DEEP)


def _claiming(chance: random.Random, _samples: Sequence[bytes]) -> bytes:
    """A few bytes that claim to be followed by very many."""
    head = chance.choice((b"\xdd", b"\xc6", b"\xdb", b"\xdf"))
    return b"\x92" + head + chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")) + chance.randbytes(9)


def _reshaped(chance: random.Random, _samples: Sequence[bytes]) -> bytes:
    """The right shape around the wrong values."""
    messages = [value(chance, 2) for _ in range(chance.randrange(3))]
    body = [1, "tiny-1", *(chance.choice(EDGES) for _ in range(3)), messages]
    chance.shuffle(body)
    try:
        return encode([encode(body[: chance.randint(4, 6)]), chance.randbytes(chance.choice(SIZES))])
    except PrimitiveError:
        return b""


_WAYS: Final[tuple[Callable[[random.Random, Sequence[bytes]], bytes], ...]] = (
    _noise,
    _flipped,
    _replaced,
    _cut,
    _spliced,
    _grown,
    _deep,
    _claiming,
    _reshaped,
)


def value(chance: random.Random, depth: int) -> Any:
    """Anything that MessagePack can hold."""
    kind = chance.randrange(8 if depth else 6)
    if kind == 0:
        return chance.choice(EDGES)
    if kind == 1:
        return chance.randrange(100)
    if kind == 2:
        return chance.randbytes(chance.choice(SIZES))
    if kind == 3:
        return "".join(chance.choice("aZ0 \x00é\u202e🌙") for _ in range(chance.choice(SIZES)))
    if kind == 4:
        return chance.choice((None, True, False))
    if kind == 5:
        return chance.random()
    if kind == 6:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {str(at): value(chance, depth - 1) for at in range(chance.randrange(3))}


def hostile(
    seed: int, count: int, kinds: Sequence[type[Message]], samples: Sequence[Message] = ()
) -> Iterator[Message]:
    """Messages of known kinds whose fields hold anything at all; to be signed by someone who may send.

    Args:
        seed: the same seed gives the same messages.
        count: how many.
        kinds: the messages that the ledger takes.
        samples: true messages; most of their fields are kept.
    """
    chance = random.Random(seed)
    known = {type(message): message for message in samples}
    for _ in range(count):
        kind = chance.choice(kinds)
        model = known.get(kind)
        fields = []
        for name in kind.__struct_fields__:
            if model is not None and chance.random() < KEPT:
                fields.append(getattr(model, name))
            elif model is not None and chance.random() < KEPT:
                fields.append(_like(chance, getattr(model, name)))
            else:
                fields.append(chance.choice(EDGES) if chance.random() < 0.6 else value(chance, 2))
        yield kind(*fields)


def _like(chance: random.Random, true: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(true, bool) or true is None:
        return not true
    if isinstance(true, int):
        return chance.choice((true + 1, true - 1, chance.randrange(1, 9), chance.choice(EDGES)))
    if isinstance(true, bytes):
        return chance.choice((chance.randbytes(len(true)), true[:-1], true + b"\x00", bytes(len(true))))
    if isinstance(true, str):
        return chance.choice((true[:-1], true + "x", "", "\u202e"))
    if isinstance(true, tuple | list) and true:
        at = chance.randrange(len(true))
        other = _like(chance, true[at])
        return chance.choice(
            ([*true[:at], other, *true[at + 1 :]], [*true, true[at]], [*true[:at], *true[at + 1 :]], [])
        )
    if isinstance(true, Record):
        names = true.__struct_fields__
        changed = chance.choice(names)
        return type(true)(
            *(_like(chance, getattr(true, name)) if name == changed else getattr(true, name) for name in names)
        )
    return value(chance, 2)
