"""Nothing that is true on one machine only is committed."""

from pathlib import Path

import pytest

from tools import findings, hygiene


def rules(text: str) -> list[str]:
    return [finding.rule for finding in hygiene.check_text(text, Path("x"))]


@pytest.mark.parametrize(
    "parts",
    [
        ("see https://pypi", ".org/simple"),
        ("files.python", "hosted.org"),
        ("registry.npm", "js.org"),
        ("--index", "-url=x"),
        ("--extra-index", "-url x"),
        ("crates", ".io"),
    ],
)
def test_addresses_of_package_indexes_are_found(parts: tuple[str, str]) -> None:
    assert rules("".join(parts)) == ["registry"]


@pytest.mark.parametrize(
    "parts", [("/ro", "ot/x"), (" '/wo", "rk/main'"), ("=/ho", "me/anna/x"), ("/Us", "ers/anna"), ("C:\\Us", "ers")]
)
def test_paths_of_one_machine_are_found(parts: tuple[str, str]) -> None:
    assert rules("".join(parts)) == ["machine-path"]


@pytest.mark.parametrize(
    "text",
    [
        "a network/working thing",
        "src/root/x",
        "../shared/data",
        "./work/x",
        "~/work/x",
        "/usr/bin/env",
        "/tmp/x",
        "homework/",
    ],
)
def test_other_paths_pass(text: str) -> None:
    assert rules(text) == []


def test_a_large_file_is_found_and_bytes_that_are_no_text_are_not_searched(tmp_path: Path) -> None:
    large, odd = tmp_path / "large.bin", tmp_path / "odd.bin"
    large.write_bytes(bytes(hygiene.MAX_BYTES + 1))
    odd.write_bytes(b"\xff\xfe/ro" + b"ot/")
    assert [finding.rule for finding in hygiene.check_file(large)] == ["size"]
    assert hygiene.check_file(odd) == []


def test_the_gate_reads_what_git_keeps_and_does_not_find_itself() -> None:
    here = Path(hygiene.__file__)
    assert hygiene.check_file(here) == []
    assert here in findings.tracked_files()
