"""In AReaL's place: one completion in, one float out, and no failure becomes a score."""

import asyncio
import functools
import inspect
import math
import multiprocessing
import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.deadlines.async_reward import AsyncRewardWrapper
from examples.deadlines.faults import faulty_reward_fn
from examples.shared.outcome import Abstained, Outcome, Reason

# A new worker need not import these, which takes longer than all else it does.
multiprocessing.set_forkserver_preload(["numpy", "pytest", "examples.deadlines.faults"])

ROOT = Path(__file__).parent.parent.parent
FOUR = ("the prompt", "the completion", [1, 2], [3])


def with_answer(
    prompt: str, completions: str, prompt_ids: list[int], completion_ids: list[int], answer: str
) -> float:
    return float(answer)


def with_default(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, answer: str = "0.25"
) -> float:
    return float(answer)


def positional_only(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, /, **columns: Any
) -> float:
    return float(len(columns))


def echo(prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, value: Any) -> Any:
    return value


def seen(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, **columns: Any
) -> Any:
    expected = (*FOUR, {"answer": "18", "self": 1, "fn": 2, "reward_fn": 3})
    return (prompt, completions, prompt_ids, completion_ids, columns) == expected


def length(prompt: str, completions: str, prompt_ids: Any, completion_ids: Any) -> float:
    return float(len(completions))


def crash_once(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, path: str, times: int
) -> float:
    with open(path, "a") as file:
        file.write(".")
    if os.path.getsize(path) <= times:
        os._exit(1)
    return 0.5


def fail_and_count(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, path: str
) -> float:
    with open(path, "a") as file:
        file.write(".")
    return faulty_reward_fn(prompt, completions, prompt_ids, completion_ids)


def died_inside(
    prompt: str, completions: str, prompt_ids: Any, completion_ids: Any, path: str
) -> None:
    with open(path, "a") as file:
        file.write(".")
    raise Abstained(Outcome(None, Reason.WORKER_DIED, "a worker of the function's own"))


async def is_async(prompt: str, completions: str, prompt_ids: Any, completion_ids: Any) -> float:
    return 1.0


class AsyncCallable:
    async def __call__(self, *args: Any) -> float:
        return 1.0


class Heavy:
    def __init__(self) -> None:
        self.weights = b"w" * 2**21

    def __call__(self, *args: Any) -> float:
        return 1.0


class Light(Heavy):
    def __init__(self) -> None:
        self.bonus = 0.5

    def __call__(self, *args: Any) -> float:
        return self.bonus


def score(wrapper: AsyncRewardWrapper, completion: str = "score 1", **columns: Any) -> float:
    async def main() -> float:
        return await asyncio.wait_for(wrapper("", completion, [], [], **columns), 60)

    return asyncio.run(main())


# The call


def test_it_is_called_as_areal_calls_it() -> None:
    columns = {"answer": "18", "self": 1, "fn": 2, "reward_fn": 3}

    async def main() -> float:
        return await AsyncRewardWrapper(seen)(*FOUR, **columns)

    assert asyncio.run(main()) == 1.0


def test_its_constructor_is_areals() -> None:
    """areal 1.0.4, areal/api/reward_api.py."""
    parameters = inspect.signature(AsyncRewardWrapper).parameters
    assert list(parameters) == ["reward_fn", "timeout_seconds", "max_workers", "max_retries"]
    defaults = [parameter.default for parameter in parameters.values()]
    assert defaults[1:] == [15, None, 3]


@pytest.mark.parametrize(
    "value",
    [1, True, 0.5, np.float32(0.5), np.int64(1), np.bool_(True), np.array(0.5)],
    ids=lambda value: type(value).__name__,
)
def test_a_number_becomes_a_float(value: Any) -> None:
    result = score(AsyncRewardWrapper(echo), value=value)
    assert type(result) is float
    assert result == float(value)


@pytest.mark.parametrize("value", [None, "1.0", [1.0], np.array([1.0]), 1j])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"echo .*not {type(value).__name__}"):
        score(AsyncRewardWrapper(echo), value=value)


def test_an_outcome_gives_its_score_or_abstains() -> None:
    wrapper = AsyncRewardWrapper(echo)
    assert score(wrapper, value=Outcome(0.5, Reason.SCORED)) == 0.5
    with pytest.raises(Abstained, match="judge_unreachable: down"):
        score(wrapper, value=Outcome(None, Reason.JUDGE_UNREACHABLE, "down"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, np.float32("nan")])
def test_a_score_that_is_not_finite_abstains(value: Any) -> None:
    with pytest.raises(Abstained, match=r"bad_score: echo returned"):
        score(AsyncRewardWrapper(echo), value=value)


# What a failure becomes


def test_a_hanging_call_abstains_after_one_deadline(tmp_path: Path) -> None:
    wrapper = AsyncRewardWrapper(fail_and_count, timeout_seconds=0.5)
    path = tmp_path / "tries"
    with pytest.raises(Abstained, match=r"timed_out: no result within 0\.5 s"):
        score(wrapper, "hang", path=str(path))
    assert path.read_text() == "."


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("raise", ValueError, "as the completion says"),
        ("timeout", TimeoutError, "the function's own"),
        ("abstain", Abstained, "bad_reference: as the completion says"),
    ],
)
def test_what_the_function_raises_arrives_at_once(
    tmp_path: Path, fault: str, error: type[Exception], text: str
) -> None:
    path = tmp_path / "tries"
    with pytest.raises(error, match=text) as caught:
        score(AsyncRewardWrapper(fail_and_count), fault, path=str(path))
    assert type(caught.value) is error
    assert path.read_text() == "."


def test_a_functions_own_abstention_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "tries"
    with pytest.raises(Abstained, match="worker_died: a worker of the function's own"):
        score(AsyncRewardWrapper(died_inside), path=str(path))
    assert path.read_text() == "."


@pytest.mark.parametrize(("times", "retries"), [(0, 0), (1, 1), (3, 3)])
def test_a_died_worker_is_tried_again(tmp_path: Path, times: int, retries: int) -> None:
    wrapper = AsyncRewardWrapper(crash_once, max_retries=retries)
    assert score(wrapper, path=str(tmp_path / "tries"), times=times) == 0.5


@pytest.mark.parametrize("retries", [0, 2])
def test_a_worker_that_always_dies_is_given_up(tmp_path: Path, retries: int) -> None:
    wrapper = AsyncRewardWrapper(crash_once, max_retries=retries)
    path = tmp_path / "tries"
    with pytest.raises(Abstained, match="worker_died: the worker ended with exit code 1"):
        score(wrapper, path=str(path), times=99)
    assert path.read_text() == "." * (retries + 1)


def test_cancelling_the_awaiting_task_cancels_the_work() -> None:
    wrapper = AsyncRewardWrapper(faulty_reward_fn, timeout_seconds=600, max_workers=1)

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wrapper("", "hang", [], []), 1)
        return await asyncio.wait_for(wrapper("", "score 0.5", [], []), 60)

    assert asyncio.run(main()) == 0.5
    assert wrapper.pool.report().counts["cancelled"] == 1


# What is refused at once


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("reward", "must be a function"),
        (None, "must be a function"),
        (is_async, "is_async is async"),
        (functools.partial(functools.partial(is_async)), "is_async is async"),
        (AsyncCallable(), "AsyncCallable is async"),
        (functools.partial(AsyncCallable()), "AsyncCallable is async"),
        (lambda *_: 1.0, "lambda.* cannot be sent"),
        (functools.partial(lambda *_: 1.0), "lambda.* cannot be sent"),
    ],
    ids=["str", "None", "async", "partial", "object", "partial object", "lambda", "partial lambda"],
)
def test_a_function_that_no_worker_can_run_is_refused(function: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        AsyncRewardWrapper(function)


def test_a_local_function_is_refused() -> None:
    def local(*_: Any) -> float:
        return 1.0

    with pytest.raises(TypeError, match="local cannot be sent to a worker"):
        AsyncRewardWrapper(local)


def test_a_function_that_carries_weights_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Heavy carries 2,097,\d+ bytes.*load them in the worker"):
        AsyncRewardWrapper(Heavy())
    assert score(AsyncRewardWrapper(Light())) == 0.5


def test_a_function_from_a_console_is_refused() -> None:
    code = """
        from examples.deadlines.async_reward import AsyncRewardWrapper
        def from_a_console(prompt, completions, prompt_ids, completion_ids): return 1.0
        try:
            AsyncRewardWrapper(from_a_console)
        except TypeError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "from_a_console is defined in a notebook or a console" in result.stdout, result.stderr


def test_a_function_from_a_script_works(tmp_path: Path) -> None:
    code = """
        import asyncio
        from examples.deadlines.async_reward import AsyncRewardWrapper
        def from_a_script(prompt, completions, prompt_ids, completion_ids): return 0.25
        if __name__ == "__main__":
            print(asyncio.run(AsyncRewardWrapper(from_a_script)("", "", [], [])))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(code))
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.returncode) == ("0.25\n", 0), result.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"timeout_seconds": 0}, ValueError),
        ({"timeout_seconds": "15"}, TypeError),
        ({"max_workers": 0}, ValueError),
        ({"max_retries": -1}, ValueError),
        ({"max_retries": 1.5}, TypeError),
    ],
)
def test_a_bad_number_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        AsyncRewardWrapper(length, **arguments)


@pytest.mark.parametrize(
    ("function", "columns", "text"),
    [
        (with_answer, {}, "no column for the parameter 'answer': rename a column"),
        (with_answer, {"solution": "1"}, "column 'solution' is no parameter"),
        (with_answer, {"solution": "1"}, "no column for the parameter 'answer'"),
        (with_answer, {"answer": "1", "prompt": "x"}, "'prompt' bears .*rename the column"),
        (faulty_reward_fn, {"completions": "x"}, "'completions' bears .*rename the column"),
        (with_answer, {"answer": "1", "level": 3}, "'level' is no parameter: .*kwargs"),
    ],
)
def test_a_column_that_does_not_fit_is_named(
    function: Callable[..., Any], columns: dict[str, Any], text: str
) -> None:
    wrapper = AsyncRewardWrapper(function)
    before = wrapper.pool.report()
    with pytest.raises(TypeError, match=f"^{function.__name__}: .*{text}.*columns: "):
        score(wrapper, **columns)
    assert wrapper.pool.report() == before


def test_too_few_arguments_are_refused() -> None:
    async def main() -> None:
        await AsyncRewardWrapper(length)("prompt", "completion")

    with pytest.raises(TypeError, match="length: no column for the parameter 'prompt_ids'"):
        asyncio.run(main())


def test_too_many_arguments_are_refused() -> None:
    async def main() -> None:
        await AsyncRewardWrapper(length)(*FOUR, "fifth")

    with pytest.raises(TypeError, match="length: too many positional arguments"):
        asyncio.run(main())


def test_columns_that_fit_are_taken() -> None:
    assert score(AsyncRewardWrapper(with_answer), answer="0.5") == 0.5
    assert score(AsyncRewardWrapper(with_default)) == 0.25
    assert score(AsyncRewardWrapper(functools.partial(with_answer, answer="0.125"))) == 0.125
    assert score(AsyncRewardWrapper(positional_only), prompt="x", completions="y") == 2.0


# The pool


def test_equal_wrappers_share_one_pool_that_outlives_them() -> None:
    pools = {id(AsyncRewardWrapper(length, 16, 2).pool) for _ in range(100)}
    pools.add(id(AsyncRewardWrapper(faulty_reward_fn, 16.0, 2).pool))
    assert len(pools) == 1
    first = AsyncRewardWrapper(length, 16, 2)
    assert score(first, "four") == 4
    before = multiprocessing.active_children()
    del first
    assert score(AsyncRewardWrapper(length, 16, 2), "four") == 4
    assert AsyncRewardWrapper(length, 16, 2).pool.report().counts["returned"] == 2
    assert multiprocessing.active_children() == before
    assert AsyncRewardWrapper(length, 14, 2).pool is not AsyncRewardWrapper(length, 16, 2).pool


# The four laws


def test_law_1_the_policy_scores_and_the_machinery_abstains() -> None:
    wrapper = AsyncRewardWrapper(faulty_reward_fn, timeout_seconds=1)
    assert score(wrapper, "score 0") == 0.0
    for fault in ("hang", "crash", "kill", "nan", "abstain"):
        with pytest.raises(Abstained):
            score(wrapper, fault)


def test_law_2_a_score_does_not_depend_on_load_or_order() -> None:
    wrapper = AsyncRewardWrapper(faulty_reward_fn, timeout_seconds=1, max_workers=2)
    completions = [f"sleep 0.2 then score {i}" for i in range(9)] + ["hang"]

    async def main(completions: list[str]) -> dict[str, Any]:
        calls: list[Coroutine[Any, Any, float]] = [wrapper("", c, [], []) for c in completions]
        return dict(
            zip(completions, await asyncio.gather(*calls, return_exceptions=True), strict=True)
        )

    for order in (completions, completions[::-1]):
        scores = asyncio.run(main(order))
        assert str(scores.pop("hang")) == "timed_out: no result within 1 s"
        assert scores == {f"sleep 0.2 then score {i}": i for i in range(9)}


def test_law_3_no_abstention_is_silent() -> None:
    wrapper = AsyncRewardWrapper(faulty_reward_fn, timeout_seconds=0.4, max_retries=1)
    for fault, reason in (("hang", Reason.TIMED_OUT), ("crash", Reason.WORKER_DIED)):
        with pytest.raises(Abstained) as caught:
            score(wrapper, fault)
        assert caught.value.outcome.reason is reason
        assert caught.value.outcome.detail
    counts = wrapper.pool.report().counts
    assert (counts["timed_out"], counts["worker_died"]) == (1, 2)  # one try, and two


@pytest.mark.parametrize(
    "text", ["__import__('os')._exit(1)", "../../etc/passwd", "\0", "%s{0}", "\ud800"]
)
def test_law_4_text_is_data(text: str) -> None:
    assert score(AsyncRewardWrapper(length), text) == len(text)
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        score(AsyncRewardWrapper(faulty_reward_fn), text)


def test_every_fault_does_what_it_says() -> None:
    wrapper = AsyncRewardWrapper(faulty_reward_fn, timeout_seconds=1, max_retries=0)
    start = time.monotonic()
    assert score(wrapper, "sleep 0.2 then score 0.75") == 0.75
    assert time.monotonic() - start >= 0.2
    assert score(wrapper, "score 0.5") == 0.5
    assert score(wrapper, "int") == 1.0
    for fault, error in (("none", TypeError), ("", ValueError), ("score", ValueError)):
        with pytest.raises(error):
            score(wrapper, fault)
