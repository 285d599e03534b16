"""Reads a page as a browser does, closely enough to hold it to its rules."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

VOID: Final = ("meta", "br", "link", "img", "hr", "input")
DRAWN: Final = ("path", "rect", "line")  # may close themselves


class Element:
    """An element with its attributes, children and text."""

    def __init__(self, name: str, attributes: dict[str, str], parent: "Element | None") -> None:
        self.name, self.attributes, self.parent = name, attributes, parent
        self.children: list[Element | str] = []

    def all(self, *names: str) -> "list[Element]":
        """Those within it that have one of these names, in the page's order."""
        return [each for each in self._walk() if not names or each.name in names]

    def _walk(self) -> "Iterator[Element]":
        waiting = [iter(self.children)]
        while waiting:
            child = next(waiting[-1], None)
            if child is None:
                waiting.pop()
            elif isinstance(child, Element):
                yield child
                waiting.append(iter(child.children))

    def one(self, identity: str) -> "Element":
        """The one within it that has this identity."""
        (found,) = [each for each in self.all() if each.attributes.get("id") == identity]
        return found

    def section(self, heading: str) -> "Element":
        """The section that its heading, by its identity, names."""
        (found,) = [each for each in self.all("section") if each.attributes.get("aria-labelledby") == heading]
        return found

    @property
    def text(self) -> str:
        """All text within it, blanks joined."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return "".join(parts)

    @property
    def words(self) -> str:
        """The text with single blanks."""
        return " ".join(self.text.split())

    def has(self, name: str) -> bool:
        """Whether its class has this word."""
        return name in self.attributes.get("class", "").split()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self._open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(element)
        if tag not in VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in DRAWN, f"{tag} closes itself"
        self._open.children.append(Element(tag, {name: value or "" for name, value in attrs}, self._open))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.name == tag, f"</{tag}> where <{self._open.name}> is open"
        assert self._open.parent is not None
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)

    def close(self) -> None:
        super().close()
        assert self._open is self.root, f"<{self._open.name}> stays open"


def read(page: str) -> Element:
    """Read a page; its tags must be balanced."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.root


def amount_e9(text: str, point: str, groups: str) -> int:
    """Take an amount as printed, without its currency, as 1e-9."""
    plain = text.strip().replace("\u2212", "-").translate({ord(group): None for group in groups})
    whole, _, part = plain.partition(point)
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * 10**9 + int(part.ljust(9, "0") or "0"))
