"""CometBFT's own light client, as a program that answers case by case: ours is held against it."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tools.engines.go_build import Build

VERSION: Final = "0.38.25"
ANSWER_S: Final = 120
BUILD: Final = Build(
    name="light",
    version=VERSION,
    module=Path(__file__).resolve().parent / "light_module",
    packages={"light": "."},
    ask=("version",),
    minutes="a minute",
)
find, install = BUILD.find, BUILD.install


def judge(program: Path, cases: Iterable[Mapping[str, Any]]) -> list[str]:
    """Let the engine's light client judge cases.

    Args:
        program: it.
        cases: each as `light_module/main.go` reads it.

    Returns:
        For each case an empty text where the header is accepted, or the reason why it is not.

    Raises:
        CalledProcessError, TimeoutExpired: it ended, or gave no answer.
    """
    asked = "".join(json.dumps(case) + "\n" for case in cases)
    told = subprocess.run([program], input=asked, capture_output=True, text=True, check=True, timeout=ANSWER_S)
    return [json.loads(line) for line in told.stdout.splitlines()]
