"""What all tests share: how Hypothesis searches, and that what is skipped is seen.

Hypothesis runs the same examples every time, without a deadline, so that a red test stays red and a busy machine fails
nothing. `GRIDPROOF_EXPLORE=1` searches anew and longer; what it finds belongs into an `@example`.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests import engines
from tests.shared import MISSING

WITHOUT_TARGETING = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    print_blob=True,
    phases=WITHOUT_TARGETING,
    suppress_health_check=(HealthCheck.too_slow,),
)
settings.register_profile("explore", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile("explore" if os.environ.get("GRIDPROOF_EXPLORE") else "steady")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every test that did not run because the shared vectors or data, or a real service, are missing."""
    _name_skipped(
        terminalreporter,
        MISSING,
        "the shared vectors or data are missing",
        "Name their folders in GRIDPROOF_VECTORS and GRIDPROOF_DATA; under CI=true this fails.",
    )
    _name_skipped(
        terminalreporter,
        engines.MISSING,
        "a real service is missing",
        "Have it ready with `make engines`; under CI=true this fails.",
    )


def _name_skipped(reporter: pytest.TerminalReporter, mark: str, what: str, remedy: str) -> None:
    skipped = [report for report in reporter.getreports("skipped") if mark in str(report.longrepr)]
    if not skipped:
        return
    reporter.write_sep("!", f"NOT CHECKED: {what}", red=True, bold=True)
    for report in skipped:
        reporter.write_line(f"  {report.nodeid}", yellow=True)
    reporter.write_line(remedy)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: runs in parallel must agree on names, and random bytes differ between processes."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
