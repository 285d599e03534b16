"""CometBFT, the engine of the ledger's network, and its own tool with the applications that benchmarks compare with."""

from pathlib import Path
from typing import Final

from tools.engines.go_build import Build

VERSION: Final = "0.38.25"
BUILD: Final = Build(
    name="CometBFT",
    version=VERSION,
    module=Path(__file__).resolve().parent / "cometbft_module",
    packages={
        "cometbft": "github.com/cometbft/cometbft/cmd/cometbft",
        "abci-cli": "github.com/cometbft/cometbft/abci/cmd/abci-cli",
    },
    ask=("version",),
    minutes="two minutes",
)
find, install = BUILD.find, BUILD.install
