"""The slime adapter, against the recorded signature: slime itself is not run here.

`Sample` and `DynamicFilterOutput` are stand-ins with the recorded fields.
"""

import asyncio
import dataclasses
import importlib
import inspect
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from graders import grade, grade_with_question

from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.slime_adapter import ADAPTER, SlimeReward, keep_measured, slime_reward

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "signatures" / "slime.json").read_text())


@dataclasses.dataclass
class Sample:
    response: str = ""
    label: Any = "72"
    metadata: Any = dataclasses.field(default_factory=dict)
    prompt: str = "Question?"
    reward: Any = None
    remove_sample: bool = False


@dataclasses.dataclass
class DynamicFilterOutput:
    keep: bool
    reason: str | None = None


@pytest.fixture
def slime(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["slime", "slime.rollout", "slime.rollout.filter_hub"]
    for name in [*names, "slime.rollout.filter_hub.base_types"]:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["slime.rollout.filter_hub.base_types"].DynamicFilterOutput = DynamicFilterOutput  # type: ignore[attr-defined]


def score(reward: SlimeReward, sample: Any) -> Any:
    return asyncio.run(reward(None, sample))


def test_the_record_is_the_adapters_version() -> None:
    assert RECORD["commit"].startswith(ADAPTER.version)


def test_the_reward_is_awaited_with_the_recorded_arguments() -> None:
    reward = slime_reward(grade)
    bound = inspect.signature(reward).bind(*RECORD["parameters"], evaluation=False)
    assert list(bound.arguments)[:2] == RECORD["parameters"]
    assert inspect.iscoroutine(coroutine := reward(None, Sample("72")))
    assert asyncio.run(coroutine) == 1.0  # type: ignore[arg-type]


def test_the_filter_takes_the_recorded_arguments() -> None:
    bound = inspect.signature(keep_measured()).bind(*RECORD["also"][1]["parameters"])
    assert list(bound.arguments) == RECORD["also"][1]["parameters"]


def test_the_stand_ins_have_recorded_fields() -> None:
    assert {field.name for field in dataclasses.fields(Sample)} == set(RECORD["also"][0]["fields"])
    fields = [field.name for field in dataclasses.fields(DynamicFilterOutput)]
    assert fields == RECORD["also"][2]["fields"]


def all_defaults(response: str, reference: str = "72", question: str = "") -> Outcome:
    return grade(response, f"{question}{reference}")


def test_what_has_a_default_need_not_be_in_a_sample() -> None:
    reward = slime_reward(all_defaults)
    reward.check([{"prompt": "8 * 9?"}])
    assert score(reward, Sample("72", label=None)) == 1.0
    assert score(reward, Sample("q63", label="63", metadata={"question": "q"})) == 1.0


def test_a_sample_is_scored_as_a_float() -> None:
    reward = slime_reward(grade)
    assert [score(reward, Sample(text)) for text in ("72", "71")] == [1.0, 0.0]


def test_a_group_is_scored_at_once_and_in_order() -> None:
    running = most = 0

    async def slow(response: str) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05 if response == "1" else 0.01)
        running -= 1
        return Outcome(float(response), Reason.SCORED)

    assert score(slime_reward(slow), [Sample(text) for text in "123"]) == [1.0, 2.0, 3.0]
    assert most == 3


def test_the_question_comes_from_the_metadata() -> None:
    reward = slime_reward(grade_with_question, question="problem")
    assert score(reward, Sample("8*9? 72", metadata={"problem": "8*9?"})) == 1.0


def test_a_list_of_references_is_a_label() -> None:
    def any_of(response: str, reference: list[str]) -> Outcome:
        return grade(response, reference[-1])

    assert score(slime_reward(any_of), Sample("72", label=["0", "72"])) == 1.0


@pytest.mark.parametrize("grader", [grade, grade_with_question])
def test_an_abstention_is_none(grader: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def lost(response: str, reference: str) -> Outcome:
        raise Abstained(Outcome(None, Reason.TIMED_OUT))

    assert score(slime_reward(grade), Sample("lost")) is None
    assert score(slime_reward(lost), [Sample("72"), Sample("72")]) == [None, None]
    assert "judge_unreachable" in caplog.text
    assert "timed_out" in caplog.text


def test_an_error_of_the_grader_goes_up() -> None:
    def broken(response: str, reference: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        score(slime_reward(broken), Sample("72"))
    with pytest.raises(ZeroDivisionError):
        score(slime_reward(broken), [Sample("72")])


def test_a_group_with_an_abstention_is_dropped_and_counted(slime: None) -> None:
    group = [Sample(reward=1.0), Sample(reward=None), Sample(reward=0.0)]
    assert keep_measured()(None, group) == DynamicFilterOutput(False, "abstained")
    assert keep_measured()(None, [[group[0]], group[:2]]) == DynamicFilterOutput(False, "abstained")


def test_a_measured_group_is_kept_without_slime() -> None:
    assert keep_measured()(None, [Sample(reward=0.0), [Sample(reward=1.0)]]) is True


def test_a_measured_group_goes_on_to_the_next_filter(slime: None) -> None:
    seen = []
    keep = keep_measured(lambda args, samples, **more: seen.append((args, samples, more)) or "then")
    group = [Sample(reward=0.0)]
    assert keep("args", group, step=1) == "then"
    assert seen == [("args", group, {"step": 1})]
    assert keep("args", [Sample(reward=None)]).keep is False
    assert len(seen) == 1


def test_scores_are_the_same_in_any_order_and_batch() -> None:
    reward = slime_reward(grade)
    samples = [Sample(text) for text in ("72", "71", "lost", "", "72")]
    alone = [score(reward, sample) for sample in samples]
    assert score(reward, samples) == alone
    assert score(reward, samples[::-1]) == alone[::-1]


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        (Sample("72", label=None), LookupError, "--label-key"),
        (Sample("72", label=72), TypeError, "int 72"),
        (Sample("72", metadata="{}"), TypeError, "must be a dict"),
        (Sample("72", metadata={"label": "71"}), ValueError, "rename"),
        (Sample(response=None), TypeError, "response must be a str"),  # type: ignore[arg-type]
    ],
)
def test_a_sample_that_cannot_be_graded_is_an_error(
    sample: Sample, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        score(slime_reward(grade), sample)


def test_a_missing_question_is_an_error() -> None:
    with pytest.raises(LookupError, match="no column 'question'"):
        score(slime_reward(grade_with_question), Sample("72"))


def test_a_data_set_is_checked_before_training() -> None:
    rows = [{"answer": "72", "extra": {"question": "8*9?"}}, {"answer": "1", "extra": {}}]
    slime_reward(grade).check(rows, label_key="answer")
    slime_reward(grade_with_question).check(rows[:1], "answer", "extra")
    with pytest.raises(LookupError, match="row 1: no column 'question'"):
        slime_reward(grade_with_question).check(rows, "answer", "extra")
    with pytest.raises(LookupError, match=r"row 0: .*--label-key"):
        slime_reward(grade).check(rows)
    with pytest.raises(LookupError, match="no rows"):
        slime_reward(grade).check([])
    with pytest.raises(ValueError, match=r"row 0: .*rename"):
        slime_reward(grade).check([{"label": "72", "metadata": {"label": "72"}}])


def test_a_reward_model_needs_no_label() -> None:
    def model(response: str) -> Outcome:
        return Outcome(-1.5, Reason.SCORED)

    slime_reward(model).check([{"prompt": "Question?"}])
    assert score(slime_reward(model), Sample("72", label=None, metadata=None)) == -1.5


def test_the_snippet_loads_as_slime_loads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE / "snippets")
    options = (HERE / "snippets" / "slime_gsm8k.sh").read_text().split()
    loaded = []
    for option in ("--custom-rm-path", "--dynamic-sampling-filter-path"):
        module, _, attribute = options[options.index(option) + 1].rpartition(".")
        loaded.append(getattr(importlib.import_module(module), attribute))
    reward, keep = loaded
    assert score(reward, Sample("The answer is 72.", label="#### 72")) == 1.0
    assert keep(None, [Sample(reward=1.0)]) is True
