"""The worker pool: what hangs or dies costs one item, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.vidprompter.video import worker_jobs as jobs
from vidprompter.errors import CorruptVideo, DecodeCrash, DecodeTimeout, InputError, VidPrompterError
from vidprompter.video.workers import Outcome, WorkerFault, WorkerPool

ROOT = Path(__file__).parents[3]


def run(function: Callable, items: list, *, limit: float = 30.0, workers: int = 2, **more) -> dict:
    with WorkerPool(function, workers=workers, timeout_seconds=limit, **more) as pool:
        return {outcome.item: outcome for outcome in pool.map(items)}


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has reaped yet is dead too.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_every_item_gets_its_outcome_whatever_the_order() -> None:
    outcomes = run(jobs.double, list(range(20)))
    assert {item: outcome.unwrap() for item, outcome in outcomes.items()} == {n: 2 * n for n in range(20)}


def test_a_dead_worker_costs_its_item_only_and_is_replaced() -> None:
    orders = [
        "fine",
        "segfault",
        "exit",
        "killed",
        "abort",
        "own error",
        "foreign error",
        "system exit",
        "last",
    ]
    outcomes = run(jobs.misbehave, orders, workers=2)
    assert set(outcomes) == set(orders)
    for order in ("segfault", "exit", "killed", "abort"):
        assert isinstance(outcomes[order].error, DecodeCrash), order
    assert "SIGSEGV" in str(outcomes["segfault"].error)
    assert "exit code 7" in str(outcomes["exit"].error)
    assert "SIGKILL" in str(outcomes["killed"].error)
    assert "terrible things" in str(outcomes["abort"].error)
    assert "'abort'" in str(outcomes["abort"].error)
    assert outcomes["fine"].unwrap() == "fine"
    assert outcomes["last"].unwrap() == "last"


def test_errors_cross_the_pipe() -> None:
    outcomes = run(jobs.misbehave, ["own error", "foreign error", "system exit", "lambda"], workers=1)
    own = outcomes["own error"].error
    assert type(own) is CorruptVideo and str(own) == "'a.mp4' is broken; copy it again"
    foreign = outcomes["foreign error"].error
    assert isinstance(foreign, WorkerFault)
    assert foreign.type_name == "KeyError" and "KeyError" in str(foreign)
    assert "misbehave" in foreign.details
    assert outcomes["system exit"].error is not None
    assert outcomes["lambda"].error is not None  # a value that cannot be sent
    with pytest.raises(CorruptVideo):
        outcomes["own error"].unwrap()


@pytest.mark.parametrize("order", ["hang", "spin", "hang in C"])
def test_a_hang_is_stopped_at_the_limit(order: str) -> None:
    began = time.monotonic()
    outcomes = run(jobs.misbehave, [order, "fine"], limit=1.0, workers=1)
    error = outcomes[order].error
    assert isinstance(error, DecodeTimeout)
    assert "--decode-timeout" in str(error) and "1 s" in str(error) and order in str(error)
    assert outcomes["fine"].unwrap() == "fine"
    assert 0.9 <= outcomes[order].seconds < 5
    assert time.monotonic() - began < 60


def test_who_beats_may_take_longer_and_who_falls_silent_is_stopped() -> None:
    outcomes = run(jobs.beat_then, [(3.0, 0.1), (1.5, 60.0)], limit=1.0)
    assert outcomes[3.0, 0.1].unwrap() == "alive"
    assert 3.0 <= outcomes[3.0, 0.1].seconds < 6  # all of it, not what came after the last beat
    assert isinstance(outcomes[1.5, 60.0].error, DecodeTimeout)
    assert 2.4 <= outcomes[1.5, 60.0].seconds < 8


def test_a_beat_outside_of_a_worker_does_nothing() -> None:
    assert jobs.beat_then((0.0, 0.0)) == "alive"


def test_many_deaths_are_each_their_own_item() -> None:
    with WorkerPool(jobs.crash_on_sevens, workers=3, timeout_seconds=30) as pool:
        outcomes = list(pool.map(range(100), in_flight=20))
    assert sorted(outcome.item for outcome in outcomes) == list(range(100))
    dead = [outcome.item for outcome in outcomes if isinstance(outcome.error, DecodeCrash)]
    assert sorted(dead) == list(range(0, 100, 7))
    assert all(outcome.error or outcome.value == outcome.item for outcome in outcomes)


def test_idle_workers_are_not_ended_by_their_watchdog() -> None:
    with WorkerPool(jobs.pid_of, workers=1, timeout_seconds=0.5) as pool:
        first = next(pool.map([1])).unwrap()
        time.sleep(6.8)  # above the limit, its grace and the watchdog's slack
        assert next(pool.map([2])).unwrap() == first


def test_a_short_item_costs_little() -> None:
    with WorkerPool(jobs.double, workers=2, timeout_seconds=30) as pool:
        list(pool.map(range(100)))
        began = time.process_time()
        assert sum(1 for _ in pool.map(range(3000))) == 3000
        assert (time.process_time() - began) / 3000 < 150e-6


def test_the_limit_does_not_count_start_up() -> None:
    outcomes = run(jobs.sleep_then, [0.01], limit=0.5, workers=1, initializer=partial(time.sleep, 1.0))
    assert outcomes[0.01].unwrap() == 0.01


def test_the_initializer_runs_in_every_worker_and_again_after_a_crash() -> None:
    assert run(jobs.greeting, [1], initializer=jobs.set_greeting)[1].unwrap() == "set"
    assert run(jobs.greeting, [1])[1].unwrap() == "not set"


def test_workers_that_cannot_start_end_the_map_with_the_reason() -> None:
    with (
        WorkerPool(jobs.double, workers=2, timeout_seconds=5, initializer=jobs.break_at_start) as pool,
        pytest.raises(VidPrompterError, match="no such codec pack"),
    ):
        list(pool.map([1, 2, 3]))


def test_items_are_taken_lazily() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with WorkerPool(jobs.double, workers=2, timeout_seconds=10) as pool:
        outcomes = pool.map(items(), in_flight=3)
        assert taken == []
        for seen in range(1, 11):
            next(outcomes)
            assert len(taken) <= seen + 2
        outcomes.close()  # type: ignore[attr-defined]
    assert len(taken) <= 12


def test_work_goes_on_while_the_consumer_is_busy() -> None:
    with WorkerPool(jobs.sleep_then, workers=1, timeout_seconds=10) as pool:
        outcomes = pool.map([0.01, 0.3, 0.31], in_flight=3)
        next(outcomes)
        time.sleep(1.2)
        began = time.monotonic()
        assert len(list(outcomes)) == 2
        assert time.monotonic() - began < 0.3


def test_a_pool_serves_several_maps_and_keeps_its_workers() -> None:
    with WorkerPool(jobs.pid_of, workers=1, timeout_seconds=10) as pool:
        first = {outcome.unwrap() for outcome in pool.map(range(5))}
        second = {outcome.unwrap() for outcome in pool.map(range(5))}
    assert first == second and len(first) == 1
    assert wait_until(lambda: not is_alive(first.pop()))


def test_two_threads_may_map_at_once() -> None:
    results: dict[str, list[int]] = {}
    with WorkerPool(jobs.double, workers=2, timeout_seconds=10) as pool:

        def work(name: str, numbers: range) -> None:
            results[name] = sorted(outcome.unwrap() for outcome in pool.map(numbers))

        threads = [
            threading.Thread(target=work, args=("low", range(10))),
            threading.Thread(target=work, args=("high", range(100, 110))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results["low"] == [2 * n for n in range(10)]
    assert results["high"] == [2 * n for n in range(100, 110)]


def test_leaving_early_drops_what_is_under_way() -> None:
    with WorkerPool(jobs.sleep_then, workers=2, timeout_seconds=60) as pool:
        for outcome in pool.map([0.0, 50.0, 51.0]):
            assert outcome.item == 0.0
            break
        began = time.monotonic()
        assert [o.unwrap() for o in pool.map([0.01])] == [0.01]
        assert time.monotonic() - began < 20


def test_large_values_and_items_cross() -> None:
    outcomes = run(jobs.big, [30_000_000], workers=1)
    assert len(outcomes[30_000_000].unwrap()) == 30_000_000
    with WorkerPool(len, workers=1, timeout_seconds=20) as pool:
        assert next(pool.map([bytes(20_000_000)])).unwrap() == 20_000_000


def test_the_same_item_twice_gives_two_outcomes() -> None:
    with WorkerPool(jobs.double, workers=2, timeout_seconds=10) as pool:
        assert [o.unwrap() for o in pool.map([7, 7, 7])] == [14, 14, 14]


def test_an_item_that_cannot_be_sent_costs_itself() -> None:
    with WorkerPool(jobs.double, workers=1, timeout_seconds=10) as pool:
        outcomes: list[Outcome] = list(pool.map([1, lambda: 1, 2]))
    assert sorted(o.value for o in outcomes if o.error is None) == [2, 4]
    assert sum(o.error is not None for o in outcomes) == 1


def test_noise_stays_off_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = run(jobs.misbehave, ["noise", "abort", "fine"], workers=1)
    assert outcomes["noise"].unwrap() == "noise"
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""


@pytest.mark.parametrize(
    ("function", "options", "named"),
    [
        (lambda number: number, {}, "module-level"),
        (jobs.double, {"workers": 0}, "workers"),
        (jobs.double, {"timeout_seconds": 0}, "--decode-timeout"),
        (jobs.double, {"timeout_seconds": float("nan")}, "--decode-timeout"),
    ],
)
def test_bad_arguments_are_named(function: Callable, options: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        WorkerPool(function, **{"workers": 1, "timeout_seconds": 5, **options})


def test_a_closed_pool_says_so() -> None:
    pool = WorkerPool(jobs.double, workers=1, timeout_seconds=5)
    pool.close()
    pool.close()
    with pytest.raises(InputError, match="closed"):
        pool.map([1])
    with (
        WorkerPool(jobs.double, workers=1, timeout_seconds=5) as other,
        pytest.raises(InputError, match="in_flight"),
    ):
        other.map([1], in_flight=0)


def start_parent(tmp_path: Path, job: str, limit: float) -> subprocess.Popen[bytes]:
    # A shell has what it starts in the background ignore Ctrl-C, the tests too, and children inherit that.
    script = f"""
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from tests.vidprompter.video import worker_jobs as jobs
        from vidprompter.video.workers import WorkerPool
        with WorkerPool(jobs.{job}, workers=2, timeout_seconds={limit}) as pool:
            list(pool.map([{str(tmp_path)!r}] * 4))
    """
    # Without an `if __name__` guard, from a script on stdin: workers must not run it again.
    command = [sys.executable, "-"]
    parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert parent.stdin is not None
    parent.stdin.write(textwrap.dedent(script).encode())
    parent.stdin.close()
    parent.stdin = None
    return parent


def pids_in(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("job", "limit", "patience"),
    [
        ("note_pid_then_hang", 300.0, 10.0),
        ("note_pid_then_hang_in_c", 1.5, 15.0),
        pytest.param(
            "note_pid_then_hang_in_c",
            300.0,
            5.0,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the watchdog ends it later"),
        ),
    ],
)
def test_workers_do_not_survive_a_killed_parent(
    tmp_path: Path, job: str, limit: float, patience: float
) -> None:
    parent = start_parent(tmp_path, job, limit)
    try:
        assert wait_until(lambda: len(pids_in(tmp_path)) >= 2, 60)
    finally:
        parent.kill()
        parent.wait()
        assert parent.stderr is not None
        parent.stderr.close()
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids_in(tmp_path)), patience)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_parent_and_workers(tmp_path: Path) -> None:
    parent = start_parent(tmp_path, "note_pid_then_hang", 300.0)
    try:
        assert wait_until(lambda: len(pids_in(tmp_path)) >= 2, 60)
        parent.send_signal(signal.SIGINT)
        _, said = parent.communicate(timeout=30)
    finally:
        parent.kill()
    assert parent.returncode in (130, -signal.SIGINT, 1)
    assert said.count(b"KeyboardInterrupt") == 1
    assert wait_until(lambda: not any(is_alive(pid) for pid in pids_in(tmp_path)))
