"""The adapter of verl, without verl: what `compute_score` is given, returns and logs."""

import asyncio
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
from graders import asks, grade, grade_async

from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.verl_adapter import ADAPTER, verl_reward


def raises_abstained(response: str, reference: str) -> Outcome:
    raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE))


def is_broken(response: str, reference: str) -> Outcome:
    raise ZeroDivisionError("a bug")


async def is_broken_async(response: str, reference: str) -> Outcome:
    raise ZeroDivisionError("a bug")


def score(grader: Callable[..., Any], *arguments: Any, **columns: Any) -> dict[str, Any]:
    """Call as verl's managers do: by name, awaited where the function is async."""
    names = ("solution_str", "ground_truth", "extra_info")
    compute_score = verl_reward(grader, **columns).compute_score
    result: Any = compute_score(data_source="gsm8k", **dict(zip(names, arguments, strict=False)))
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def row(**extra_info: Any) -> dict[str, Any]:
    return {
        "data_source": "gsm8k",
        "prompt": [{"role": "user", "content": "8 * 9?"}],
        "reward_model": {"style": "rule", "ground_truth": "72"},
        "extra_info": extra_info,
    }


@pytest.mark.parametrize("grader", [grade, grade_async])
def test_a_response_is_scored_against_the_ground_truth(grader: Callable[..., Any]) -> None:
    assert score(grader, "72", "72", {}) == {"score": 1.0, "reason": "correct"}
    assert score(grader, "71", "72", {}) == {"score": 0.0, "reason": "wrong"}


def test_a_synchronous_grader_is_a_plain_function_and_an_async_one_a_coroutine_function() -> None:
    assert not inspect.iscoroutinefunction(verl_reward(grade).compute_score)
    assert inspect.iscoroutinefunction(verl_reward(grade_async).compute_score)


@pytest.mark.parametrize("grader", [grade, grade_async])
def test_an_abstention_is_nan_with_its_reason(grader: Callable[..., Any]) -> None:
    result = score(grader, "72", "broken", {})
    assert math.isnan(result["score"])
    assert result["reason"] == "bad_reference"


def test_a_raised_abstention_is_nan_as_well() -> None:
    result = score(raises_abstained, "72", "72")
    assert math.isnan(result["score"])
    assert result["reason"] == "judge_unreachable"


@pytest.mark.parametrize("grader", [is_broken, is_broken_async])
def test_an_error_is_nan_and_logged_with_its_traceback(
    grader: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    result = score(grader, "72", "72", {})
    assert math.isnan(result["score"])
    assert result["reason"] == "error"
    assert "is_broken" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text


def test_a_missing_column_is_nan_and_the_log_names_it(caplog: pytest.LogCaptureFixture) -> None:
    assert math.isnan(score(asks, "72", "72", {"index": 0})["score"])
    assert "no column 'question'" in caplog.text


def test_the_question_and_another_reference_are_read_from_extra_info() -> None:
    assert score(asks, "72", "x", {"question": "8 * 9?"})["score"] == 1.0
    assert score(grade, "72", "x", {"answer": "72"}, reference="answer")["score"] == 1.0


def test_every_result_has_the_same_keys_and_no_acc() -> None:
    """verl makes columns of the first result's keys, and counts a failed response as acc 0."""
    results = [score(grade, "72", truth, {}) for truth in ("72", "7", "broken")]
    results.append(score(is_broken, "72", "72", {}))
    assert {frozenset(result) for result in results} == {frozenset({"score", "reason"})}


def test_arguments_of_verls_own_judge_are_accepted() -> None:
    reward: Any = verl_reward(grade)
    result = reward.compute_score(
        "gsm8k", "72", "72", None, reward_router_address="x", reward_model_tokenizer=None
    )
    assert result["score"] == 1.0


def test_a_data_set_in_verls_form_passes_the_check() -> None:
    verl_reward(grade).check([row(index=0), row(index=1)])
    verl_reward(asks).check([row(question="8 * 9?")])
    no_extra_info = row()
    no_extra_info["extra_info"] = None
    verl_reward(grade).check([no_extra_info])


@pytest.mark.parametrize(
    ("grader", "change", "error", "message"),
    [
        (grade, {"data_source": ...}, LookupError, "row 1: verl needs a column 'data_source'"),
        (grade, {"reward_model": ...}, LookupError, "row 1: verl needs a column 'reward_model'"),
        (grade, {"reward_model": "72"}, LookupError, "row 1: .* ground_truth"),
        (grade, {"reward_model": {"style": "rule"}}, LookupError, "row 1: .* ground_truth"),
        (grade, {"reward_model": {"ground_truth": 72}}, TypeError, "row 1: column 'ground_truth'"),
        (asks, {"extra_info": {}}, LookupError, "row 1: no column 'question'"),
        (grade, {"extra_info": {"ground_truth": "9"}}, ValueError, "row 1: .* second ground_truth"),
        (grade, {"extra_info": {"num_turns": 2}}, ValueError, "row 1: .*'num_turns'"),
        (grade, {"extra_info": {"tool_rewards": []}}, ValueError, "row 1: .*'tool_rewards'"),
    ],
)
def test_the_check_names_the_row_and_what_is_wrong(
    grader: Callable[..., Any], change: dict[str, Any], error: type[Exception], message: str
) -> None:
    bad = {name: value for name, value in (row() | change).items() if value is not ...}
    with pytest.raises(error, match=message):
        verl_reward(grader).check([row(question="8 * 9?"), bad])


def test_an_empty_data_set_fails_the_check() -> None:
    with pytest.raises(LookupError, match="no rows"):
        verl_reward(grade).check([])


def test_the_adapter_says_that_an_abstention_is_left_out() -> None:
    assert (ADAPTER.version, ADAPTER.becomes.value) == ("0.9.1", "left_out")
