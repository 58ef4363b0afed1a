"""A call that hangs, crashes or eats the memory costs itself and nothing else.

Time limits are generous, since a machine may be busy; where a test waits for something it polls.
"""

import asyncio
import concurrent.futures
import gc
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.deadlines.deadline_pool import DeadlinePool, PoolReport
from examples.deadlines.faults import faulty_reward_fn
from examples.shared.outcome import Abstained, Reason

# A new worker need not import these, which takes longer than all else it does.
multiprocessing.set_forkserver_preload(["numpy", "pytest", "examples.deadlines.faults"])

ROOT = Path(__file__).parent.parent.parent
MIB = 2**20


def fault(completion: str) -> float:
    return faulty_reward_fn("", completion, [], [])


def hang() -> float:
    return fault("hang")


def raise_it(error: BaseException) -> None:
    raise error


def ignore_sigterm_and_hang() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def write_pid_and_hang(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    hang()


def start_a_process_and_hang(path: str) -> None:
    process = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(str(process.pid))
    hang()


def take(size: int) -> int:
    return len(b"\xff" * size)


def spin(over: threading.Event) -> None:
    while not over.is_set():
        sum(range(20_000))


class NeedsArguments(Exception):
    """Can be pickled, and cannot be unpickled."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class CannotBeUnpickled:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _refuse_in, (os.getpid(),)


def _refuse_in(_: int) -> None:
    raise ValueError("not here")


def raise_needs_arguments() -> None:
    raise NeedsArguments("the answer", "is missing")


def end_of(future: Future[Any]) -> Any:
    """What a call came to: its value, or the reason of its abstention, or its exception's type."""
    try:
        return future.result(timeout=60)
    except Abstained as abstained:
        return abstained.outcome.reason
    except BaseException as error:
        return type(error)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def workers() -> set[int]:
    return {p.pid for p in multiprocessing.active_children() if p.name == "DeadlinePool" and p.pid}


def run_script(path: Path, code: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    path.write_text(textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.fixture
def pool() -> Iterator[DeadlinePool]:
    with DeadlinePool(2, timeout_seconds=600) as pool:
        yield pool


@pytest.fixture
def hasty() -> Iterator[DeadlinePool]:
    with DeadlinePool(2, timeout_seconds=0.5) as pool:
        yield pool


# What a call comes to


def test_a_call_gives_what_its_function_returns(pool: DeadlinePool) -> None:
    assert pool.submit(pow, 2, 10).result() == 1024
    assert pool.submit(int, "ff", base=16).result() == 255
    assert asyncio.run(pool.run(pow, 2, exp=10)) == 1024


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v"),
        TimeoutError("t"),
        MemoryError("m"),
        concurrent.futures.CancelledError("c"),
        BrokenProcessPool("b"),
        asyncio.CancelledError("c"),
        StopIteration(3),
    ],
    ids=repr,
)
def test_a_functions_own_exception_arrives_unchanged(
    pool: DeadlinePool, error: BaseException
) -> None:
    future = pool.submit(raise_it, error)
    raised = future.exception(timeout=60)
    assert type(raised) is type(error)
    assert raised.args == error.args
    assert "in raise_it" in raised.__notes__[0]
    assert pool.report().counts["raised"] == 1


@pytest.mark.parametrize("error", [TimeoutError("t"), concurrent.futures.CancelledError("c")])
def test_an_awaited_exception_is_not_taken_for_the_loops(
    pool: DeadlinePool, error: Exception
) -> None:
    with pytest.raises(type(error)) as caught:
        asyncio.run(pool.run(raise_it, error))
    assert type(caught.value) is type(error)


def test_an_awaited_stop_iteration_does_not_hang(pool: DeadlinePool) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(asyncio.wait_for(pool.run(raise_it, StopIteration()), 60))


def test_a_hanging_call_times_out_and_the_next_is_served(hasty: DeadlinePool) -> None:
    futures = [hasty.submit(hang) for _ in range(4)]
    for future in futures:
        with pytest.raises(Abstained, match=r"timed_out: no result within 0\.5 s"):
            future.result(timeout=60)
    assert hasty.submit(pow, 2, 3).result(timeout=60) == 8


@pytest.mark.parametrize(
    ("fn", "argument", "detail"),
    [
        (os._exit, 3, "exit code 3"),
        (os._exit, 0, "exit code 0"),
        (sys.exit, 4, "exit code 4"),
        (fault, "kill", "SIGKILL"),
        (signal.raise_signal, signal.SIGSEGV, "SIGSEGV"),
        (signal.raise_signal, 50, "signal 50"),
    ],
)
def test_a_dead_workers_end_is_told(
    pool: DeadlinePool, fn: Callable[..., Any], argument: Any, detail: str
) -> None:
    with pytest.raises(Abstained, match=f"worker_died: .*{detail}$"):
        pool.submit(fn, argument).result(timeout=60)
    assert pool.submit(pow, 2, 3).result(timeout=60) == 8


@pytest.mark.parametrize(
    "work", [(lambda: 1,), (print, threading.Lock()), (hang, lambda: 1)], ids=["fn", "lock", "fn2"]
)
def test_what_cannot_be_sent_is_refused_at_submit(
    pool: DeadlinePool, work: tuple[Callable[..., Any], ...]
) -> None:
    with pytest.raises(TypeError, match="cannot be sent to a worker"):
        pool.submit(*work)
    assert sum(pool.report().counts.values()) == 0


@pytest.mark.parametrize(
    ("fn", "text"),
    [
        (threading.Lock, "returned .*lock"),
        (CannotBeUnpickled, "returned .*CannotBeUnpickled.*not here"),
        (raise_needs_arguments, "raised .*NeedsArguments: the answer: is missing"),
    ],
)
def test_a_result_that_cannot_be_sent_back_is_named(
    pool: DeadlinePool, fn: Callable[[], object], text: str
) -> None:
    before = pool.submit(pow, 2, 3).result(timeout=60), workers()
    with pytest.raises(TypeError, match=text):
        pool.submit(fn).result(timeout=60)
    assert (pool.submit(pow, 2, 3).result(timeout=60), workers()) == before


def test_a_function_that_the_worker_cannot_import_is_named(tmp_path: Path) -> None:
    code = """
        from examples.deadlines.deadline_pool import DeadlinePool
        def from_a_console(): pass
        with DeadlinePool(1) as pool:
            try:
                pool.submit(from_a_console).result()
            except TypeError as error:
                print(error)
            print(pool.submit(pow, 2, 3).result())
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "a worker cannot load the call: AttributeError" in result.stdout, result.stderr
    assert result.stdout.endswith("\n8\n")


# The clock


def test_waiting_in_the_queue_is_not_charged() -> None:
    with DeadlinePool(2, timeout_seconds=1) as pool:
        futures = [pool.submit(fault, f"sleep 0.3 then score {i}") for i in range(12)]
        assert [end_of(future) for future in futures] == list(range(12))
        report = pool.report()
    assert report.queue_seconds.longest > 1
    assert 0.3 <= report.run_seconds.longest < 1


def test_starting_a_worker_is_not_charged(tmp_path: Path) -> None:
    script = """
        import time
        from examples.deadlines.deadline_pool import DeadlinePool
        time.sleep(1)  # in each worker, too, which imports this file
        if __name__ == "__main__":
            with DeadlinePool(1, timeout_seconds=0.5) as pool:
                print(pool.submit(pow, 2, 3).result())
    """
    assert run_script(tmp_path / "slow_start.py", script).stdout == "8\n"


def test_the_report_adds_up(hasty: DeadlinePool) -> None:
    completions = ["score 1", "raise", "crash", "hang", "sleep 0.1 then score 0"] * 3
    futures = [hasty.submit(fault, completion) for completion in completions]
    for future in futures:
        # A future is over after it is counted.
        future.add_done_callback(lambda _: sums.append(sum(hasty.report().counts.values())))
    sums: list[int] = []
    concurrent.futures.wait(futures, timeout=60)
    report = hasty.report()
    assert report.counts == {
        "returned": 6,
        "raised": 3,
        "cancelled": 0,
        "timed_out": 3,
        "worker_died": 3,
    }
    wait_for(lambda: len(sums) == 15)
    assert all(done >= at_least for at_least, done in enumerate(sorted(sums), 1))
    assert report.queue_seconds.count == report.run_seconds.count == 15
    assert report.run_seconds.longest == 0.5
    assert 1.8 <= report.run_seconds.total <= 15 * 0.5
    assert report.run_seconds.mean == report.run_seconds.total / 15


def test_an_unused_pools_report_is_empty() -> None:
    report = DeadlinePool(1).report()
    assert set(report.counts) == {"returned", "raised", "cancelled", "timed_out", "worker_died"}
    assert isinstance(report, PoolReport)
    assert report.run_seconds.mean == 0


# Neighbours


def test_healthy_calls_pass_a_hanging_neighbour(hasty: DeadlinePool) -> None:
    hanging = hasty.submit(ignore_sigterm_and_hang)
    pids = []
    while not hanging.done():
        pids.append(hasty.submit(os.getpid).result(timeout=60))
    assert end_of(hanging) is Reason.TIMED_OUT
    assert len(set(pids)) == 1


def test_every_end_is_told_to_its_own_call_while_the_parent_is_busy() -> None:
    over = threading.Event()
    busy = [threading.Thread(target=spin, args=(over,), daemon=True) for _ in range(3)]
    with DeadlinePool(2, timeout_seconds=60) as pool:
        for thread in busy:
            thread.start()
        futures = [pool.submit(fault, f"score {i}" if i % 2 else "crash") for i in range(30)]
        ends = [end_of(future) for future in futures]
    over.set()
    assert ends == [float(i) if i % 2 else Reason.WORKER_DIED for i in range(30)]


def test_what_a_function_starts_dies_with_its_worker(hasty: DeadlinePool, tmp_path: Path) -> None:
    assert end_of(hasty.submit(start_a_process_and_hang, str(tmp_path / "pid"))) is Reason.TIMED_OUT
    wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_a_worker_killed_while_idle_is_replaced(pool: DeadlinePool) -> None:
    for _ in range(3):
        barrier = [pool.submit(fault, "sleep 0.2 then score 1") for _ in range(2)]
        assert [end_of(future) for future in barrier] == [1, 1]
        for pid in workers():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(is_alive(pid) for pid in workers()))
        assert [end_of(pool.submit(pow, 2, i)) for i in range(4)] == [1, 2, 4, 8]
    assert pool.report().counts["worker_died"] == 0


def test_a_call_waits_in_vain_for_a_worker_that_never_starts(tmp_path: Path) -> None:
    script = """
        import os
        from examples.deadlines.deadline_pool import DeadlinePool
        if __name__ == "__main__":
            with DeadlinePool(1) as pool:
                print(pool.submit(pow, 2, 3).exception())
        else:
            os._exit(5)
    """
    result = run_script(tmp_path / "no_start.py", script)
    assert "worker_died: no worker could be started: the worker ended with exit code 5" in (
        result.stdout
    )


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = """
        from examples.deadlines.deadline_pool import DeadlinePool
        with DeadlinePool(1) as pool:
            pool.submit(pow, 2, 3).result()
    """
    result = run_script(tmp_path / "unguarded.py", script)
    assert result.returncode == 1
    assert "no worker could be started" in result.stderr
    assert "if __name__ == '__main__':" in result.stderr


# Limits


def test_a_memory_limit_ends_the_call_that_passes_it() -> None:
    with DeadlinePool(1, timeout_seconds=60, memory_limit=256 * MIB) as pool:
        assert pool.submit(take, 64 * MIB).result(timeout=60) == 64 * MIB
        before = workers()
        with pytest.raises(Abstained, match=f"worker_died: .*limit of {256 * MIB} bytes"):
            pool.submit(fault, "hog").result(timeout=60)
        assert pool.submit(take, 64 * MIB).result(timeout=60) == 64 * MIB
        assert not workers() & before


def test_a_worker_is_replaced_after_so_many_calls() -> None:
    with DeadlinePool(1, max_tasks_per_worker=2) as pool:
        pids = [pool.submit(os.getpid).result(timeout=60) for _ in range(6)]
    assert list(Counter(pids).values()) == [2, 2, 2]


def test_there_are_no_more_workers_than_allowed_or_needed() -> None:
    with DeadlinePool(3) as pool:
        assert not workers()
        for _ in range(3):
            pool.submit(pow, 2, 3).result(timeout=60)
        wait_for(lambda: len(workers()) <= 2)
        assert all(end_of(pool.submit(pow, 2, 3)) == 8 for _ in range(3))
        futures = [pool.submit(fault, "sleep 0.05 then score 1") for _ in range(12)]
        assert [end_of(future) for future in futures] == [1.0] * 12
        assert len(workers()) == 3


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_workers": 0}, ValueError),
        ({"max_workers": 1.5}, TypeError),
        ({"max_workers": True}, TypeError),
        ({"timeout_seconds": 0}, ValueError),
        ({"timeout_seconds": -1}, ValueError),
        ({"timeout_seconds": math.nan}, ValueError),
        ({"timeout_seconds": math.inf}, ValueError),
        ({"timeout_seconds": "15"}, TypeError),
        ({"timeout_seconds": None}, TypeError),
        ({"max_tasks_per_worker": 0}, ValueError),
        ({"memory_limit": -1}, ValueError),
        ({"memory_limit": 1e9}, TypeError),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        DeadlinePool(**arguments)


@pytest.mark.parametrize("seconds", [np.float32(5), np.int64(5), Fraction(5)])
def test_a_deadline_may_be_any_real_number(seconds: Any) -> None:
    with DeadlinePool(1, seconds) as pool:
        assert pool._settings.timeout_seconds == 5.0


def test_a_memory_limit_needs_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    with pytest.raises(RuntimeError, match="needs Linux"):
        DeadlinePool(memory_limit=MIB)


# Cancelling


def test_a_cancelled_call_that_waits_never_runs(pool: DeadlinePool, tmp_path: Path) -> None:
    blocking = [pool.submit(fault, "sleep 0.5 then score 1") for _ in range(2)]
    waiting = pool.submit(Path.touch, tmp_path / "ran")
    assert waiting.cancel()
    assert waiting.cancelled()
    concurrent.futures.wait([waiting, *blocking], timeout=60)
    assert pool.submit(pow, 2, 3).result(timeout=60) == 8
    assert not (tmp_path / "ran").exists()
    assert pool.report().counts == {
        "returned": 3,
        "raised": 0,
        "cancelled": 1,
        "timed_out": 0,
        "worker_died": 0,
    }


def test_cancelling_a_running_call_kills_it(pool: DeadlinePool, tmp_path: Path) -> None:
    path = tmp_path / "pid"
    future = pool.submit(write_pid_and_hang, str(path))
    wait_for(lambda: path.exists() and path.read_text())
    assert future.cancel()
    wait_for(lambda: not is_alive(int(path.read_text())))
    assert [end_of(pool.submit(pow, 2, i)) for i in range(8)] == [2**i for i in range(8)]
    assert pool.report().counts["cancelled"] == 1


def test_cancelling_the_awaiting_task_kills_the_call(pool: DeadlinePool, tmp_path: Path) -> None:
    path = tmp_path / "pid"

    async def main() -> None:
        task = asyncio.create_task(pool.run(write_pid_and_hang, str(path)))
        while not (path.exists() and path.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(hang), 0.2)
        assert await pool.run(pow, 2, 3) == 8

    asyncio.run(main())
    wait_for(lambda: not is_alive(int(path.read_text())))
    assert pool.report().counts["cancelled"] == 2


def test_calls_that_are_cancelled_at_any_moment_harm_no_other(pool: DeadlinePool) -> None:
    for i in range(100):
        victim = pool.submit(pow, 2, 3)
        if i % 3:
            time.sleep(i * 2e-5)
        victim.cancel()
        assert end_of(pool.submit(pow, 2, i)) == 2**i
    counts = pool.report().counts
    assert counts["worker_died"] == counts["timed_out"] == counts["raised"] == 0
    assert counts["returned"] + counts["cancelled"] == 200


# Where it works


def test_it_works_from_many_threads(pool: DeadlinePool) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda i: pool.submit(pow, i, 2).result(60), range(200)))
    assert results == [i * i for i in range(200)]


def test_it_works_from_one_event_loop_after_another(pool: DeadlinePool) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(pool.run(pow, i, 2) for i in range(50)))

    for _ in range(2):
        assert asyncio.run(main()) == [i * i for i in range(50)]


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_it_works_with_each_start_method(method: str) -> None:
    context = multiprocessing.get_context(method)
    with DeadlinePool(2, timeout_seconds=3, mp_context=context) as pool:
        completions = ["score 1", "hang", "crash", "score 0.5"]
        futures = [pool.submit(fault, completion) for completion in completions]
        ends = [end_of(future) for future in futures]
    assert ends == [1.0, Reason.TIMED_OUT, Reason.WORKER_DIED, 0.5]
    wait_for(lambda: not workers())


def test_a_pool_inherited_through_a_fork_starts_afresh(tmp_path: Path) -> None:
    script = """
        import os
        from examples.deadlines.deadline_pool import DeadlinePool
        if __name__ == "__main__":
            pool = DeadlinePool(2)
            print("parent", pool.submit(pow, 2, 3).result(), flush=True)
            child = os.fork()
            print("both", pool.submit(pow, 2, 4).result(timeout=30), flush=True)
            print("both", pool.submit(pow, 2, 5).result(timeout=30), flush=True)
            if child:
                print("status", os.waitpid(child, 0)[1])
                print(pool.submit(pow, 2, 6).result(timeout=30), pool.report().counts["returned"])
    """
    result = run_script(tmp_path / "forks.py", script)
    lines = result.stdout.splitlines()
    assert sorted(lines[:-2]) == ["both 16", "both 16", "both 32", "both 32", "parent 8"], result
    assert lines[-2:] == ["status 0", "64 4"]


def test_a_daemonic_process_is_told_that_it_may_not(tmp_path: Path) -> None:
    script = """
        import multiprocessing
        from examples.deadlines.deadline_pool import DeadlinePool
        def work():
            try:
                DeadlinePool(1).submit(pow, 2, 3)
            except RuntimeError as error:
                print(error)
        if __name__ == "__main__":
            process = multiprocessing.Process(target=work, daemon=True)
            process.start()
            process.join()
    """
    assert "daemonic" in run_script(tmp_path / "daemon.py", script).stdout


# The end


def test_close_kills_what_runs_and_cancels_what_waits(tmp_path: Path) -> None:
    pool = DeadlinePool(1, timeout_seconds=600)
    path = tmp_path / "pid"
    running, waiting = pool.submit(write_pid_and_hang, str(path)), pool.submit(pow, 2, 3)
    wait_for(lambda: path.exists() and path.read_text())
    pool.close()
    assert running.cancelled()
    assert waiting.cancelled()
    assert not is_alive(int(path.read_text()))
    assert pool.report().counts["cancelled"] == 2
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(pow, 2, 3)
    pool.close()


def test_a_dropped_pool_leaves_no_worker() -> None:
    pool = DeadlinePool(2)
    pids = {pool.submit(os.getpid).result(timeout=60) for _ in range(4)}
    del pool
    gc.collect()
    wait_for(lambda: not any(map(is_alive, pids)))


def test_a_pool_lives_as_long_as_its_calls() -> None:
    future = DeadlinePool(1).submit(fault, "sleep 0.3 then score 1")
    gc.collect()
    assert future.result(timeout=60) == 1


@pytest.mark.parametrize("how", ["hang", "ignore_sigterm_and_hang"])
def test_a_program_ends_in_spite_of_a_hanging_worker(tmp_path: Path, how: str) -> None:
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_deadline_pool import hang, ignore_sigterm_and_hang, write_pid_and_hang
        from examples.deadlines.deadline_pool import DeadlinePool
        if __name__ == "__main__":
            pool = DeadlinePool(2, timeout_seconds=600)
            print(pool.submit(__import__("os").getpid).result())
            futures = [pool.submit({how}) for _ in range(8)]
            __import__("time").sleep(1)
    """
    result = run_script(tmp_path / "hangs.py", script, seconds=40)
    assert (result.returncode, result.stderr) == (0, "")
    assert not is_alive(int(result.stdout))


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_no_worker_outlives_a_parents_violent_death_and_the_deadline(
    tmp_path: Path, method: str
) -> None:
    script = f"""
        import multiprocessing, os, signal, sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_deadline_pool import fault, write_pid_and_hang
        from examples.deadlines.deadline_pool import DeadlinePool
        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            pool = DeadlinePool(3, timeout_seconds=1, mp_context=context)
            futures = [pool.submit(fault, "sleep 0.3 then score 1") for _ in range(3)]
            [future.result() for future in futures]
            pool.submit(write_pid_and_hang, "pid")
            while not os.path.exists("pid"):
                time.sleep(0.01)
            print(*(process.pid for process in multiprocessing.active_children()), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    (tmp_path / "dies.py").write_text(textwrap.dedent(script))
    with open(tmp_path / "pids", "w") as pids:  # a pipe would stay open as long as a worker
        subprocess.run(
            [sys.executable, "dies.py"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=pids,
            timeout=60,
            check=False,
        )
    alive = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(alive) == 3
    wait_for(lambda: not any(map(is_alive, alive)))


def test_a_thousand_hostile_calls_harm_no_healthy_one(tmp_path: Path) -> None:
    """Every score is the true one, every abstention has its reason, and everything is given back."""
    script = """
        import multiprocessing, os, random, sys
        from collections import Counter
        from pathlib import Path
        from examples.deadlines.deadline_pool import DeadlinePool
        from examples.deadlines.faults import faulty_reward_fn
        from examples.shared.outcome import Abstained

        def resident(pids):
            text = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
            return sum(int(t.split("VmRSS:")[1].split()[0]) for t in text) // 1024

        def live():
            return [p.pid for p in multiprocessing.active_children() if p.name == "DeadlinePool"]

        def score(pool, completion):
            return pool.submit(faulty_reward_fn, "", completion, [], [])

        def main():
            multiprocessing.set_forkserver_preload(["examples.deadlines.faults", "examples.deadlines.deadline_pool"])
            hostile = ["hang"] * 12 + ["hog"] * 28 + ["crash"] * 100 + ["kill"] * 100
            hostile += ["raise"] * 300 + ["timeout"] * 230 + ["abstain"] * 230
            calls = hostile + [f"score {i}" for i in range(1000)]
            random.Random(0).shuffle(calls)
            expected = dict(hang="timed_out", hog="worker_died", crash="worker_died",
                kill="worker_died", abstain="bad_reference")
            expected["raise"], expected["timeout"] = "ValueError", "TimeoutError"
            with DeadlinePool(4, timeout_seconds=2.0, memory_limit=2**26) as pool:
                warm = [score(pool, "sleep 0.3 then score 1") for _ in range(4)]
                [future.result() for future in warm]
                before = len(live()), resident(live()), resident([os.getpid()])
                futures = [(call, score(pool, call)) for call in calls]
                wrong = Counter()
                for call, future in futures:
                    try:
                        got = future.result()
                    except Abstained as abstained:
                        got = str(abstained.outcome.reason)
                    except Exception as error:
                        got = type(error).__name__
                    if got != (float(call[6:]) if call.startswith("score") else expected[call]):
                        wrong[call.split()[0], got] += 1
                warm = [score(pool, "sleep 0.3 then score 1") for _ in range(4)]
                [future.result() for future in warm]
                after = len(live()), resident(live()), resident([os.getpid()])
                print(dict(wrong))
                print(*before, *after)
                print(pool.report().counts)
        if __name__ == "__main__":
            main()
    """
    result = run_script(tmp_path / "hostile.py", script, seconds=120)
    assert (result.returncode, result.stderr) == (0, "")
    wrong, sizes, counts = result.stdout.splitlines()
    assert wrong == "{}"
    workers_before, mib_before, own_before, workers_after, mib_after, own_after = map(
        int, sizes.split()
    )
    assert workers_before == workers_after == 4
    assert mib_after < mib_before + 50
    assert own_after < own_before + 50
    assert eval(counts) == {
        "returned": 1008,
        "raised": 760,
        "cancelled": 0,
        "timed_out": 12,
        "worker_died": 228,
    }
