"""Worker processes in which every call has a deadline, kept by killing the worker.

A thread cannot be stopped and a signal handler waits for C code to return; `9**9**9`
outlives both. A process can be killed. `DeadlinePool` gives each worker a pipe and a thread
of its own, so that one call's end, however violent, touches no other call:

    >>> with DeadlinePool(max_workers=2, timeout_seconds=1.0) as pool:
    ...     pool.submit(pow, 2, 10).result()
    1024

The clock starts when a free worker gets the call: neither waiting for one nor starting one
is charged. Importing the function's module is, in a worker's first call.

Standard library only; needs Unix.
"""

import atexit
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from numbers import Real
from typing import Any, ParamSpec, Self, TypeVar

from ..shared.outcome import Abstained, Outcome, Reason

__all__ = ["DeadlinePool", "PoolReport", "Times"]

P = ParamSpec("P")
T = TypeVar("T")

_DAY = 86_400.0
_START_SECONDS = 120.0  # for a worker to import the main module; charged to no call
_STARTS = 3  # workers that may die before a call starts, until it is given up
_GRACE_SECONDS = 2.0  # until a worker kills itself, when nobody is left to do it
_OUT_OF_MEMORY = 77  # a worker's exit code


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in seconds, over `count` calls."""

    count: int = 0
    total: float = 0.0
    longest: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class PoolReport:
    """What became of the calls that are over.

    `counts` has the keys `returned`, `raised`, `cancelled`, `timed_out` and
    `worker_died`. The times are those of the calls that started and were not cancelled.
    """

    counts: dict[str, int]
    queue_seconds: Times
    run_seconds: Times


class DeadlinePool:
    """Runs functions in worker processes; a call past its deadline loses its worker.

    A call gives what its function returned, or raises what it raised, with the worker's
    traceback as a note. `Abstained` with `timed_out` or `worker_died` means that
    neither is known.

    Workers start when a call needs one and none is free. What the function started in
    the worker's process group is killed with it. A function's `sys.exit()` ends its
    worker, not the caller. To start workers in milliseconds, tell
    `multiprocessing.set_forkserver_preload` what they import.

    Args:
        max_workers: processes at most; by default the CPUs this process may use.
        timeout_seconds: one call's deadline, more than 0 and at most a day.
        max_tasks_per_worker: calls after which a worker is replaced; by default never.
        memory_limit: bytes that a worker may allocate beyond what it holds when it
            starts, imports included; Linux only. A function that catches `MemoryError`,
            as `except Exception` does, goes on.
        mp_context: how workers start, as for `ProcessPoolExecutor`; by default
            "forkserver", else "spawn", since a fork of a process with threads or CUDA
            may deadlock. Both import the main module: guard a script with
            `if __name__ == "__main__":`. A child by `os.fork()` starts its own workers.

    Raises:
        TypeError, ValueError: an argument is out of its range.
        RuntimeError: `memory_limit` is not supported here.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        timeout_seconds: float = 15.0,
        *,
        max_tasks_per_worker: int | None = None,
        memory_limit: int | None = None,
        mp_context: BaseContext | None = None,
    ) -> None:
        for name, value in (
            ("max_workers", max_workers),
            ("max_tasks_per_worker", max_tasks_per_worker),
            ("memory_limit", memory_limit),
        ):
            if value is not None:
                if not isinstance(value, int) or isinstance(value, bool):
                    raise TypeError(f"{name} must be an int or None, not {value!r}")
                if value < 1:
                    raise ValueError(f"{name} must be at least 1, not {value}")
        seconds = timeout_seconds
        if not isinstance(seconds, float | Real) or isinstance(seconds, bool):
            raise TypeError(f"timeout_seconds must be a number, not {seconds!r}")
        if not 0 < seconds <= _DAY:
            raise ValueError(f"timeout_seconds must be above 0 and at most a day, not {seconds}")
        if memory_limit is not None and not os.path.exists("/proc/self/status"):
            raise RuntimeError("memory_limit needs Linux: leave it out")
        if mp_context is None:
            methods = multiprocessing.get_all_start_methods()
            mp_context = multiprocessing.get_context(
                "forkserver" if "forkserver" in methods else "spawn"
            )
        self._settings = _Settings(
            max_workers or _cpus(),
            float(seconds),
            max_tasks_per_worker,
            memory_limit,
            mp_context,
        )
        self._start_afresh()
        _pools.add(self)

    def submit(
        self,
        fn: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[T]:
        """Queue a call and return its future; `cancel()` stops it even when it runs.

        Besides what `fn` raises, the future raises `Abstained` for a call that passed
        its deadline or whose worker died, and TypeError for a result, or an exception,
        that cannot be sent between processes. `running()` is always False.

        Raises:
            TypeError: `fn` or an argument cannot be pickled.
            RuntimeError: the pool is closed, or this process is daemonic.
        """
        try:
            payload = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise TypeError(
                f"cannot be sent to a worker: {error}; call a function defined at the "
                "top of a module, with plain data"
            ) from error
        call = _Call(payload, Future(), time.monotonic(), self)
        self._engine.put(call)
        return call.future

    async def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `submit`, awaited; cancelling the awaiting task cancels the call."""
        import asyncio  # here: no worker needs it, and workers must start fast

        loop, over = asyncio.get_running_loop(), asyncio.Event()
        future = self.submit(fn, *args, **kwargs)

        # asyncio.wrap_future would take a function's own CancelledError for a cancellation.
        def wake(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(over.set)

        future.add_done_callback(wake)
        try:
            await over.wait()
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def report(self) -> PoolReport:
        """Return the counts and times so far; a future is over after it is counted."""
        e = self._engine
        with e.lock:
            return PoolReport(dict(e.counts), e.queue_seconds, e.run_seconds)

    def close(self) -> None:
        """Kill what runs and cancel what waits, and return when no worker is left."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_afresh(self) -> None:
        self._engine = _Engine(self._settings)
        weakref.finalize(self, self._engine.close, join=False).atexit = False


_pools: weakref.WeakSet[DeadlinePool] = weakref.WeakSet()

# multiprocessing reads an exit status once, and every start of a process, from any thread, may
# read those of the others: two at a time lose it.
_process_lock = threading.Lock()


def _after_fork() -> None:
    """A child by os.fork() has neither the threads nor the workers: its pools start afresh."""
    global _process_lock
    _process_lock = threading.Lock()
    for pool in list(_pools):
        pool._start_afresh()


os.register_at_fork(after_in_child=_after_fork)


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _add(times: Times, seconds: float) -> Times:
    return Times(times.count + 1, times.total + seconds, max(times.longest, seconds))


@dataclass(frozen=True, slots=True)
class _Settings:
    max_workers: int
    timeout_seconds: float
    max_tasks_per_worker: int | None
    memory_limit: int | None
    context: BaseContext


@dataclass(eq=False, slots=True)
class _Call:
    payload: bytes
    future: Future[Any]
    submitted: float
    pool: DeadlinePool | None  # keeps the pool alive while the call is under way
    worker: "_Worker | None" = None


class _Engine:
    """A pool's queue, threads and workers. It knows nothing of the pool, which may be dropped."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.context = settings.context
        self.pid = os.getpid()
        self.lock = threading.Condition()
        self.queue: deque[_Call] = deque()
        self.threads: list[threading.Thread] = []
        self.workers: set[_Worker] = set()
        self.idle = 0
        self.closed = False
        keys = ("returned", "raised", "cancelled", Reason.TIMED_OUT, Reason.WORKER_DIED)
        self.counts = {str(key): 0 for key in keys}
        self.queue_seconds = self.run_seconds = Times()

    def put(self, call: _Call) -> None:
        if multiprocessing.current_process().daemon:
            raise RuntimeError(
                "a daemonic process may not start workers: start this process with daemon=False"
            )
        with self.lock:
            if self.closed:
                raise RuntimeError("the pool is closed")
            if self.idle <= len(self.queue) and len(self.threads) < self.settings.max_workers:
                if not self.threads:
                    # At exit this comes before multiprocessing's own, which waits for workers.
                    atexit.register(self.close)
                thread = threading.Thread(target=self.serve, name="DeadlinePool", daemon=True)
                thread.start()
                self.threads.append(thread)
            # The first callback: a cancelled call is counted before others hear of it.
            call.future.add_done_callback(partial(self.cancelled, call))
            self.queue.append(call)
            self.lock.notify()

    def cancelled(self, call: _Call, future: Future[Any]) -> None:
        if future.cancelled():
            with self.lock:
                self.counts["cancelled"] += 1
                if call.worker is not None:
                    call.worker.kill()

    def close(self, join: bool = True) -> None:
        if self.pid != os.getpid():  # a fork's copy: the workers are the parent's
            return
        with self.lock:
            self.closed = True
            waiting = list(self.queue)
            self.queue.clear()
            for worker in self.workers:
                worker.kill()
            self.lock.notify_all()
        atexit.unregister(self.close)
        for call in waiting:
            call.future.cancel()
            call.future.set_running_or_notify_cancel()
            call.pool = None
        for thread in self.threads if join else ():
            if thread is not threading.current_thread():
                thread.join(3 * _GRACE_SECONDS)

    def serve(self) -> None:
        """One thread's life: it has one worker at a time."""
        worker: _Worker | None = None
        while True:
            with self.lock:
                self.idle += 1
                while not self.queue and not self.closed:
                    self.lock.wait()
                self.idle -= 1
                if self.closed:
                    break
                call = self.queue.popleft()
            try:
                worker = self.run(call, worker)
            except Exception as error:  # no worker can be started from here; it says why
                self.settle(call, "raised", error)
                worker = None
            del call  # which may drop the pool
        if worker is not None:
            self.dismiss(worker)

    def run(self, call: _Call, worker: "_Worker | None") -> "_Worker | None":
        """Run a call in `worker` or a new one; return the worker if it can take another."""
        problem = ""
        for _ in range(_STARTS):
            if self.closed or call.future.cancelled():
                break
            try:
                worker = worker or self.start_worker()
                with self.lock:
                    if call.future.cancelled():
                        break
                    call.worker = worker
                worker.conn.send_bytes(call.payload)
            except OSError as error:  # it died idle or starting: the call has not started
                problem = str(error)
                if worker is not None:
                    self.dismiss(worker)
                worker = None
                continue
            kind, value, started, seconds = worker.reply()
            worker.calls += 1
            with self.lock:
                call.worker = None  # from here on a cancellation does not reach the worker
                if worker.calls == self.settings.max_tasks_per_worker:
                    worker.kill()
            self.settle(call, kind, value, started - call.submitted, seconds)
            if worker.killed:
                self.dismiss(worker)
                return None
            return worker
        self.settle(call, Reason.WORKER_DIED, f"no worker could be started: {problem}")
        return worker

    def start_worker(self) -> "_Worker":
        with _process_lock:
            try:
                worker = _Worker(self.settings, self.context)
            except ChildProcessError:  # os.fork() has left the fork server with the parent
                self.context = multiprocessing.get_context("spawn")
                worker = _Worker(self.settings, self.context)
        with self.lock:
            self.workers.add(worker)
            if self.closed:
                worker.kill()
        with contextlib.suppress(OSError, EOFError):
            if worker.receive(_START_SECONDS) is not None:
                return worker
            worker.kill()
        problem = f"{self.dismiss(worker)} while it started: see its standard error"
        raise OSError(problem)

    def dismiss(self, worker: "_Worker") -> str:
        """End a worker, if it has not ended itself, and say how it ended."""
        ending = worker.ending()
        with self.lock:
            self.workers.discard(worker)
        worker.close()
        return ending

    def settle(self, call: _Call, kind: str, value: Any, *times: float) -> None:
        """Count what became of a call, then tell the caller."""
        if self.closed and kind == Reason.WORKER_DIED:
            call.future.cancel()
        if call.future.set_running_or_notify_cancel():  # from here on it cannot be cancelled
            with self.lock:
                self.counts[kind] += 1
                if times:
                    self.queue_seconds = _add(self.queue_seconds, times[0])
                    self.run_seconds = _add(self.run_seconds, times[1])
            if kind == "returned":
                call.future.set_result(value)
            elif isinstance(kind, Reason):
                call.future.set_exception(Abstained(Outcome(None, kind, value)))
            else:
                call.future.set_exception(value)
        call.pool = None


class _Worker:
    """A worker process, and the parent's end of its pipe."""

    def __init__(self, settings: _Settings, context: BaseContext) -> None:
        self.settings = settings
        self.conn, conn = context.Pipe()
        limits = settings.timeout_seconds, settings.memory_limit
        self.process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(self.conn, conn, *limits), name="DeadlinePool"
        )
        self.process.start()
        conn.close()
        self.calls = 0
        self.killed = False

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return a message; None if there is none in time; EOFError if the worker ended."""
        if not wait([self.conn, self.process.sentinel], timeout_seconds):
            return None
        if not self.conn.poll():
            raise EOFError
        return self.conn.recv_bytes()

    def reply(self) -> tuple[str, Any, float, float]:
        """Wait for what became of a call: kind, value, start, seconds. Kill a late worker."""
        start, limit = time.monotonic(), self.settings.timeout_seconds
        try:
            message = self.receive(limit)
            if message is not None:
                return _unpack(message)
            self.kill()
        except (OSError, EOFError):
            seconds = time.monotonic() - start
            ending = self.ending()
            if seconds < limit:
                return Reason.WORKER_DIED, ending, start, seconds
        return Reason.TIMED_OUT, f"no result within {limit:g} s", start, limit

    def kill(self) -> None:
        self.killed = True
        with contextlib.suppress(OSError, ValueError):  # ended, or too young to have a group
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError, ValueError):
            self.process.kill()

    def ending(self) -> str:
        """Wait for the process to end, kill it if it does not, and say how it ended."""
        if not wait([self.process.sentinel], 0 if self.killed else _GRACE_SECONDS):
            self.kill()
            wait([self.process.sentinel], _GRACE_SECONDS)
        with _process_lock:
            self.process.join(0.1)
            code = self.process.exitcode
        if code is None:
            return "the worker does not end"
        if code == _OUT_OF_MEMORY:
            limit = self.settings.memory_limit
            return f"the worker needed more memory than its limit of {limit} bytes"
        if code < 0:
            names = {s.value: s.name for s in signal.Signals}
            return f"the worker was killed by {names.get(-code, f'signal {-code}')}"
        return f"the worker ended with exit code {code}"

    def close(self) -> None:
        self.conn.close()
        with _process_lock, contextlib.suppress(ValueError):  # it does not end
            self.process.close()


def _work(
    parents: Connection, conn: Connection, timeout_seconds: float, memory_limit: int | None
) -> None:
    """A worker's life: take a call, run it, send what became of it."""
    parents.close()  # else the end of the parent would go unnoticed
    os.setpgrp()  # dies together with what the function starts; out of Ctrl-C's reach
    if memory_limit is not None:
        _limit_memory(memory_limit)
    try:
        conn.send_bytes(b"ready")
        while True:
            payload = conn.recv_bytes()
            # Should the parent be gone by the deadline, the kernel ends this process.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, timeout_seconds + _GRACE_SECONDS)
            conn.send_bytes(_run(payload, memory_limit is not None))
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (EOFError, OSError):
        pass  # the pool is gone
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # at once: there is no memory left for an orderly end


def _limit_memory(limit: int) -> None:
    import resource

    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        held = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = held + limit if hard == resource.RLIM_INFINITY else min(held + limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _run(payload: bytes, memory_is_limited: bool) -> bytes:
    start = time.monotonic()
    # A worker's exit is its death, not an exception that would end the caller.
    deadly = (SystemExit, KeyboardInterrupt, *([MemoryError] if memory_is_limited else []))
    kind = "raised"
    value: Any
    try:
        fn, args, kwargs = pickle.loads(payload)  # noqa: S301 - our own parent's
    except deadly:
        raise
    except BaseException as error:
        value = TypeError(
            f"a worker cannot load the call: {error!r}; call a function defined at the top of "
            "a module that the worker can import"
        )
    else:
        try:
            kind, value = "returned", fn(*args, **kwargs)
        except deadly:
            raise
        except BaseException as error:
            with contextlib.suppress(Exception):
                error.add_note(f"In the worker:\n{traceback.format_exc()}")
            value = error
    seconds = time.monotonic() - start
    text = type(value).__qualname__
    if kind == "raised":
        with contextlib.suppress(Exception):
            text = f"{text}: {str(value)[:500]}"
    try:
        body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except deadly:
        raise
    except BaseException as error:
        body = pickle.dumps(_not_sendable(kind, text, error))
        kind = "raised"
    return pickle.dumps((kind, start, seconds, body, text))


def _unpack(message: bytes) -> tuple[str, Any, float, float]:
    kind, start, seconds, body, text = pickle.loads(message)  # noqa: S301 - our own worker's
    try:
        return kind, pickle.loads(body), start, seconds  # noqa: S301
    except Exception as error:
        return "raised", _not_sendable(kind, text, error), start, seconds


def _not_sendable(kind: str, text: str, error: BaseException) -> TypeError:
    return TypeError(
        f"the function {kind} something that cannot be sent between processes: {text} ({error!r})"
    )
