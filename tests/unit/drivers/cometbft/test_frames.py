"""Frames of the engine's socket: messages come out whole however they were cut, and none that is too long."""

import pytest
from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st

from gridproof.drivers.cometbft.frames import MAX_FRAME_BYTES, Frames, frame
from gridproof.drivers.errors import WireError

MESSAGES = st.lists(st.binary(max_size=300), max_size=6)


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 2**21])
def test_a_length_is_an_unsigned_varint(size: int) -> None:
    raw = frame(bytes(size))
    length, start = _DecodeVarint(raw, 0)  # protobuf's own
    assert (length, len(raw) - start) == (size, size)


@given(MESSAGES, st.integers(min_value=1, max_value=50))
def test_messages_come_out_whole_and_in_order_however_they_are_cut(messages: list[bytes], step: int) -> None:
    raw = b"".join(map(frame, messages))
    frames, found = Frames(), list[bytes]()
    for at in range(0, len(raw), step):
        found += frames.feed(raw[at : at + step])
    assert found == messages


@given(MESSAGES)
def test_many_messages_in_one_piece_come_out_together(messages: list[bytes]) -> None:
    assert Frames().feed(b"".join(map(frame, messages))) == messages


def test_a_part_of_a_message_waits_for_the_rest() -> None:
    frames, raw = Frames(), frame(b"x" * 200)
    assert frames.feed(raw[:1]) == []  # not even the length is whole
    assert frames.feed(raw[1:50]) == []
    assert frames.feed(raw[50:] + frame(b"y")[:1]) == [b"x" * 200]
    assert frames.feed(frame(b"y")[1:]) == [b"y"]


def test_a_message_over_the_limit_is_refused_before_it_is_there() -> None:
    frames = Frames(limit=10)
    assert frames.feed(frame(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(WireError) as refused:
        frames.feed(frame(b"x" * 11)[:1])
    assert "11 bytes" in str(refused.value)
    assert "limit of 10" in str(refused.value)


def test_the_engine_may_send_all_that_it_can_have() -> None:
    """A block of 21 MiB, and a piece of a snapshot: far below the limit, whose length still has five bytes."""
    assert MAX_FRAME_BYTES > 4 * 21 * 2**20
    assert len(frame(bytes(MAX_FRAME_BYTES))) - MAX_FRAME_BYTES <= 5


@pytest.mark.parametrize("raw", [b"\xff" * 5, b"\x80" * 5 + b"\x01"])
def test_a_length_without_end_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError, match="no number"):
        Frames().feed(raw)
    assert Frames().feed(raw[:4]) == []
