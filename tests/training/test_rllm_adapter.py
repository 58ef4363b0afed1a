"""The rLLM adapter, against the recorded signature: rLLM itself is not run here.

Stand-ins with the recorded fields take the place of its types, and a loop that does what is recorded of
the engine's retries the place of its engine.
"""

import asyncio
import inspect
import json
import runpy
import sys
from dataclasses import make_dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.rllm_adapter import ADAPTER, RLLMEvaluator, rllm_evaluator

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "signatures" / "rllm.json").read_text(encoding="utf-8"))
TYPES = {also["function"]: also["parameters"] for also in RECORD["also"] if "parameters" in also}
ROW = {"question": "8 * 9?", "answer": "#### 72"}


@pytest.fixture(autouse=True)
def _rllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """`rllm.eval.types`, as recorded."""
    for name in ("rllm", "rllm.eval", "rllm.eval.types"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, fields in TYPES.items():
        made = make_dataclass(name, [(field, Any, None) for field in fields])
        setattr(sys.modules["rllm.eval.types"], name, made)


def episode(answer: Any = None, **fields: Any) -> SimpleNamespace:
    artifacts = {} if answer is None else {"answer": answer}
    return SimpleNamespace(**{"artifacts": artifacts, "trajectories": [], **fields})


async def judge(question: str, response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    if response == "down":
        return Outcome(None, Reason.JUDGE_UNREACHABLE, "refused")
    return Outcome(0.75 if question == "8 * 9?" else 0.0, Reason.SCORED)


def test_the_evaluator_has_the_recorded_form() -> None:
    assert RECORD["commit"].startswith(ADAPTER.version)
    signature = inspect.signature(rllm_evaluator(grade).evaluate)
    assert list(signature.parameters) == RECORD["parameters"]
    output = rllm_evaluator(grade).evaluate(ROW, episode("#### 72"))
    assert list(vars(output)) == RECORD["returns"]


@pytest.mark.parametrize("task", [ROW, SimpleNamespace(metadata=ROW)])
def test_an_answer_is_graded_with_its_task(task: Any) -> None:
    output = rllm_evaluator(grade).evaluate(task, episode("#### 72"))
    assert (output.reward, output.is_correct) == (1.0, True)
    assert [(signal.name, signal.value) for signal in output.signals] == [("grade", 1.0)]
    output = rllm_evaluator(grade).evaluate(task, episode("#### 71"))
    assert (output.reward, output.is_correct) == (0.0, False)


def test_an_async_grader_is_waited_for() -> None:
    output = rllm_evaluator(judge).evaluate(ROW, episode("72"))
    assert (output.reward, output.is_correct) == (0.75, False)
    assert rllm_evaluator(judge, correct_at=0.5).evaluate(ROW, episode("72")).is_correct


def test_the_answer_may_be_the_output_of_the_last_trajectory_or_step() -> None:
    reward = rllm_evaluator(grade)
    first = SimpleNamespace(output="#### 71", steps=[])
    step = SimpleNamespace(output=None, model_response="#### 72")
    for last in (
        SimpleNamespace(output="#### 72", steps=[]),
        SimpleNamespace(output=None, steps=[step]),
        SimpleNamespace(steps=[SimpleNamespace(output="#### 72")]),
    ):
        assert reward.evaluate(ROW, episode(trajectories=[first, last])).reward == 1.0


def test_an_empty_answer_scores_and_a_missing_one_does_not() -> None:
    def is_empty(response: str) -> Outcome:
        return Outcome(float(response == ""), Reason.SCORED)

    reward = rllm_evaluator(is_empty)
    empty = SimpleNamespace(output=None, steps=[SimpleNamespace(output="", model_response="")])
    assert reward.evaluate(ROW, episode("")).reward == 1.0
    assert reward.evaluate(ROW, episode(artifacts={"answer": None})).reward == 1.0
    assert reward.evaluate(ROW, episode(trajectories=[empty])).reward == 1.0
    for lost in (episode(), episode(trajectories=[SimpleNamespace(output=None, steps=[])])):
        with pytest.raises(LookupError, match="recorded no answer"):
            reward.evaluate(ROW, lost)


def rolled_out(evaluator: RLLMEvaluator, answers: list[str], raise_on_error: bool) -> list[float]:
    """What is recorded of `process_task_with_retry`: the rewards of the episode's trajectories."""
    for attempt, answer in enumerate(answers, 1):
        try:
            return [evaluator.evaluate(ROW, episode(answer)).reward]
        except Exception:
            if attempt == len(answers) and raise_on_error:
                raise
    return []


def test_an_abstention_raises_and_is_rolled_out_again(caplog: pytest.LogCaptureFixture) -> None:
    evaluator = rllm_evaluator(judge)
    assert rolled_out(evaluator, ["down", "down", "72"], raise_on_error=True) == [0.75]
    assert caplog.messages == ["judge_unreachable: judge abstained: refused"] * 2


def test_an_abstention_at_every_try_stops_the_run_or_leaves_no_trajectory() -> None:
    evaluator = rllm_evaluator(judge)
    with pytest.raises(Abstained, match="judge_unreachable: refused"):
        rolled_out(evaluator, ["down"] * 3, raise_on_error=True)
    assert rolled_out(evaluator, ["down"] * 3, raise_on_error=False) == []


def test_an_error_of_the_grader_is_raised() -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rllm_evaluator(broken).evaluate(ROW, episode("72"))


def test_a_missing_column_is_found_before_training() -> None:
    rllm_evaluator(grade).check([ROW, SimpleNamespace(metadata=ROW)])
    with pytest.raises(LookupError, match="row 1: no column 'answer'"):
        rllm_evaluator(grade).check([ROW, {"ground_truth": "72"}])


def test_a_column_of_the_wrong_type_is_found_before_training() -> None:
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        rllm_evaluator(grade).check([{"answer": 72}])


def test_one_column_for_two_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="the same column"):
        rllm_evaluator(judge, reference="question")


def test_the_snippet_scores() -> None:
    evaluator = runpy.run_path(str(HERE / "snippets" / "rllm_gsm8k.py"))["evaluator"]
    assert evaluator.evaluate({"ground_truth": "72"}, episode("#### 72")).reward == 1.0
