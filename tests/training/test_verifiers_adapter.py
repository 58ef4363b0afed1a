"""The adapter of verifiers, without verifiers: what the reward reads, returns and raises."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from graders import asks, grade, grade_async

from examples.shared.outcome import Abstained, Outcome
from examples.training.verifiers_adapter import ADAPTER, verifiers_reward


@dataclass
class Timeout:
    scoring: float | None = None


class Data(SimpleNamespace):
    """Stands for a `TaskData`: fields, read one by one or all together as `dict(data)`."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{"timeout": Timeout(), **fields})

    def __iter__(self) -> Any:
        return iter(vars(self).items())


@dataclass
class Trace:
    last_reply: str
    is_timeout: bool = False
    stop_condition: str = "agent_completed"
    timeout: Timeout = field(default_factory=Timeout)

    @property
    def agent(self) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(timeout=self.timeout))


def score(grader: Callable[..., Any], data: Data, trace: Trace, **columns: Any) -> float:
    async def call() -> float:
        return await verifiers_reward(grader, **columns)(data, trace)

    return asyncio.run(call())


@pytest.mark.parametrize("grader", [grade, grade_async])
def test_the_last_reply_is_scored_against_a_field_of_the_data(grader: Callable[..., Any]) -> None:
    assert score(grader, Data(answer="72"), Trace("72")) == 1.0
    assert score(grader, Data(answer="72"), Trace("71")) == 0.0
    assert score(grader, Data(solution="72"), Trace("72"), reference="solution") == 1.0
    assert score(grader, Data(answer="72"), Trace("")) == 0.0  # the policy wrote nothing


def test_the_question_may_be_verifiers_own_prompt() -> None:
    assert score(asks, Data(prompt="8 * 9?"), Trace("72"), question="prompt") == 1.0


@pytest.mark.parametrize("grader", [grade, grade_async])
def test_an_abstention_raises_with_its_reason(grader: Callable[..., Any]) -> None:
    with pytest.raises(Abstained, match="bad_reference: no number in it"):
        score(grader, Data(answer="broken"), Trace("72"))


def test_a_rollout_that_a_deadline_cut_off_abstains() -> None:
    with pytest.raises(Abstained, match="timed_out: rollout: agent_timeout"):
        score(grade, Data(answer="72"), Trace("72", True, "agent_timeout"))


def test_a_deadline_for_scoring_is_refused_wherever_it_is_set() -> None:
    with pytest.raises(ValueError, match="unset it"):
        score(grade, Data(answer="72", timeout=Timeout(5.0)), Trace("72"))
    with pytest.raises(ValueError, match="unset it"):
        score(grade, Data(answer="72"), Trace("72", timeout=Timeout(5.0)))


def test_an_error_of_the_grader_is_its_own() -> None:
    def is_broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        score(is_broken, Data(), Trace("72"))


def test_a_missing_field_and_a_wrong_type_raise() -> None:
    with pytest.raises(LookupError, match="no column 'answer'"):
        score(grade, Data(), Trace("72"))
    with pytest.raises(TypeError, match="column 'answer' holds int"):
        score(grade, Data(answer=72), Trace("72"))


def test_the_check_reads_rows_and_the_data_of_tasks() -> None:
    reward = verifiers_reward(grade)
    reward.check([{"answer": "72"}, Data(answer="72")])
    with pytest.raises(LookupError, match="row 1: no column 'answer'"):
        reward.check([{"answer": "72"}, {"solution": "72"}])
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        reward.check([Data(answer=72)])
    with pytest.raises(LookupError, match="no rows"):
        reward.check([])


def test_the_adapter_says_that_an_abstention_is_retried_or_recorded() -> None:
    assert (ADAPTER.version, ADAPTER.becomes.value) == ("0.4.0", "retried")
