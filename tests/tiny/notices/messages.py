"""What one may ask of notices, and what they announce."""

from gridproof.state import Event, Message

from .errors import TextLength

MAX_TEXT = 500


class PostNotice(Message, frozen=True, tag=99001):
    """Tell all households of a region something until `until_s` (UTC epoch seconds)."""

    region: int
    text: str
    until_s: int

    def check(self, chain_id: str) -> None:
        """Refuse what no state could make right (rule N-2).

        Raises:
            TextLength: the text is empty or too long.
        """
        if not 1 <= len(self.text) <= MAX_TEXT:
            raise TextLength(length=len(self.text))


class WithdrawNotice(Message, frozen=True, tag=99002):
    """Take a notice back."""

    region: int
    number: int


class NoticePosted(Event, frozen=True, tag=99001):
    """A notice stands under this number from now on."""

    region: int
    number: int
    until_s: int


class NoticeWithdrawn(Event, frozen=True, tag=99002):
    """The notice is gone; its number is not used again."""

    region: int
    number: int
