"""CometBFT with a clock that can be put ahead or behind and a disk that can be full, for one validator under test.

Go's programs ask the kernel for the time without the C library, so that nothing can stand between; Linux has no time
of day of its own for a group of processes, and no room of its own for one without a mount. The same sources are
therefore built over a standard library in which two functions are ours. GRIDPROOF_FAULTS names a folder: its file
`skew` says how many seconds the clock is ahead, and while there is one called `full` nothing can be written. Both are
looked at as long as the engine runs.
"""

from pathlib import Path
from typing import Final

from tools.engines import cometbft
from tools.engines.go_build import Build, Overlay

VARIABLE: Final = "GRIDPROOF_FAULTS"
_HERE: Final = Path(__file__).resolve().parent
BUILD: Final = Build(
    name="CometBFT-faulty",
    version=cometbft.VERSION,
    module=cometbft.BUILD.module,
    packages={"cometbft": cometbft.BUILD.packages["cometbft"]},
    ask=("version",),
    minutes="two minutes",
    overlays=(
        Overlay(
            folder=_HERE / "skewed_clock",
            package="src/time",
            file="time.go",
            found="\nfunc Now() Time {\n",
            put="\nfunc trueNow() Time {\n",
        ),
        Overlay(
            folder=_HERE / "full_disk",
            package="src/os",
            file="file.go",
            found="\tn, e := f.write(b)\n",
            put="\tn, e := f.writeWhereRoom(b)\n",
        ),
    ),
)
find, install = BUILD.find, BUILD.install
