"""What all tests share: how Hypothesis searches, and that what is skipped is seen.

Hypothesis runs the same examples every time, without a deadline, so that a red test stays red and a busy machine fails
nothing. `GRIDPROOF_EXPLORE=1` searches anew and longer; what it finds belongs into an `@example`.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

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
    """Name every test that did not run because the shared vectors or data are missing."""
    skipped = [report for report in terminalreporter.getreports("skipped") if MISSING in str(report.longrepr)]
    if not skipped:
        return
    terminalreporter.write_sep("!", "NOT CHECKED: the shared vectors or data are missing", red=True, bold=True)
    for report in skipped:
        terminalreporter.write_line(f"  {report.nodeid}", yellow=True)
    terminalreporter.write_line("Name their folders in GRIDPROOF_VECTORS and GRIDPROOF_DATA; under CI=true this fails.")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: runs in parallel must agree on names, and random bytes differ between processes."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
