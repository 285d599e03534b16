"""Hold public code to its docstrings.

Rules, each with its short name:

1. `missing`: every module, public class, public function and public method has a docstring. Magic methods, what is
   nested in a function, `@overload`s, and property setters need none.
2. `full-stop`: the first paragraph ends like a sentence.
3. `raises`: a public function names each error that it raises itself; a magic method may leave that to its class.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.findings import ROOT, Finding, python_files, relative, report

ENDINGS: Final = (".", "?", "!", ":", "`", "…")
NEED_NOT_BE_NAMED: Final = frozenset({"NotImplementedError", "AssertionError", "StopIteration"})

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_source(source: str, path: Path) -> list[Finding]:
    """Check one module's text.

    Args:
        source: the module's text.
        path: where it comes from, for the findings.
    """
    tree = ast.parse(source)
    found = list(_docstring(tree, path, "the module"))
    for node in tree.body:
        found += _definition(node, path, within="")
    return sorted(found)


def _definition(node: ast.stmt, path: Path, within: str) -> Iterator[Finding]:
    if not isinstance(node, Definition) or _is_exempt(node):
        return
    name = f"{within}{node.name}"
    is_magic = node.name.startswith("__")
    if not is_magic:
        yield from _docstring(node, path, f"`{name}`")
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, Function) and inner.name.startswith("__"):
                yield from _raises(inner, path, f"{name}.{inner.name}", ast.get_docstring(node) or "")
            yield from _definition(inner, path, within=f"{name}.")
    elif not is_magic:
        yield from _raises(node, path, name, "")


def _is_exempt(node: Definition) -> bool:
    if node.name.startswith("_") and not node.name.startswith("__"):
        return True
    decorators = [ast.unparse(decorator).rsplit(".", maxsplit=1)[-1] for decorator in node.decorator_list]
    return any(decorator in ("overload", "setter", "deleter") for decorator in decorators)


def _docstring(node: ast.Module | Definition, path: Path, name: str) -> Iterator[Finding]:
    line = getattr(node, "lineno", 1)
    text = ast.get_docstring(node)
    if not text:
        yield Finding(
            path, line, "missing", f"{name} has no docstring; say what it does, in what units, and what it refuses"
        )
    elif not text.split("\n\n")[0].rstrip().endswith(ENDINGS):
        yield Finding(path, line, "full-stop", f"the first paragraph of {name} does not end like a sentence")


def _raises(node: Function, path: Path, name: str, class_docstring: str) -> Iterator[Finding]:
    text = (ast.get_docstring(node) or "") + class_docstring
    for line, error in _raised(node):
        if error not in text:
            yield Finding(path, line, "raises", f"`{name}` raises {error} and its docstring does not say so")


def _raised(node: Function) -> Iterator[tuple[int, str]]:
    """Lines and names of the error classes that a function's own body raises, without what it passes on."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, Definition | ast.Lambda):
            continue
        if isinstance(part, ast.Raise) and part.exc is not None:
            thrown = part.exc.func if isinstance(part.exc, ast.Call) else part.exc
            error = ast.unparse(thrown).rsplit(".", maxsplit=1)[-1]
            if error[:1].isupper() and error not in NEED_NOT_BE_NAMED:
                yield part.lineno, error
        waiting.extend(ast.iter_child_nodes(part))


def main(arguments: list[str]) -> int:
    """Check the given files and folders, or the package and the tools; return the exit status."""
    places = [Path(argument) for argument in arguments] or [ROOT / "src", ROOT / "tools"]
    files = list(python_files(places))
    findings = [finding for path in files for finding in check_source(path.read_text(encoding="utf-8"), relative(path))]
    return report("docstrings", len(files), findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
