"""Programs that Go builds from modules of the project's own, which pin every source by its hash.

A cold build takes some minutes and goes on with low priority. Go's cache of the build lies beside it until it is done,
so that a build that was interrupted goes on where it was, and is then removed.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from tools.engines.cache import home
from tools.environment import SetupError, alone, say

TELL_EVERY_S: Final = 30
_PATIENCE_S: Final = 60
_SHOWN: Final = 3_000  # characters of a failed build's words


class Overlay(NamedTuple):
    """What is built otherwise than it stands in Go's standard library.

    Attributes:
        folder: of Go files that are added to a package.
        package: where, below Go's root.
        file: one of the package's own, of which a passage is replaced.
        found: the passage, which stands there once.
        put: what takes its place.
    """

    folder: Path
    package: str
    file: str
    found: str
    put: str

    def write(self, go_root: Path, into: Path) -> dict[str, str]:
        """Write down the changed file; what Go's compiler must read instead of what.

        Args:
            go_root: where Go lies.
            into: the folder for it.

        Raises:
            SetupError: the passage is not there.
        """
        place = go_root / self.package
        source = (place / self.file).read_text()
        if source.count(self.found) != 1:
            raise SetupError(f"{place / self.file} is not as expected; build with Go 1.26")
        changed = into / self.file
        changed.write_text(source.replace(self.found, self.put))
        replaced = {str(place / self.file): str(changed)}
        return replaced | {str(place / each.name): str(each) for each in sorted(self.folder.glob("*.go"))}


class Build(NamedTuple):
    """What is built.

    Attributes:
        name: what people call it.
        version: what it says of itself when asked.
        module: folder of the module that pins it.
        packages: what to build, by the programs' names.
        ask: the words that make the first program say its version.
        minutes: how long a cold build takes on two cores.
        overlays: what is built otherwise than it stands there.
    """

    name: str
    version: str
    module: Path
    packages: dict[str, str]
    ask: tuple[str, ...]
    minutes: str
    overlays: tuple[Overlay, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its programs lie once they are built."""
        folders = [self.module, *(each.folder for each in self.overlays)]
        files = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
        return home() / f"{self.name.casefold()}-{self.version}-{digest}"

    @property
    def program(self) -> Path:
        """The first program."""
        return self.folder / next(iter(self.packages))

    def find(self) -> Path | None:
        """The first program, if all were built and it runs; None otherwise."""
        built = all((self.folder / name).exists() for name in self.packages)
        return self.program if built and self._told(self.program) == self.version else None

    def install(self) -> Path:
        """The first program; built first, and the others with it, where they are not there yet.

        Raises:
            SetupError: it cannot be built.
        """
        with alone(self.folder):
            found = self.find()
            if found is not None:
                return found
            go = shutil.which("go")
            if go is None:
                told = f"{self.name} {self.version} is built by Go, and there is no `go` here"
                raise SetupError(f"{told}; install Go 1.26 or newer")
            return self._build(go)

    def _build(self, go: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        cache = self.folder / "build-cache"
        variables = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOCACHE": str(cache)}
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false"]
        if self.overlays:
            flags += ["-overlay", str(self._overlay(_root_of(go)))]
        say(f"building {self.name} {self.version}, once; on two cores this takes about {self.minutes}")
        start = monotonic()
        for name, package in reversed(self.packages.items()):  # the one that is looked for comes last
            fresh = self.folder / f"{name}.new"
            command = ["nice", "-n", "10", go, "build", *flags, "-o", str(fresh), package]
            self._run(command, variables, start)
            fresh.replace(self.folder / name)
        told = self._told(self.program)
        if told != self.version:
            self.program.unlink()
            raise SetupError(
                f"what was built for {self.name} {self.version} says that it is {told or 'nothing that runs'}"
            )
        say(f"{self.name} {self.version} is ready after {monotonic() - start:.0f} s")
        shutil.rmtree(cache, ignore_errors=True)
        return self.program

    def _overlay(self, go_root: Path) -> Path:
        """Write down what Go's compiler must read instead; the path of that."""
        replaced = {what: by for each in self.overlays for what, by in each.write(go_root, self.folder).items()}
        told = self.folder / "overlay.json"
        told.write_text(json.dumps({"Replace": replaced}))
        return told

    def _run(self, command: list[str], variables: dict[str, str], start: float) -> None:
        """Run a build that takes long, and say now and then that it goes on.

        Raises:
            SetupError: it failed.
        """
        log = self.folder / "build.log"
        with (
            log.open("wb") as words,
            subprocess.Popen(
                command,
                cwd=self.module,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
            ) as build,
        ):
            while True:
                try:
                    status = build.wait(TELL_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    say(f"still building {self.name}, {monotonic() - start:.0f} s")
                except BaseException:
                    build.kill()
                    raise
        if status:
            raise SetupError(f"building {self.name} failed:\n{log.read_text(errors='replace')[-_SHOWN:]}")

    def _told(self, program: Path) -> str | None:
        """What a program says of its version; None if it is not there or does not run."""
        if not os.access(program, os.X_OK):
            return None
        try:
            told = subprocess.run([program, *self.ask], capture_output=True, text=True, check=True, timeout=_PATIENCE_S)
        except (OSError, subprocess.SubprocessError):
            return None
        return told.stdout.strip()


def _root_of(go: str) -> Path:
    return Path(subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip())
