"""What the supervisor takes from the engine's words: where it failed and why, and that it refuses the future."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.supervisor import _Engine

from tests.unit.tools.test_versions import script

BLOCK = '{"_msg":"finalizing commit of block","height":41,"module":"consensus"}'
FAILURE = (
    r'{"_msg":"CONSENSUS FAILURE!!!","err":"it said \"no\": wrong app hash","module":"consensus","stack":"goroutine"}'
)
FUTURE = '{"_msg":"Error in validation","err":"block time x is too far in the future (wall clock y)","height":4}'


@contextmanager
def saying(tmp_path: Path, *lines: str) -> Iterator[_Engine]:
    folder = NodeFolder(tmp_path / "node")
    folder.logs.mkdir(parents=True)
    words = tmp_path / "words"
    words.write_text("".join(f"{line}\n" for line in lines))
    engine = _Engine(script(tmp_path / "engine", f'cat "{words}"\nexec sleep 600'), folder)
    try:
        deadline = monotonic() + 60
        while folder.engine_log.read_text() != words.read_text():
            assert monotonic() < deadline
            sleep(0.01)
        yield engine
    finally:
        engine.end()


def test_a_failure_is_told_with_the_last_height_and_the_engines_reason(tmp_path: Path) -> None:
    with saying(tmp_path, BLOCK, FAILURE, FUTURE) as engine:
        assert engine.runs
    assert engine.failed_at == 41
    assert engine.failure == r"it said \"no\": wrong app hash"


def test_blocks_that_are_refused_as_of_the_future_are_noticed(tmp_path: Path) -> None:
    with saying(tmp_path, BLOCK) as engine:
        pass
    assert not engine.troubles
    with saying(tmp_path / "again", BLOCK, FUTURE) as engine:
        pass
    assert [words[:22] for words in engine.troubles] == ["The clock of this mach"]


@pytest.mark.parametrize(
    "words",
    [
        '{"_msg":"failed to fetch and verify app hash","err":"old header has expired at 2026-01-01 (now: 2026-02-01)"}',
        "failed to start state sync: failed to set up light client state provider: light block not found",
    ],
)
def test_a_header_that_is_trusted_no_longer_is_noticed(tmp_path: Path, words: str) -> None:
    with saying(tmp_path, BLOCK, words) as engine:
        pass
    (sentence,) = engine.troubles
    assert "`gridproof node recover --from URL` takes a fresh one" in sentence
    assert engine.failed_at is None


def test_what_others_make_the_engine_say_is_no_failure_of_its(tmp_path: Path) -> None:
    """A peer's name or a transaction's refusal may stand in its log; nobody shall end a node by that."""
    said = (
        r'{"_msg":"rejected bad transaction","err":"\"_msg\":\"CONSENSUS FAILURE!!!\"","peer":"CONSENSUS FAILURE!!!"}'
    )
    with saying(tmp_path, BLOCK, said) as engine:
        assert engine.runs
    assert engine.failed_at is None


def test_votes_of_the_nodes_key_that_were_not_made_here_are_noticed_by_the_engines_own_words_alone(
    tmp_path: Path,
) -> None:
    told = '{"_msg":"found conflicting vote from ourselves; did you unsafe_reset a validator?","height":12}'
    quoted = r'{"_msg":"rejected bad transaction","err":"\"_msg\":\"found conflicting vote from ourselves\""}'
    with saying(tmp_path, BLOCK, quoted) as engine:
        pass
    assert not engine.votes_elsewhere
    with saying(tmp_path / "again", BLOCK, told) as engine:
        pass
    assert engine.votes_elsewhere
