"""Ways to give a reward function a deadline, side by side in one run.

    python -m benchmarks.deadlines
    python -m benchmarks.deadlines --rounds 5

Each contender runs in a program of its own, with two workers and `faulty_reward_fn` as the reward,
as its documentation shows it and with its own defaults. They take turns, so that a busy machine
slows all; compare only within a run. AReaL's wrapper is measured where `areal` can be imported.

- Overhead: microseconds a call that does nothing takes, one at a time and with 64 in flight; the
  best of `--rounds`.
- Recovery: after one hanging call, and after one for each worker, is over, the seconds until a
  healthy call gets its score.
- Load: 200 calls, 32 in flight, deadline 1 s, of which some hang: the share of the healthy ones
  that got their own score, how many of those a second of the whole, and how many calls got a
  made-up 0.
- Crashes: 200 calls, 32 in flight, of which every tenth crashes its worker, while three threads of
  the caller compute, as a trainer's do.
- End: whether the program, having printed its last line, ends by itself within ten seconds.

A program that is not done after `--limit` seconds is killed; the calls without an answer count as
not scored.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import importlib
import importlib.util
import json
import os
import platform
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import Any

from examples.deadlines.faults import faulty_reward_fn

Score = Callable[[str], Awaitable[Any]]

WORKERS = 2
TRUE = 0.5
HEALTHY = f"score {TRUE}"


def deadline_pool(seconds: float) -> Score:
    from examples.deadlines.deadline_pool import DeadlinePool

    pool = DeadlinePool(WORKERS, seconds)
    return lambda completion: pool.run(faulty_reward_fn, "", completion, [], [])


def async_reward_wrapper(seconds: float) -> Score:
    from examples.deadlines.async_reward import AsyncRewardWrapper

    wrapper = AsyncRewardWrapper(faulty_reward_fn, seconds, WORKERS)
    return lambda completion: wrapper("", completion, [], [])


def areal(seconds: float) -> Score:
    module: Any = importlib.import_module("areal.api.reward_api")
    wrapper = module.AsyncRewardWrapper(faulty_reward_fn, seconds, WORKERS)

    async def score(completion: str) -> Any:
        return await wrapper("", completion, [], [])

    return score


def executor(seconds: float) -> Score:
    pool = concurrent.futures.ProcessPoolExecutor(WORKERS)

    async def score(completion: str) -> Any:
        call = partial(faulty_reward_fn, "", completion, [], [])
        future = asyncio.get_running_loop().run_in_executor(pool, call)
        return await asyncio.wait_for(future, seconds)

    return score


def pebble(seconds: float) -> Score:
    from pebble import ProcessPool

    pool = ProcessPool(WORKERS)

    async def score(completion: str) -> Any:
        future = pool.schedule(faulty_reward_fn, ("", completion, [], []), timeout=seconds)
        return await asyncio.wrap_future(future)

    return score


CONTENDERS: dict[str, Callable[[float], Score]] = {
    "DeadlinePool": deadline_pool,
    "AsyncRewardWrapper": async_reward_wrapper,
    "AReaL's wrapper": areal,
    "ProcessPoolExecutor": executor,
    "pebble.ProcessPool": pebble,
}


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def answer(score: Score, completion: str) -> str:
    """Return what a caller sees: "true", "zero", or the name of an exception."""
    try:
        value = await score(completion)
    except Exception as error:
        return type(error).__name__
    if value == 0:
        return "zero"
    return "true" if value == TRUE else repr(value)


async def in_flight(score: Score, completions: list[str], width: int) -> None:
    """Ask for every score, `width` at a time, and say each answer."""
    waiting = iter(enumerate(completions))
    start = time.perf_counter()

    async def ask() -> None:
        for number, completion in waiting:
            got = await answer(score, completion)
            say(number=number, got=got, seconds=time.perf_counter() - start)

    await asyncio.gather(*(ask() for _ in range(width)))


async def overhead(score: Score) -> None:
    async def some(calls: int, width: int) -> float:
        numbers = iter(range(calls))

        async def ask() -> None:
            for _ in numbers:
                if await score(HEALTHY) != TRUE:
                    raise SystemExit("a healthy call got a wrong score")

        start = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(width)))
        return (time.perf_counter() - start) / calls

    await some(64, 64)  # starts the workers
    say(one=await some(1000, 1), many=await some(3000, 64))


async def recovery(score: Score, hanging: int) -> None:
    await some_healthy(score)
    await asyncio.gather(*(answer(score, "hang") for _ in range(hanging)))
    start = time.perf_counter()
    zeros = 0
    while (got := await answer(score, HEALTHY)) != "true":
        zeros += got == "zero"
        say(zeros=zeros)
    say(seconds=time.perf_counter() - start, zeros=zeros)


async def some_healthy(score: Score) -> None:
    await asyncio.gather(*(answer(score, "sleep 0.2 then score 0.5") for _ in range(WORKERS)))


async def load(score: Score, fault: str, percent: int) -> None:
    await some_healthy(score)
    await in_flight(score, mixed(fault, percent), 32)


def mixed(fault: str, percent: int) -> list[str]:
    completions = [fault] * (2 * percent) + [HEALTHY] * (200 - 2 * percent)
    random.Random(0).shuffle(completions)
    return completions


async def crashes(score: Score, percent: int) -> None:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(20_000))

    for _ in range(3):
        threading.Thread(target=compute, daemon=True).start()
    await load(score, "crash", percent)
    over.set()


def one(name: str, task: str, number: int) -> None:
    """The program that is measured."""
    if task == "overhead":
        asyncio.run(overhead(CONTENDERS[name](15.0)))
    elif task == "recovery":
        asyncio.run(recovery(CONTENDERS[name](1.0), number))
    elif task == "hang":
        asyncio.run(load(CONTENDERS[name](1.0), "hang", number))
    else:
        asyncio.run(crashes(CONTENDERS[name](5.0), number))
    say(done=True)


def watch(name: str, task: str, number: int, limit: float) -> tuple[list[dict[str, Any]], str]:
    """Run one program; return what it said, and whether it ended by itself: yes, no, cut off."""
    command = [sys.executable, "-m", "benchmarks.deadlines", "--one", name, task, str(number)]
    process = subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    said: list[dict[str, Any]] = []
    done = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            if line.startswith("{"):
                said.append(json.loads(line))
                if "done" in said[-1]:
                    done.set()

    threading.Thread(target=read, daemon=True).start()
    end = time.monotonic() + limit
    while not done.is_set() and process.poll() is None and time.monotonic() < end:
        done.wait(0.05)
    ended = "yes"
    try:
        process.wait(10 if done.is_set() else 0)
    except subprocess.TimeoutExpired:
        ended = "no" if done.is_set() else "cut off"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return list(said), ended


def print_overhead(names: list[str], rounds: int, limit: float) -> None:
    best: dict[str, list[float]] = {name: [float("inf")] * 2 for name in names}
    for _ in range(rounds):
        for name in names:
            for facts in watch(name, "overhead", 0, limit)[0]:
                if "one" in facts:
                    got = facts["one"], facts["many"]
                    best[name] = [min(pair) for pair in zip(best[name], got, strict=True)]
    print("\nOverhead, microseconds a call   one at a time  64 in flight")
    for name in names:
        print(f"{name:30} {best[name][0] * 1e6:14,.0f} {best[name][1] * 1e6:13,.0f}")


def print_recovery(names: list[str]) -> None:
    print("\nRecovery, seconds to a score    after one hanging call    after two     program ends")
    for name in names:
        cells = []
        for hanging in (1, WORKERS):
            said, ended = watch(name, "recovery", hanging, 40)  # with the hanging itself
            last = said[-2] if said and "done" in said[-1] else (said[-1] if said else {})
            zeros = f" ({last['zeros']} zeros)" if last.get("zeros") else ""
            if "seconds" in last:
                cells.append(f"{last['seconds']:.3f}{zeros}")
            else:
                cells.append(f"never in 30 s{zeros}")
        print(f"{name:30} {cells[0]:>23} {cells[1]:>24} {ended:>16}")
        sys.stdout.flush()


def print_load(names: list[str], task: str, percents: list[int], limit: float) -> None:
    for percent in percents:
        what = "hang" if task == "hang" else "crash, the caller is busy"
        print(f"\n{percent} % of 200 calls {what}")
        print(f"{'':30} own score  scores/s  made-up 0  no answer  program ends")
        for name in names:
            said, ended = watch(name, task, percent, limit)
            answers = [facts for facts in said if "number" in facts]
            completions = mixed("crash" if task == "crash" else "hang", percent)
            right = sum(
                facts["got"] == "true" and completions[facts["number"]] == HEALTHY
                for facts in answers
            )
            healthy = completions.count(HEALTHY)
            took = limit if ended == "cut off" else answers[-1]["seconds"]
            zeros = sum(facts["got"] == "zero" for facts in answers)
            print(
                f"{name:30} {right / healthy:9.1%} {right / took:9,.1f} {zeros:10} "
                f"{len(completions) - len(answers):10} {ended:>13}"
            )
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one program")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], options.one[1], int(options.one[2]))
        return

    packages = {"AReaL's wrapper": "areal", "pebble.ProcessPool": "pebble"}
    absent = {n for n, p in packages.items() if importlib.util.find_spec(p) is None}
    names = [name for name in CONTENDERS if name not in absent]
    versions = [
        f"{package} {version(package) if name in names else 'not installed'}"
        for name, package in packages.items()
    ]
    arguments = f" --rounds {options.rounds}" if options.rounds != 3 else ""
    print(f"$ python -m benchmarks.deadlines{arguments}")
    print(
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {', '.join(versions)}, "
        f"{os.cpu_count()} cores, {WORKERS} workers"
    )
    print_overhead(names, options.rounds, options.limit)
    print_recovery(names)
    print_load(names, "hang", [0, 1, 2, 5, 10], options.limit)
    print_load(names, "crash", [10], options.limit)


if __name__ == "__main__":
    main()
