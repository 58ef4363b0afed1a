"""The ms-swift adapter by itself; `conformance/test_ms_swift.py` has ms-swift train with it."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.ms_swift_adapter import ADAPTER, ms_swift_reward

GDPO = SimpleNamespace(scale_rewards="gdpo", advantage_estimator="grpo", multi_turn_scheduler=None)
ROW: dict[str, Any] = {
    "messages": [{"role": "user", "content": "8 * 9?"}],
    "question": "8 * 9?",
    "answer": "#### 72",
}


async def judge(question: str, response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    if response == "down":
        return Outcome(None, Reason.JUDGE_UNREACHABLE, "refused")
    return Outcome(float(question in response and reference in response), Reason.SCORED)


def score(reward: Any, completions: list[str], **columns: Any) -> Any:
    result = reward(completions, trainer_state=None, **columns)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


def test_each_completion_is_graded_with_its_own_row() -> None:
    reward = ms_swift_reward(grade)(args=GDPO)
    columns = {"answer": ["#### 72", "#### 5"], "messages": [[], []], "prompt_id": ["a", "b"]}
    assert score(reward, ["#### 72", "#### 72"], **columns) == [1.0, 0.0]


def test_an_async_grader_is_awaited_and_reads_its_question() -> None:
    reward = ms_swift_reward(judge)(args=GDPO)
    assert asyncio.iscoroutinefunction(type(reward).__call__)  # how ms-swift knows
    columns = {"answer": ["72", "72", "72"], "question": ["8 * 9?"] * 3}
    assert score(reward, ["8 * 9? 72", "72", "down"], **columns) == [1.0, 0.0, None]


def test_an_abstention_is_none_where_ms_swift_leaves_none_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reward = ms_swift_reward(grade)(args=GDPO)
    assert not caplog.records
    assert score(reward, ["#### 72", "#### 72"], answer=["#### 72", "no number"]) == [1.0, None]
    assert caplog.messages[0].startswith("bad_reference: grade abstained")


@pytest.mark.parametrize(
    "setting",
    [
        {"scale_rewards": "group"},
        {"scale_rewards": "batch"},
        {"scale_rewards": "none"},
        {"scale_rewards": None},
        {"advantage_estimator": "reinforce_plus_plus"},
        {"multi_turn_scheduler": "gym_scheduler"},
    ],
)
@pytest.mark.parametrize("grader", [grade, judge])
def test_an_abstention_stops_the_run_where_ms_swift_would_make_it_zero(
    setting: dict[str, Any], grader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        reward = ms_swift_reward(grader)(args=SimpleNamespace(**{**vars(GDPO), **setting}))
    assert "--scale_rewards gdpo" in caplog.text  # said before the first batch
    columns = {"answer": ["no number", "72"], "question": ["q"] * 2}
    with pytest.raises(Abstained):
        score(reward, ["down", "down"], **columns)
    columns["answer"] = ["72", "72"]
    assert None not in score(reward, ["q 72", "q 72"], **columns)


def test_an_error_of_the_grader_is_raised() -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        score(ms_swift_reward(broken)(args=GDPO), ["x"])


def test_the_class_has_the_graders_name_for_the_metrics() -> None:
    assert ms_swift_reward(judge).__name__ == "judge"
    assert ADAPTER.version == "4.6.0"


def test_a_missing_column_is_found_before_training() -> None:
    with pytest.raises(LookupError, match="row 1: no column 'answer'"):
        ms_swift_reward(grade).check([ROW, {"messages": [], "solution": "72"}])


def test_a_column_of_the_wrong_type_is_found_before_training() -> None:
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        ms_swift_reward(grade).check([{**ROW, "answer": 72}])


def test_a_column_with_a_name_of_ms_swifts_own_is_found_before_training() -> None:
    with pytest.raises(ValueError, match="'request_id'"):
        ms_swift_reward(grade).check([{**ROW, "request_id": "1"}])


def test_a_column_that_becomes_messages_is_found_before_training() -> None:
    reward = ms_swift_reward(grade)
    reward.check([ROW])
    with pytest.raises(ValueError, match="makes messages of 'answer'"):
        reward.check([{"question": "8 * 9?", "answer": "#### 72"}])
    ms_swift_reward(grade, reference="gold").check([{"question": "8 * 9?", "gold": "#### 72"}])


def test_a_question_with_a_default_need_not_be_a_column() -> None:
    def with_default(response: str, reference: str, question: str = "") -> Outcome:
        return grade(response, reference)

    reward = ms_swift_reward(with_default, reference="gold")
    reward.check([{"query": "8 * 9?", "gold": "#### 72"}])
    assert score(reward(args=GDPO), ["#### 72"], gold=["#### 72"]) == [1.0]
    with pytest.raises(ValueError, match="makes messages of 'question'"):
        reward.check([{"question": "8 * 9?", "gold": "#### 72"}])
