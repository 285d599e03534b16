"""What one may read: a query is a function of a view and arguments, and is asked for by that same function.

A module lists the functions in its `queries`; a client calls `ask(function, *arguments)`, which names the path and
knows the types, so that neither side repeats them.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any, Final, NamedTuple, get_type_hints

from gridproof.primitives.encoding import Codec, encode
from gridproof.primitives.errors import PrimitiveError

from . import smt, system
from .errors import KeyPartError, QueryArgumentError, UnknownQueryError
from .module import Module
from .records import Record
from .store import Table
from .tables import Reader

KEY_PATH: Final = "key"


class Answer(Record, frozen=True):
    """What a query found.

    Attributes:
        height: of the committed state that was read.
        app_hash: that state's root, 32 bytes.
        value: the encoded result; for `key` the stored bytes, or empty where there is nothing.
        proof: for `key` with `prove`, the encoded proof of presence or absence; else empty.
    """

    height: int
    app_hash: bytes
    value: bytes
    proof: bytes = b""


class Question(NamedTuple):
    """A query's path, and the codecs of its arguments and its result."""

    path: str
    function: Callable[..., Any]
    arguments: Codec[Any]
    result: Codec[Any]


def question(function: Callable[..., Any]) -> Question:
    """Name a query by the function that answers it.

    Args:
        function: takes a view first; declared in a module's `queries`, so that the module's folder names it.
    """
    hints = get_type_hints(function)
    names = list(signature(function).parameters)[1:]
    module = function.__module__.rsplit(".", 2)[-2]
    arguments: Any = tuple[tuple(hints[name] for name in names)] if names else tuple[()]  # type: ignore[misc]
    return Question(f"{module}/{function.__name__}", function, Codec(arguments), Codec(hints["return"]))


class QueryBook:
    """Answers queries by path.

    Args:
        modules: whose queries are answered; the ledger's own are added.
    """

    def __init__(self, modules: tuple[Module, ...]) -> None:
        own: tuple[Callable[..., Any], ...] = (system.chain, system.next_nonce, system.operator_clock_s)
        listed = [each for module in modules for each in module.queries]
        self._questions = {asked.path: asked for asked in (question(each) for each in (*own, *listed))}

    def answer(self, view: Reader, height: int, app_hash: bytes, path: str, arguments: bytes, *, prove: bool) -> Answer:
        """Answer a query from a view.

        Raises:
            UnknownQueryError: there is no such query.
            QueryArgumentError: the arguments are not what it takes.
        """
        if path == KEY_PATH:
            return self._answer_key(view, height, app_hash, arguments, prove=prove)
        asked = self._questions.get(path)
        if asked is None:
            raise UnknownQueryError(path=path)
        try:
            given = asked.arguments.decode(arguments)
        except PrimitiveError as wrong:
            raise QueryArgumentError(path=path, detail=str(wrong)) from wrong
        try:
            found = asked.function(view, *given)
        except KeyPartError as unfit:
            raise QueryArgumentError(path=path, detail=unfit.detail) from unfit
        return Answer(height, app_hash, asked.result.encode(found))

    def _answer_key(self, view: Reader, height: int, app_hash: bytes, key: bytes, *, prove: bool) -> Answer:
        if not 1 <= len(key) <= 255:
            raise QueryArgumentError(path=KEY_PATH, detail="a key has 1 to 255 bytes")
        value = view.read(Table.STATE, key) or b""
        proof = encode(smt.prove(lambda node: view.read(Table.TREE, node), key)) if prove else b""
        return Answer(height, app_hash, value, proof)


__all__ = ["KEY_PATH", "Answer", "QueryBook", "Question", "question"]
