"""A module's face, and how messages find their rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from gridproof.domain import ParticipantId
from gridproof.errors import Refusal

from .context import Context
from .errors import GenesisError, WiringError
from .genesis import Genesis, parse_section
from .records import Event, Message
from .tables import Map

M = TypeVar("M", bound=Message)
S = TypeVar("S")
NUMBERS_PER_MODULE = 1_000
MAX_NUMBER = 255  # one byte of a key; 0 is the ledger's own


@dataclass(frozen=True)
class Route:
    """Which rule takes which message.

    Attributes:
        message: the kind of message.
        rule: what it is handed to.
        since: the first version of the module that takes it; before, it is no message of the ledger.
    """

    message: type[Message]
    rule: Callable[[Context, ParticipantId, Any], None]
    since: int = 1


def route(message: type[M], rule: Callable[[Context, ParticipantId, M], None], since: int = 1) -> Route:
    """Send a kind of message to the rule that takes it, from a version of the module on."""
    return Route(message, rule, since)


@dataclass(frozen=True)
class GenesisSection:
    """A module's part of the genesis document: its type, the rule that lays it down, and whether it may be missing."""

    type: type[Any]
    lay: Callable[[Context, Any], None]
    optional: bool = False


def genesis_section(section: type[S], lay: Callable[[Context, S], None], *, optional: bool = False) -> GenesisSection:
    """Name a module's part of the genesis document and the rule that lays it down."""
    return GenesisSection(section, lay, optional)


@dataclass(frozen=True)
class Migration:
    """Brings a module's records from one version to the next, before the first transaction of a block.

    Attributes:
        from_version: of the module.
        run: changes the records.
        since: the version of the program that brought it; a ledger with validators waits until they upgrade to that.
    """

    from_version: int
    run: Callable[[Context], None]
    since: int = 1


@dataclass(frozen=True)
class Module:
    """What the Application sees of a module.

    Attributes:
        number: first byte of its keys, thousands of its tags and codes.
        name: its folder's name, and the first part of its queries' paths.
        routes: its messages and their rules.
        refusals: its `errors`.
        announces: where its events are declared, its `messages`.
        tables: its `types`.
        queries: functions of a `Reader` and arguments that anyone may ask.
        invariants: functions of a `Context` that raise `Violation`.
        genesis: its part of the genesis document, if it has one.
        version: version of its records.
        migrations: from each earlier version to the next.
        since: the version of the program that brought the module.
    """

    number: int
    name: str
    routes: tuple[Route, ...]
    refusals: ModuleType
    announces: ModuleType | None = None
    tables: ModuleType | None = None
    queries: tuple[Callable[..., Any], ...] = ()
    invariants: tuple[Callable[[Context], None], ...] = ()
    genesis: GenesisSection | None = None
    version: int = 1
    migrations: tuple[Migration, ...] = ()
    since: int = 1

    def version_at(self, program: int) -> int:
        """The version that the module has under a version of the program; 0 where it was not there yet."""
        later = sum(migration.since > program for migration in self.migrations)
        return self.version - later if self.since <= program else 0

    def messages(self) -> Iterator[type[Message]]:
        """The messages that it takes."""
        for each in self.routes:
            yield each.message

    def events(self) -> Iterator[type[Event]]:
        """The events that it announces."""
        yield from _classes(self.announces, Event)

    def refusal_types(self) -> Iterator[type[Refusal]]:
        """The refusals that it gives, without their roots."""
        for refusal in _classes(self.refusals, Refusal):
            if "code" in vars(refusal):
                yield refusal

    def maps(self) -> Iterator[tuple[str, Map[Any]]]:
        """Its tables by the names they are declared under."""
        for name, value in vars(self.tables).items() if self.tables else ():
            if isinstance(value, Map):
                yield name, value


def _classes(module: ModuleType | None, root: type[Any]) -> Iterator[type[Any]]:
    for value in vars(module).values() if module else ():
        if isinstance(value, type) and issubclass(value, root) and value.__module__ == module.__name__:  # type: ignore[union-attr]
            yield value


def parse_sections(document: Genesis, modules: tuple[Module, ...]) -> dict[str, Any]:
    """Read each module's part of a genesis document.

    Returns:
        By the module's name; without those that may be missing and are.

    Raises:
        GenesisError: a part is missing, wrong, or no module's; the place is named.
    """
    unknown = [name for name in document.modules if name not in {module.name for module in modules}]
    if unknown:
        raise GenesisError(detail=f"modules.{unknown[0]}: there is no such module")
    parsed: dict[str, Any] = {}
    for module in modules:
        section = document.modules.get(module.name)
        if module.genesis is None and section is not None:
            raise GenesisError(detail=f"modules.{module.name}: this module takes no section")
        if module.genesis is None or (section is None and module.genesis.optional):
            continue
        if section is None:
            raise GenesisError(detail=f"modules.{module.name}: the section is missing")
        parsed[module.name] = parse_section(section, module.genesis.type, module.name)
    return parsed


def tag_of(record: type[Message] | type[Event]) -> int:
    """The number under which a message or an event is encoded.

    Raises:
        WiringError: it was declared without one.
    """
    tag = record.__struct_config__.tag
    if not isinstance(tag, int):
        raise WiringError(detail=f"{record.__name__} has no number")
    return tag


def require_wiring(modules: tuple[Module, ...]) -> None:
    """Return if every number of the modules is in its module's range and used once.

    Raises:
        WiringError: one is not.
    """
    _require_once("module number", [(module.number, module.name) for module in modules])
    _require_once("module name", [(module.name, module.name) for module in modules])
    for module in modules:
        if not 1 <= module.number <= MAX_NUMBER:
            raise WiringError(detail=f"{module.name} has the number {module.number}, outside 1 to {MAX_NUMBER}")
        numbered = {
            "message": [(tag_of(message), message.__name__) for message in module.messages()],
            "event": [(tag_of(event), event.__name__) for event in module.events()],
            "refusal": [(refusal.code, refusal.__name__) for refusal in module.refusal_types()],
        }
        for kind, numbers in numbered.items():
            _require_once(kind, numbers)
            for number, name in numbers:
                if number // NUMBERS_PER_MODULE != module.number:
                    raise WiringError(detail=f"{kind} {name} of {module.name} has the foreign number {number}")
        _require_once("collection", [((each.table, each.collection), name) for name, each in module.maps()])
        for name, each in module.maps():
            if each.module != module.number:
                raise WiringError(detail=f"table {name} of {module.name} lies in module {each.module}")


def _require_once(kind: str, numbered: list[tuple[Any, str]]) -> None:
    seen: dict[Any, str] = {}
    for number, name in numbered:
        if number in seen:
            raise WiringError(detail=f"{kind} {number} stands for both {seen[number]} and {name}")
        seen[number] = name
