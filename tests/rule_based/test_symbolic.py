r"""Comparing by value, and in a process that can be killed: from any thread, child and loop."""

import multiprocessing
import os
import subprocess
import sys
import threading
from fractions import Fraction
from typing import Any

import pytest

from examples.rule_based import symbolic
from examples.rule_based.expression import read
from examples.rule_based.math_answer import grade
from examples.rule_based.symbolic import differ, equal, guard, ratio
from examples.rule_based.trees import TooComplex
from examples.shared.outcome import Reason

SYMBOLIC = (r"\boxed{2\sqrt{2}}", r"\sqrt{8}")  # only math-verify can tell


def test_a_comparison_past_its_deadline_abstains_and_the_next_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert grade(*SYMBOLIC).score == 1.0
    monkeypatch.setattr(symbolic, "TIMEOUT_SECONDS", 0.0)
    assert grade(*SYMBOLIC).reason is Reason.TIMED_OUT
    monkeypatch.undo()
    assert grade(*SYMBOLIC).score == 1.0


def test_a_helper_that_cannot_start_abstains_and_says_what_to_look_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    symbolic._helper.stop()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    outcome = grade(*SYMBOLIC)
    assert outcome.reason is Reason.WORKER_DIED
    assert "math-verify" in outcome.detail
    monkeypatch.undo()
    assert grade(*SYMBOLIC).score == 1.0


def test_a_helper_killed_from_outside_is_replaced() -> None:
    assert grade(*SYMBOLIC).score == 1.0
    process = symbolic._helper.process
    assert process
    process.kill()
    assert grade(*SYMBOLIC).score == 1.0


def in_child(connection: Any) -> None:
    connection.send(grade(*SYMBOLIC).score)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("daemon", [False, True])
def test_it_verifies_in_child_processes(method: str, daemon: bool) -> None:
    assert grade(*SYMBOLIC).score == 1.0  # a forked child inherits a helper that it must not use
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=in_child, args=(theirs,), daemon=daemon)
    child.start()
    assert ours.poll(60)
    assert ours.recv() == 1.0
    child.join()
    assert grade(*SYMBOLIC).score == 1.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_verifies_in_a_child_forked_while_a_thread_was_verifying() -> None:
    busy = threading.Event()

    def hold() -> None:
        with symbolic._helper.lock:
            busy.set()
            done.wait(60)

    done = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    busy.wait()
    child = multiprocessing.get_context("fork").Process(target=grade, args=SYMBOLIC)
    child.start()
    child.join(60)
    done.set()
    holder.join()
    assert child.exitcode == 0


def test_it_verifies_under_asyncio_on_any_thread_and_the_program_ends() -> None:
    code = f"""
import asyncio
from examples.rule_based.math_answer import grade
async def main():
    direct = grade(*{SYMBOLIC!r}).score
    threads = await asyncio.gather(*(asyncio.to_thread(grade, *{SYMBOLIC!r}) for _ in range(8)))
    print(direct, {{outcome.score for outcome in threads}})
asyncio.run(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout == "1.0 {1.0}\n"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (r"\sqrt{8}", r"2\sqrt{2}", False),
        ("x^2", "x^3", True),
        (r"\sin x", r"\cos x", True),
        (r"\frac{a}{b}", "a/b", False),
    ],
)
def test_values_tell_most_different_expressions_apart(one: str, other: str, expected: bool) -> None:
    assert differ(read(one), read(other)) is expected


def test_equality_is_proved() -> None:
    assert equal([(read("(x+1)^2"), read("x^2+2x+1"))])
    assert not equal([(read("(x+1)^2"), read("x^2+2x+2"))])


def test_a_ratio_is_simple_or_none() -> None:
    assert ratio(read("2x+2"), read("x+1")) == Fraction(2)
    assert ratio(read("x"), read("0")) is None


@pytest.mark.parametrize(
    "text", ["(x+y+z+w)^{24}", "x^{25}", "x^{2^y}", "+".join(f"x_{{{i}}}" for i in range(60))]
)
def test_what_could_keep_the_helper_busy_is_refused(text: str) -> None:
    with pytest.raises(TooComplex):
        guard(read(text))
