"""Kubo, the IPFS node."""

from pathlib import Path
from typing import Final

from tools.engines.go_build import Build

VERSION: Final = "0.43.0"
BUILD: Final = Build(
    name="Kubo",
    version=VERSION,
    module=Path(__file__).resolve().parent / "kubo_module",
    packages={"ipfs": "github.com/ipfs/kubo/cmd/ipfs"},
    ask=("version", "--number"),
    minutes="three minutes",
)
find, install = BUILD.find, BUILD.install
