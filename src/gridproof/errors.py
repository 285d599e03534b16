"""The root of the error tree.

An error is declared by its reason, not by its text: the class's docstring says what happened, what it means and what to
do next, its annotated fields carry the particulars. The text a person reads is made of both, so it cannot fall behind.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, dataclass_transform

MAX_SHOWN_BYTES = 16


@dataclass_transform(kw_only_default=True, eq_default=False)
class GridproofError(Exception):
    """Something that gridproof foresaw went wrong.

    Subclasses annotate their particulars and are raised with keywords: `BadEnd(now_s=5, until_s=3)`.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(kw_only=True, eq=False, repr=False)(cls)

    @property
    def reason(self) -> str:
        """The sentence of the class's docstring, on one line."""
        return " ".join((type(self).__doc__ or type(self).__name__).split("\n\n")[0].split())

    @property
    def particulars(self) -> dict[str, Any]:
        """The fields' names and values, in the order of their declaration."""
        return {field.name: getattr(self, field.name) for field in fields(self)} if is_dataclass(self) else {}

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.particulars.items())
        return f"{self.reason} ({shown})" if shown else self.reason

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.particulars)


class Refusal(GridproofError):
    """The ledger refuses; what was asked changed nothing.

    Attributes:
        code: module x 1000 + n; unique in the project, part of consensus, never reused.
    """

    code: ClassVar[int] = 0


class TooEarly(Refusal):
    """Root of refusals of what may be said later: once ledger time has come so far, the same may be accepted."""

    @property
    def not_before_s(self) -> int:
        """The ledger time from which on it may be accepted, UTC epoch seconds."""
        raise NotImplementedError


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() if len(value) <= MAX_SHOWN_BYTES else f"{value[:MAX_SHOWN_BYTES].hex()}…"
    return str(value)


def _rebuild(cls: type[GridproofError], particulars: dict[str, Any]) -> GridproofError:
    return cls(**particulars)
