"""CometBFT with a clock that can be put ahead or behind, for one validator of a network under test.

Go's programs ask the kernel for the time without the C library, so that nothing can stand between; Linux has no time
of day of its own for a group of processes. The same sources are therefore built over a standard library in which one
function is ours. GRIDPROOF_CLOCK_SKEW_S says how many seconds the clock is ahead.
"""

from pathlib import Path
from typing import Final

from tools.engines import cometbft
from tools.engines.go_build import Build, Overlay

VARIABLE: Final = "GRIDPROOF_CLOCK_SKEW_S"
BUILD: Final = Build(
    name="CometBFT-skewed",
    version=cometbft.VERSION,
    module=cometbft.BUILD.module,
    packages={"cometbft": cometbft.BUILD.packages["cometbft"]},
    ask=("version",),
    minutes="two minutes",
    overlay=Overlay(
        folder=Path(__file__).resolve().parent / "skewed_clock",
        package="src/time",
        file="time.go",
        found="\nfunc Now() Time {\n",
        put="\nfunc trueNow() Time {\n",
    ),
)
find, install = BUILD.find, BUILD.install
