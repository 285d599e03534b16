"""Compile the project's .proto files; with `--check` only compare.

Each file's Python module and its types are written beside it, as `NAME_pb2.py` and `NAME_pb2.pyi`. They are read by the
official runtime, whose version the lock pins together with the compiler's.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.findings import ROOT, Finding, relative, report

SOURCES: Final = ROOT / "src"


def files() -> list[Path]:
    """All .proto files of the project."""
    return sorted(SOURCES.rglob("*.proto"))


def compile_all(into: Path) -> None:
    """Compile all files.

    Args:
        into: a folder, in which each module lies as its package does below `src`.

    Raises:
        CalledProcessError: the compiler refuses one; it says why.
    """
    for file in files():
        folder = into / file.parent.relative_to(SOURCES)
        folder.mkdir(parents=True, exist_ok=True)
        compiler = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={SOURCES}"]
        subprocess.run([*compiler, f"--python_out={into}", f"--pyi_out={into}", str(file)], check=True)


def differences(fresh: Path) -> Iterator[Finding]:
    """Where what lies in the project is not what the compiler makes."""
    for file in files():
        for name in (f"{file.stem}_pb2.py", f"{file.stem}_pb2.pyi"):
            kept = file.with_name(name)
            made = fresh / kept.relative_to(SOURCES)
            if not kept.exists() or kept.read_bytes() != made.read_bytes():
                yield Finding(relative(kept), 1, "generated", "it is not what its .proto gives; run `make protos`")


def main(arguments: Sequence[str]) -> int:
    """Compile, or compare; return the exit status."""
    if "--check" not in arguments:
        compile_all(SOURCES)
        return 0
    with TemporaryDirectory() as folder:
        compile_all(Path(folder))
        return report("protos", len(files()), list(differences(Path(folder))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
