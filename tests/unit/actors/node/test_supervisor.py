"""Keeping a node running, by the rules W-1 to W-5, with small programs in the places of engine and ledger."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import pytest
from msgspec.structs import replace

from gridproof.actors.node import logs
from gridproof.actors.node import supervisor as module
from gridproof.actors.node.errors import (
    AddressTakenError,
    EngineDataLostError,
    EngineMissingError,
    NodeRunningError,
    NodeStoppedError,
    NoNodeError,
    SignerStateLostError,
)
from gridproof.actors.node.folder import NodeFolder
from gridproof.actors.node.serving import read_stopped
from gridproof.actors.node.settings import FiguresSection, NodeSettings, SyncSection, WatchSection
from gridproof.actors.node.supervisor import (
    Ended,
    Supervisor,
    echoes,
    end,
    is_free,
    require_free,
    require_whole,
    tied,
)
from gridproof.drivers.cometbft.engine import signer_state_file
from gridproof.drivers.cometbft.server import Server
from gridproof.drivers.cometbft.wire import abci_pb2 as abci
from gridproof.drivers.embedded import EmbeddedLedger

from tests.tiny.app import tiny, tiny_genesis
from tests.unit.actors.node.homes import PATIENCE_S, is_there, ledger, node_in, program, rpc, settings, until
from tests.unit.drivers.scenes import OPTIONS, grow

SERVING = "serve()\ntime.sleep(60)"
STAYING = "time.sleep(60)"


class Run:
    """A supervisor at work in a thread."""

    def __init__(self, folder: NodeFolder, command: tuple[str, ...], stop: Event | None = None) -> None:
        self.folder, self.stop = folder, stop or Event()
        self.told: list[str] = []
        self.failure: BaseException | None = None
        self.supervisor = Supervisor(folder, self.stop, self.told.append, command)
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.supervisor.run()
        except Exception as wrong:  # noqa: BLE001 - handed to the test
            self.failure = wrong

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def ended(self) -> BaseException | None:
        """Wait until it ends by itself; why it did."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), self.told
        return self.failure


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LOOK_S": 0.02,
        "FIRST_PAUSE_S": 0.01,
        "LONGEST_PAUSE_S": 0.05,
        "ECHO_EVERY_S": 0.05,
        "FOLLOW_S": 0.2,
    }.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def made(place: Path, engine: str = STAYING, of: NodeSettings | None = None) -> NodeFolder:
    """A node's folder whose engine does what `engine` says."""
    of = of or settings()
    of = replace(of, engine=replace(of.engine, program=str(program(place / "engine", engine))))
    return node_in(place / "node", of)


def numbers(path: Path) -> list[int]:
    """The process numbers that a program wrote down."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def noting(path: Path) -> str:
    """Code that writes its process number down."""
    return f"open({str(path)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"


# --- W-1 -------------------------------------------------------------------------------------------------------------


def test_w1_the_engine_starts_once_the_socket_is_there(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    gate = place / "gate"
    late = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n{noting(place / 'ledgers')}{SERVING}"
    with Run(folder, ledger(place / "ledger.py", late)):
        until(folder.node_log.exists)
        assert numbers(place / "engines") == []
        gate.touch()
        until(lambda: numbers(place / "engines"))
        assert len(numbers(place / "ledgers")) == 1


def test_w1_a_socket_that_a_killed_ledger_left_is_not_taken_for_one(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder.socket))
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)):
        until(lambda: numbers(place / "engines"))
        assert numbers(place / "ledgers")


def test_w1_a_ledger_that_opens_no_socket_is_given_up_and_started_again(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_S", 0.5)
    folder = made(place)
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + STAYING)) as run:
        until(lambda: len(numbers(place / "ledgers")) >= 2)
        assert "did not open its socket" in run.told[0]
        assert not is_there(numbers(place / "ledgers")[0])


def test_the_engines_settings_are_written_anew_at_every_start(place: Path) -> None:
    folder = made(place)
    (folder.engine_config / "config.toml").write_text("moniker = 'old'")
    with Run(folder, ledger(place / "ledger.py", SERVING)):
        until(folder.engine_log.exists)
        told = (folder.engine_config / "config.toml").read_text()
    assert 'moniker = "Alpha Energy"' in told
    assert f"unix://{folder.socket}" in told


# --- W-2 -------------------------------------------------------------------------------------------------------------


def test_w2_when_the_ledger_ends_the_engine_is_ended_too_and_both_start_again(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)) as run:
        until(lambda: numbers(place / "engines"))
        os.kill(numbers(place / "ledgers")[0], signal.SIGKILL)
        until(lambda: len(numbers(place / "engines")) == 2)
        assert len(numbers(place / "ledgers")) == 2
        assert not is_there(numbers(place / "engines")[0])
        assert run.told == ["The ledger's process was killed. Starting again in 0.0 s."]


def test_w2_when_the_engine_ends_even_with_status_0_the_ledger_is_ended_too_and_both_start_again(place: Path) -> None:
    folder = made(
        place,
        noting(place / "engines")
        + "say(note='bye')\nif len(open(sys.argv[3]+'/../../engines').readlines()) > 1: time.sleep(60)",
    )
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)) as run:
        until(lambda: len(numbers(place / "engines")) == 2)
        assert not is_there(numbers(place / "ledgers")[0])
        assert run.told[0].startswith('The engine ended: {"note": "bye"}')


def test_w2_the_pause_doubles_up_to_a_limit(place: Path) -> None:
    folder = made(place)
    with Run(folder, ledger(place / "ledger.py", "sys.exit()")) as run:
        until(lambda: len(run.told) >= 5)
    pauses = [each.rpartition(" in ")[2] for each in run.told[:5]]
    assert pauses == ["0.0 s.", "0.0 s.", "0.0 s.", "0.1 s.", "0.1 s."]


def test_w2_a_pause_starts_small_again_once_they_ran_for_a_while(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 1.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 8.0)
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    run = Run(made(place), ledger(place / "ledger.py", ""))
    waits: list[float] = []
    monkeypatch.setattr(run.stop, "wait", waits.append)
    lasted = iter([1, 1, 1, 1, 1, 61, 1])

    def once() -> Ended | None:
        now[0] += (ran := next(lasted, 0))
        return Ended("It ended.") if ran else None

    monkeypatch.setattr(run.supervisor, "_run_once", once)
    run.supervisor.run()
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 1.0, 2.0]


# --- W-3 -------------------------------------------------------------------------------------------------------------


def test_w3_what_a_new_start_cannot_mend_ends_the_node_with_its_sentence(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + "stopped('Upgrade first.', True)")) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert failure.cause == "Upgrade first."
    assert len(numbers(place / "ledgers")) == 1
    assert numbers(place / "engines") == []


def test_w3_what_it_can_mend_is_tried_again(place: Path) -> None:
    folder = made(place)
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + "stopped('A fault.', False)")) as run:
        until(lambda: len(numbers(place / "ledgers")) >= 3)
    assert run.failure is None
    assert run.told[0].startswith("A fault. Starting again")


def test_w3_the_reason_of_an_earlier_stop_is_none_for_this_one(place: Path) -> None:
    folder = made(place)
    folder.stopped.write_text(json.dumps({"error": "X", "sentence": "Old.", "lasts": True}))
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + "os._exit(1)")) as run:
        until(lambda: len(numbers(place / "ledgers")) >= 2)
    assert run.failure is None
    assert "was killed" in run.told[0]


def failing(*heights: int | None, reason: str = "x") -> str:
    """An engine that reports a consensus failure and stays, as the real one does: at each start at the next height."""
    return (
        "place = sys.argv[3] + '/../../starts'\n"
        "open(place, 'a').write('x')\n"
        "at = len(open(place).read()) - 1\n"
        f"height = {heights!r}[min(at, {len(heights) - 1})]\n"
        f"say(_msg='CONSENSUS FAILURE!!!', err={reason!r}, **({{}} if height is None else {{'height': height}}))\n"
        "time.sleep(60)"
    )


def test_w3_a_consensus_failure_twice_at_one_height_ends_the_node(place: Path) -> None:
    folder = made(place, failing(5, 5))
    with Run(folder, ledger(place / "ledger.py", SERVING)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert "height 5" in failure.cause
    assert "gridproof node recover" in failure.cause
    assert len(run.told) == 1
    noted = read_stopped(folder)
    assert noted is not None
    assert (noted.sentence, noted.lasts) == (failure.cause, True), "for who looks at the node later"


def test_w3_a_failure_because_the_clock_is_behind_is_tried_again_until_the_clock_is_right(place: Path) -> None:
    reason = "+2/3 prevoted for an invalid block: block time is too far in the future (wall clock is)"
    with Run(made(place, failing(5, reason=reason)), ledger(place / "ledger.py", SERVING)) as run:
        until(lambda: len(run.told) > module.QUICK_FAILURES)
    assert run.failure is None
    assert all("clock of this machine" in each for each in run.told)


def test_w3_failures_at_different_heights_are_tried_again(place: Path) -> None:
    folder = made(place, failing(5, 6, 7, 7))
    with Run(folder, ledger(place / "ledger.py", SERVING)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert "height 7" in failure.cause
    assert len(run.told) == 3


def test_w3_a_failure_is_of_the_height_that_the_engine_spoke_of_last(place: Path) -> None:
    """Its report of a failure names none."""
    engine = "say(_msg='finalizing', height=41)\nsay(_msg='received', height='42')\n" + failing(None)
    with Run(made(place, engine), ledger(place / "ledger.py", SERVING)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert "height 42" in failure.cause


def test_w3_a_failure_without_any_height_counts_as_well(place: Path) -> None:
    with Run(made(place, failing(None)), ledger(place / "ledger.py", SERVING)) as run:
        assert isinstance(run.ended(), NodeStoppedError)


def test_w3_an_engine_that_ends_at_once_again_and_again_ends_the_node(place: Path) -> None:
    folder = made(place, "print('ERROR: cannot read genesis'); sys.exit(1)")
    with Run(folder, ledger(place / "ledger.py", SERVING)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert failure.cause == "The engine ended: ERROR: cannot read genesis"
    assert len(run.told) == module.QUICK_FAILURES


def test_w3_another_node_that_votes_with_the_same_key_ends_this_one_at_once(place: Path) -> None:
    said = "say(_msg='found conflicting vote from ourselves; did you unsafe_reset a validator?', height=12)\n"
    folder = made(place, noting(place / "engines") + said + STAYING)
    with Run(folder, ledger(place / "ledger.py", SERVING)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert "another node votes with the same key" in failure.cause
    assert "gridproof node recover --anew" in failure.cause
    assert run.told == []
    assert not any(map(is_there, numbers(place / "engines")))


# --- W-4 -------------------------------------------------------------------------------------------------------------

HANGING = (  # it answers until the engine is there, however often it is asked before
    "begun = sys.argv[1] + '/../engines'\n"
    "serve(lambda _number: os.path.exists(begun) and time.sleep(60))\n"
    "time.sleep(60)"
)


def impatient(run: Run, application_s: float) -> Run:
    """Let a ledger be taken for hung after this time."""
    watch = WatchSection(application_s=application_s)  # type: ignore[arg-type]
    run.supervisor.settings = replace(run.supervisor.settings, watch=watch)
    return run


def test_w4_a_ledger_that_does_not_answer_in_time_is_killed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_S", 0.3)
    folder = made(place, noting(place / "engines") + STAYING)
    command = ledger(place / "ledger.py", noting(place / "ledgers") + HANGING)
    with impatient(Run(folder, command), 0.2) as run:
        until(lambda: len(numbers(place / "ledgers")) >= 2)
        assert not is_there(numbers(place / "ledgers")[0])
        assert "did not answer for 0.2 s" in run.told[0]


def test_w4_a_ledger_that_ends_with_a_reason_while_it_is_asked_is_not_taken_for_silent(place: Path) -> None:
    body = (
        "def answered(_number):\n"
        "    if os.path.exists(sys.argv[1] + '/../engines'):\n"
        "        time.sleep(0.2); stopped('The disk is full.', True); os._exit(1)\n"
        "serve(answered)\n"
        "time.sleep(60)"
    )
    folder = made(place, noting(place / "engines") + STAYING)
    with Run(folder, ledger(place / "ledger.py", body)) as run:
        failure = run.ended()
    assert isinstance(failure, NodeStoppedError)
    assert failure.cause == "The disk is full."


def test_w4_an_engine_that_reports_a_failure_is_ended_though_it_stays_up(place: Path) -> None:
    folder = made(place, noting(place / "engines") + failing(1, 2, 3))
    with Run(folder, ledger(place / "ledger.py", SERVING)):
        until(lambda: len(numbers(place / "engines")) >= 2)
        assert not is_there(numbers(place / "engines")[0])


def test_w4_a_process_that_ignores_being_told_to_end_is_killed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_S", 0.2)
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    folder = made(place, stubborn + noting(place / "engines") + STAYING)
    body = stubborn + noting(place / "ledgers") + SERVING
    with Run(folder, ledger(place / "ledger.py", body)):
        until(lambda: numbers(place / "engines"))
    for process in numbers(place / "engines") + numbers(place / "ledgers"):
        assert not is_there(process)


# --- W-5 and stopping ------------------------------------------------------------------------------------------------


def test_being_told_to_stop_ends_both_and_lets_the_folder_go(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    command = ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)
    with Run(folder, command) as run:
        until(lambda: numbers(place / "engines"))
        with pytest.raises(NodeRunningError) as refused:
            Supervisor(folder, Event(), run.told.append, command)
        assert refused.value.held_by == f"process {os.getpid()}"
    assert run.failure is None
    assert not any(map(is_there, numbers(place / "engines") + numbers(place / "ledgers")))
    assert run.told == []
    Run(folder, command).supervisor._lock.release()


def test_a_stop_is_noticed_while_the_ledger_is_waited_for(place: Path) -> None:
    folder = made(place)
    with Run(folder, ledger(place / "ledger.py", STAYING)) as run:
        until(folder.node_log.exists)
    assert run.failure is None


def test_a_stop_is_noticed_while_the_ledger_owes_an_answer(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer may take two minutes; who stops a node waits for less before it kills."""
    monkeypatch.setattr(module, "END_S", 0.3)
    body = HANGING.replace("and time", f"and open({str(place / 'owes')!r}, 'w') and time")
    folder = made(place, noting(place / "engines") + STAYING)
    with impatient(Run(folder, ledger(place / "ledger.py", body)), 10 * PATIENCE_S) as run:
        until((place / "owes").exists)
    assert run.failure is None


def test_w5_both_processes_die_with_the_supervisor_however_it_ends(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    command = ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)
    code = (
        f"import sys; sys.path[:0] = {[each for each in sys.path if each]!r}\n"
        "from threading import Event\n"
        "from pathlib import Path\n"
        "from gridproof.actors.node.folder import NodeFolder\n"
        "from gridproof.actors.node.supervisor import Supervisor\n"
        f"Supervisor(NodeFolder(Path({str(folder.root)!r})), Event(), print, {command!r}).run()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        until(lambda: numbers(place / "engines"))
        parent.kill()
    for process in numbers(place / "engines") + numbers(place / "ledgers"):
        until(lambda process=process: not is_there(process))  # type: ignore[misc]


def test_no_secret_stands_on_a_command_line(place: Path) -> None:
    folder = made(place, noting(place / "engines") + STAYING)
    with Run(folder, ledger(place / "ledger.py", noting(place / "ledgers") + SERVING)):
        until(lambda: numbers(place / "engines"))
        shown = b"".join(
            Path(f"/proc/{each}/cmdline").read_bytes()
            for each in numbers(place / "engines") + numbers(place / "ledgers")
        )
    secrets = [path.read_bytes() for path in folder.secret_files]
    assert str(folder.engine).encode() in shown
    assert not any(secret[:20] in shown for secret in secrets)


# --- what it starts from ---------------------------------------------------------------------------------------------


def test_a_node_starts_only_from_what_is_whole(place: Path) -> None:
    folder = made(place)
    require_whole(folder)
    folder.signer_state.unlink()
    with pytest.raises(SignerStateLostError):
        Supervisor(folder, Event(), print)
    folder.signer_state.write_bytes(signer_state_file())
    with EmbeddedLedger.at(folder.ledger, tiny, tiny_genesis(), OPTIONS) as made_:
        grow(made_, 1)
    with pytest.raises(EngineDataLostError):
        Supervisor(folder, Event(), print)
    (folder.engine_data / "blockstore.db").mkdir()
    require_whole(folder)
    with pytest.raises(NoNodeError):
        Supervisor(NodeFolder(place / "none"), Event(), print)


def test_a_node_without_an_engine_does_not_start(place: Path) -> None:
    folder = made(place)
    (place / "engine").unlink()
    with pytest.raises(EngineMissingError):
        Supervisor(folder, Event(), print)


def test_an_address_that_somebody_listens_at_is_named_with_its_setting(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        folder = made(place, of=settings(rpc=address))
        run = Run(folder, ledger(place / "ledger.py", SERVING))
        with pytest.raises(AddressTakenError) as refused:
            run.supervisor.run()
        assert (refused.value.setting, refused.value.address) == ("engine.rpc", address)
    again = Run(folder, ledger(place / "ledger.py", SERVING))  # the folder was let go
    again.supervisor._lock.release()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "no.such.host.invalid:1", "8.8.8.8:26657"])
def test_an_address_that_this_machine_cannot_have_is_said(address: str) -> None:
    of = settings()
    with pytest.raises(AddressTakenError) as refused:
        require_free(replace(of, figures=FiguresSection(node=address)))
    assert refused.value.setting == "figures.node"
    require_free(of)


def test_an_address_may_be_of_the_newer_kind() -> None:
    if not is_free("::1", 0):
        pytest.skip("this machine has no ::1")
    of = settings()
    require_free(replace(of, engine=replace(of.engine, rpc="[::1]:0")))


def test_a_snapshot_is_joined_by_until_there_is_a_state(place: Path) -> None:
    sync = SyncSection(servers=("http://a:1", "http://b:2"), height=7, header_hash="AB" * 32)
    folder = made(place, of=replace(settings(), sync=sync))
    supervisor = Supervisor(folder, Event(), print)
    assert b'trust_hash = "' + b"ab" * 32 in supervisor._config()
    with EmbeddedLedger.at(folder.ledger, tiny, tiny_genesis(), OPTIONS) as made_:
        grow(made_, 1)
    assert b"trust_hash" not in supervisor._config()
    supervisor._lock.release()


# --- small parts -----------------------------------------------------------------------------------------------------


def read_or_nothing(path: Path) -> str:
    """A log's text; while it is turned it is away."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def test_the_ledgers_log_is_turned_while_the_ledger_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 1_000)
    folder = made(place)
    talking = "serve()\nfor number in range(200): print(number, 'x' * 50, flush=True)\ntime.sleep(60)"
    with Run(folder, ledger(place / "ledger.py", talking)):
        until(lambda: "199 x" in read_or_nothing(folder.node_log))
        assert folder.node_log.stat().st_size < 1_200
        assert folder.node_log.with_suffix(".log.1").exists()


def test_the_engines_log_is_turned_while_the_engine_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 1_000)
    folder = made(place, "for number in range(200): say(number=number, pad='x' * 50)\n" + STAYING)
    with Run(folder, ledger(place / "ledger.py", SERVING)):
        until(lambda: '"number": 199,' in read_or_nothing(folder.engine_log))
        assert folder.engine_log.stat().st_size < 1_200
        assert folder.engine_log.with_suffix(".log.1").exists()


def test_last_words_are_bounded(place: Path) -> None:
    folder = made(place, "print('x' * 100_000)")
    with Run(folder, ledger(place / "ledger.py", SERVING)) as run:
        until(lambda: run.told)
    assert len(run.told[0]) < 1_200


def test_an_echo_is_heard_and_silence_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert not echoes(path, 0.1)
    gate = Event()

    def answer(requests: Sequence[abci.Request]) -> list[abci.Response]:
        gate.wait(PATIENCE_S)
        return [abci.Response(echo=abci.ResponseEcho(message="?")) for _ in requests]

    with Server(answer, path):
        assert not echoes(path, 0.1)
        stop = Event()
        stop.set()
        assert echoes(path, 10 * PATIENCE_S, stop), "who is told to stop does not wait"
        gate.set()
        assert echoes(path, PATIENCE_S)


@pytest.mark.parametrize("said", [b"", b"\xff" * 9])
def test_who_answers_otherwise_does_not_echo(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            link, _ = listener.accept()
            link.recv(100)
            link.sendall(said)
            link.close()

        thread = Thread(target=serve)
        thread.start()
        assert not echoes(tmp_path / "s", PATIENCE_S)
        thread.join()


def test_a_process_ends_as_it_was_told_or_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    polite = subprocess.Popen(["/bin/sleep", "60"])
    end(polite)
    assert polite.returncode == -signal.SIGTERM
    end(polite)  # one that is gone already
    monkeypatch.setattr(module, "END_S", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        end(stubborn)
        assert stubborn.returncode == -signal.SIGKILL


def test_a_tied_command_keeps_its_words() -> None:
    assert tied(("a", "b c"))[-3:] == [str(os.getpid()), "a", "b c"]


# --- stalls ----------------------------------------------------------------------------------------------------------


def test_a_stall_is_told_once_when_transactions_wait_and_no_block_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with rpc() as engine:
        stall = module._Stall(settings(rpc=engine.address))

        def look(height: int, waiting: int, after_s: float) -> str | None:
            engine.status(height)
            engine.told["num_unconfirmed_txs"] = {"n_txs": str(waiting)}
            now[0] += after_s
            return stall.look()

        assert look(3, 0, 0) is None
        assert look(3, 0, 100) is None, "a network at rest makes no blocks"
        assert look(3, 2, 1) is None
        told = look(3, 2, 5)
        assert told is not None
        assert "since height 3" in told
        assert "2 transactions wait" in told
        assert look(3, 2, 100) is None, "it was told"
        assert look(4, 2, 1) is None
        assert look(4, 2, 6), "the next one is told again"


@pytest.mark.parametrize("told", [b"nonsense", b'{"result": {}}', b'{"result": 5}', b'{"result": {"sync_info": 7}}'])
def test_an_engine_that_tells_nothing_of_use_is_no_stall(told: Any) -> None:
    with rpc() as engine:
        engine.told["status"] = told
        assert module._Stall(settings(rpc=engine.address)).look() is None
    assert module._Stall(settings()).look() is None


def test_a_stall_is_told_by_the_supervisor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Stall, "look", lambda _self: "No block.")
    with Run(made(place), ledger(place / "ledger.py", SERVING)) as run:
        until(lambda: "No block." in run.told)
