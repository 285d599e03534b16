"""Find what could make two machines disagree: the determinism gate of the layers below the drivers.

Rules, each with its short name:

1. `float`: no float or complex literals, no `float` or `complex`, no true division, no power with a negative exponent,
   no attribute of the kind `float64`, of `math` only what returns whole numbers.
2. `builtin`: no `hash`, `id`, `open`, `eval`, `exec`, `input`, `breakpoint`, `__import__`.
3. `import`: no module that reads a clock, chance, the environment, files, sockets, threads or a zone database.
4. `set-order`: nothing takes the elements of a set in the set's own order. What does not depend on the order may read a
   set: `sorted`, `sum`, `len`, `any`, `all`, `set`, `frozenset`, and `min`, `max` and `sorted` without a key.

The fourth rule follows sets as far as one function, class or module tells: literals, comprehensions, `set(...)`, set
operators and methods, annotated or assigned names and attributes. Exceptions stand in `ALLOWED`, each with its reason.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeGuard

from tools.findings import ROOT, Finding, python_files, relative, report

LAYERS: Final = ("errors.py", "primitives", "domain", "state", "modules", "light")

FORBIDDEN_MODULES: Final[Mapping[str, str]] = {
    name: reason
    for reason, names in {
        "reads a clock or zone": ("time", "datetime", "zoneinfo", "calendar", "sched", "tzdata"),
        "draws chance": ("random", "secrets", "uuid"),
        "computes with floats": ("decimal", "statistics", "cmath"),
        "reads the machine": (
            "os",
            "sys",
            "platform",
            "locale",
            "getpass",
            "pwd",
            "sysconfig",
            "resource",
            "gc",
            "weakref",
        ),
        "touches files": (
            *("pathlib", "io", "tempfile", "shutil", "glob", "fileinput", "mmap", "sqlite3", "dbm", "shelve"),
            *("pickle", "logging", "structlog", "fcntl"),
        ),
        "talks to others": (
            "socket",
            "socketserver",
            "ssl",
            "http",
            "urllib",
            "requests",
            "select",
            "selectors",
            "subprocess",
        ),
        "runs beside others": (
            *("threading", "_thread", "asyncio", "concurrent", "multiprocessing", "queue", "signal", "contextvars"),
        ),
    }.items()
    for name in names
}
FORBIDDEN_BUILTINS: Final[Mapping[str, str]] = {
    "hash": "differs between processes; use primitives.hashing",
    "id": "is an address",
    "open": "touches files",
    "eval": "runs text",
    "exec": "runs text",
    "input": "reads a terminal",
    "breakpoint": "stops the process",
    "__import__": "hides an import",
}
WHOLE_MATH: Final = frozenset({"isqrt", "gcd", "lcm", "comb", "perm", "factorial", "prod"})
ORDER_FREE: Final = frozenset({"sorted", "sum", "len", "any", "all", "set", "frozenset", "min", "max"})
PASSED_ON: Final = frozenset({"list", "tuple", "iter", "map", "filter"})
ORDERED_READS: Final = PASSED_ON | frozenset(
    {"enumerate", "zip", "reversed", "next", "bytes", "bytearray", "str", "repr", "dict"}
)
SET_MAKERS: Final = frozenset({"set", "frozenset"})
SET_TYPES: Final = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
SET_METHODS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference"})
SET_OPERATORS: Final = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)

ALLOWED: Final[Mapping[tuple[str, str], str]] = {
    (
        "state/store/files.py",
        "os",
    ): "the store's own files: made private, synced, measured; what they hold is not changed",
    ("state/store/files.py", "pathlib"): "the names of those files",
}
"""(file from the package's root, name of the module or builtin) -> why it may stay."""


class _Scope:
    """Names that hold sets, in a module, class or function."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.sets = set(names)


class DeterminismCheck(ast.NodeVisitor):
    """Walks one module's tree and gathers findings.

    Args:
        path: the file, for the findings.
        allowed: names of modules and builtins that this file may use.
    """

    def __init__(self, path: Path, allowed: frozenset[str] = frozenset()) -> None:
        self.findings: list[Finding] = []
        self._path = path
        self._allowed = allowed
        self._scopes: list[_Scope] = [_Scope()]
        self._attributes: list[set[str]] = [set()]
        self._order_free: set[ast.AST] = set()

    def _find(self, node: ast.AST, rule: str, text: str) -> None:
        self.findings.append(Finding(self._path, getattr(node, "lineno", 1), rule, text))

    # --- 1. floats ---------------------------------------------------------------------------------------------------

    def visit_Constant(self, node: ast.Constant) -> None:
        """Rule 1: float and complex literals."""
        if isinstance(node.value, float | complex):
            self._find(node, "float", f"the literal {node.value!r}; count in whole numbers of the smallest unit")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Rule 1: true division, and powers that leave the whole numbers."""
        if isinstance(node.op, ast.Div):
            self._find(node, "float", "true division; use // or keep numerator and denominator")
        if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp) and isinstance(node.right.op, ast.USub):
            self._find(node, "float", "a power with a negative exponent; use pow(base, -1, modulus) or //")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Rule 1: true division in place; rule 4: a sequence grown by a set."""
        if isinstance(node.op, ast.Div):
            self._find(node, "float", "true division; use //=")
        if isinstance(node.op, ast.Add) and self._is_set(node.value):
            self._set_order(node, "a sequence is extended by a set")
        self.generic_visit(node)

    # --- 2. builtins and names ---------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        """Rules 1 and 2: names of builtins that must not be used, called or not."""
        if node.id in ("float", "complex"):
            self._find(node, "float", f"`{node.id}`; count in whole numbers of the smallest unit")
        elif node.id in FORBIDDEN_BUILTINS and isinstance(node.ctx, ast.Load) and node.id not in self._allowed:
            self._find(node, "builtin", f"`{node.id}` {FORBIDDEN_BUILTINS[node.id]}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Rule 1: attributes that stand for floats."""
        whole = not (isinstance(node.value, ast.Name) and node.value.id == "math") or node.attr in WHOLE_MATH
        if node.attr.startswith(("float", "truediv")) or not whole:
            self._find(node, "float", f"`{ast.unparse(node)}` computes with floats")
        self.generic_visit(node)

    # --- 3. imports --------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        """Rule 3: `import x`."""
        for alias in node.names:
            self._check_import(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Rule 3: `from x import y`; rule 1: what comes from `math`."""
        if node.level or node.module is None:
            return
        self._check_import(node, node.module)
        for alias in node.names:
            if node.module == "math" and alias.name not in WHOLE_MATH:
                self._find(node, "float", f"`math.{alias.name}` computes with floats")
            elif node.module == "operator" and alias.name.strip("_") in ("truediv", "itruediv"):
                self._find(node, "float", f"`operator.{alias.name}` is true division")

    def _check_import(self, node: ast.AST, name: str) -> None:
        top = name.split(".", maxsplit=1)[0]
        if top in FORBIDDEN_MODULES and top not in self._allowed:
            self._find(node, "import", f"`{name}` {FORBIDDEN_MODULES[top]}; take what you need as an argument")

    # --- 4. the order of sets: where names come from -----------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Open a function's scope, its arguments annotated as sets in it."""
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """As `visit_FunctionDef`."""
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        scope = _Scope(a.arg for a in arguments if a.annotation is not None and _names_set_type(a.annotation))
        self._scopes.append(scope)
        self._gather(node.body)
        self.generic_visit(node)
        self._scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Open a class's scope, with the attributes that hold sets."""
        held = {
            part.target.id
            for part in node.body
            if isinstance(part, ast.AnnAssign)
            and isinstance(part.target, ast.Name)
            and _names_set_type(part.annotation)
        }
        self._attributes.append(held)
        for inner in ast.walk(node):
            targets = (
                inner.targets
                if isinstance(inner, ast.Assign)
                else [inner.target]
                if isinstance(inner, ast.AnnAssign)
                else []
            )
            for target in targets:
                if _is_own_attribute(target) and self._assigns_set(inner):
                    held.add(target.attr)
        self._scopes.append(_Scope())
        self.generic_visit(node)
        self._scopes.pop()
        self._attributes.pop()

    def visit_Module(self, node: ast.Module) -> None:
        """Gather the module's own names before anything reads them."""
        self._gather(node.body)
        self.generic_visit(node)

    def _gather(self, body: Iterable[ast.stmt]) -> None:
        for node in _within(body):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if names and self._assigns_set(node):
                self._scopes[-1].sets.update(names)
            if isinstance(node, ast.NamedExpr) and self._is_set(node.value):
                self._scopes[-1].sets.add(node.target.id)

    def _assigns_set(self, node: ast.AST) -> bool:
        if isinstance(node, ast.AnnAssign):
            return _names_set_type(node.annotation) or (node.value is not None and self._is_set(node.value))
        return isinstance(node, ast.Assign) and self._is_set(node.value)

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return any(name in scope.sets for scope in self._scopes)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                return name in self._attributes[-1]
            case ast.Call(func=ast.Name(id=name)):
                return name in SET_MAKERS
            case ast.Call(func=ast.Attribute(value=value, attr=name)):
                return name in SET_METHODS or (name == "copy" and self._is_set(value))
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, SET_OPERATORS):
                return any(self._is_set(side) or _is_keys_view(side) for side in (left, right))
            case ast.IfExp(body=one, orelse=other):
                return self._is_set(one) or self._is_set(other)
            case ast.NamedExpr(value=value):
                return self._is_set(value)
        return False

    # --- 4. the order of sets: where it is read ----------------------------------------------------------------------

    def _set_order(self, node: ast.AST, text: str) -> None:
        self._find(node, "set-order", f"{text}; go through sorted(...) or keep a dict or tuple")

    def visit_For(self, node: ast.For) -> None:
        """Rule 4: a loop over a set."""
        if self._is_set(node.iter):
            self._set_order(node, "a loop over a set")
        self.generic_visit(node)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> None:
        if node not in self._order_free and any(self._is_set(part.iter) for part in node.generators):
            self._set_order(node, "a comprehension over a set")
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        """Rule 4: `[... for x in a_set]`."""
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Rule 4: `(... for x in a_set)`."""
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        """Rule 4: `{...: ... for x in a_set}`, as a dict keeps the order."""
        self._comprehension(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        """Rule 4: `*a_set`."""
        if self._is_set(node.value):
            self._set_order(node, "a set is unpacked")
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        """Rule 4: `yield from a_set`."""
        if self._is_set(node.value):
            self._set_order(node, "a set is yielded from")
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        """Rule 4: a set in an f-string."""
        if self._is_set(node.value):
            self._set_order(node, "a set is written as text")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Rule 4: `a, b = a_set`."""
        if self._is_set(node.value) and any(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
            self._set_order(node, "a set is unpacked")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Rule 4: functions that read their argument in its order, and `a_set.pop()`."""
        match node.func:
            case ast.Name(id=name):
                self._call_by_name(node, name)
            case ast.Attribute(value=value, attr="pop") if self._is_set(value):
                self._set_order(node, "`pop` takes any element of a set")
            case ast.Attribute(attr="join" | "extend" | "fromkeys" | "from_iterable" as name):
                if any(self._is_set(argument) for argument in node.args):
                    self._set_order(node, f"`{name}` reads a set")
        self.generic_visit(node)

    def _call_by_name(self, node: ast.Call, name: str) -> None:
        keyed = any(keyword.arg == "key" for keyword in node.keywords)
        if (name in ORDER_FREE and not keyed) or (name in PASSED_ON and node in self._order_free):
            self._order_free.update(node.args)
            return
        if keyed and name in ORDER_FREE and any(self._is_set(argument) for argument in node.args):
            self._set_order(node, f"`{name}` with a key leaves ties in the order of a set")
        elif name in ORDERED_READS and any(self._is_set(argument) for argument in node.args):
            self._set_order(node, f"`{name}` reads a set")


def _names_set_type(annotation: ast.expr) -> bool:
    """Whether an annotation is a set type, bare, qualified, subscribed, in `Final[...]` or in a union."""
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in SET_TYPES
        case ast.Subscript(value=ast.Name(id="Final" | "ClassVar" | "Annotated"), slice=inner):
            return _names_set_type(inner)
        case ast.Subscript(value=value):
            return _names_set_type(value)
        case ast.BinOp(left=left, right=right):
            return _names_set_type(left) or _names_set_type(right)
        case ast.Constant(value=str(text)):
            return _names_set_type(ast.parse(text, mode="eval").body)
    return False


def _is_own_attribute(target: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"


def _is_keys_view(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")


def _within(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of a body, outermost first, without those of the functions and classes in it."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop(0)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def check_source(source: str, path: Path, allowed: frozenset[str] = frozenset()) -> list[Finding]:
    """Check one module's text.

    Args:
        source: the module's text.
        path: where it comes from, for the findings.
        allowed: names of modules and builtins that it may use.
    """
    check = DeterminismCheck(path, allowed)
    check.visit(ast.parse(source))
    return sorted(check.findings)


def main(arguments: list[str]) -> int:
    """Check the given files and folders, or the layers below the drivers; return the exit status."""
    package = ROOT / "src" / "gridproof"
    places = [Path(argument) for argument in arguments] or [package / layer for layer in LAYERS]
    files = list(python_files(places))
    findings: list[Finding] = []
    for path in files:
        inside = path.resolve().relative_to(package).as_posix() if path.resolve().is_relative_to(package) else ""
        allowed = frozenset(name for (file, name) in ALLOWED if file == inside)
        findings += check_source(path.read_text(encoding="utf-8"), relative(path), allowed)
    return report("determinism", len(files), findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
