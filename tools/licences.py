"""Hold the default dependencies to licences that Apache-2.0 software may be shipped with.

Rule: nothing that `pip install gridproof` brings along, directly or indirectly, stands under the GPL or AGPL, and each
names its licence. Extras are outside: who asks for one by name takes its terms.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REFUSED: Final = re.compile(r"(?<![A-Z])A?GPL|(?<!LESSER )GENERAL PUBLIC|AFFERO")
SAID_ELSEWHERE: Final[dict[str, str]] = {}
"""Distributions whose metadata name no licence, and where it was read instead."""


def closure(name: str) -> dict[str, Distribution]:
    """The installed distributions that one needs by default, directly and indirectly, without itself.

    Args:
        name: the distribution's name.
    """
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        key = canonicalize_name(waiting.pop())
        if key in found:
            continue
        try:
            found[key] = distribution(key)
        except PackageNotFoundError:
            continue  # for another platform
        needs = (Requirement(line) for line in found[key].requires or ())
        waiting += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    del found[canonicalize_name(name)]
    return found


def licence(package: Distribution) -> str:
    """What a distribution says of its licence: the expression, else classifiers, else the first line of the text."""
    told = package.metadata
    if "License-Expression" in told:
        return told["License-Expression"]
    classifiers = [
        line.rsplit("::", 1)[-1].strip() for line in told.get_all("Classifier") or () if line.startswith("License ::")
    ]
    text = "".join(told.get_all("License") or ()).strip().split("\n", maxsplit=1)[0]
    return "; ".join(classifiers) or text or SAID_ELSEWHERE.get(canonicalize_name(told["Name"]), "")


def is_refused(text: str) -> bool:
    """Whether a licence's name is that of the GPL or AGPL, and leaves no other choice."""
    choices: Iterable[str] = re.split(r"\s+OR\s+", text.upper())
    return not text or all(REFUSED.search(choice) for choice in choices)


def main(arguments: Sequence[str]) -> int:
    """Check the package's dependencies and print one line for each that is refused; return the exit status."""
    packages = closure(arguments[0] if arguments else "gridproof")
    told = {name: licence(package) for name, package in sorted(packages.items())}
    refused = {name: text for name, text in told.items() if is_refused(text)}
    for name, text in refused.items():
        print(f"{name}: {text or 'names no licence'}; replace it, or move it into an extra")
    print(f"licences: {len(told)} dependencies, {f'{len(refused)} refused' if refused else 'all well'}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
