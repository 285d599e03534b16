"""Frames of the engine's socket: a message's length as an unsigned varint, then the message.

Source: ABCI 2.0, client and server, the socket protocol.
"""

from typing import Final

from gridproof.drivers.errors import WireError

MAX_FRAME_BYTES: Final = 128 * 2**20
_MAX_LENGTH_BYTES: Final = 5  # of the varint; enough for any frame that is taken


def frame(message: bytes) -> bytes:
    """A message with its length before it."""
    length, head = len(message), bytearray()
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + message


class Frames:
    """Cuts what arrives into messages.

    Args:
        limit: the most bytes that a message may have.
    """

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._wanted = 0  # bytes to come before it is worth to look again: a large message comes in many pieces

    def feed(self, raw: bytes) -> list[bytes]:
        """Take in what arrived.

        Returns:
            The messages that are whole now, in order.

        Raises:
            WireError: a message would be too long, or its length is no number.
        """
        if len(raw) < self._wanted:
            self._pieces.append(raw)
            self._wanted -= len(raw)
            return []
        whole = b"".join((*self._pieces, raw)) if self._pieces else raw
        messages, at = [], 0
        self._wanted = 0
        while (found := self._length(whole, at)) is not None:
            start, end = found
            if end > len(whole):
                self._wanted = end - len(whole)
                break
            messages.append(whole[start:end])
            at = end
        self._pieces = [whole[at:]] if at < len(whole) else []
        return messages

    def _length(self, whole: bytes, at: int) -> tuple[int, int] | None:
        """Where the message lies whose length stands at a place; None while that is not whole."""
        length = 0
        for index, byte in enumerate(whole[at : at + _MAX_LENGTH_BYTES]):
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                if length > self._limit:
                    raise WireError(detail=f"a message of {length} bytes, over the limit of {self._limit}")
                return at + index + 1, at + index + 1 + length
        if len(whole) - at >= _MAX_LENGTH_BYTES:
            raise WireError(detail="a message's length is no number")
        return None
