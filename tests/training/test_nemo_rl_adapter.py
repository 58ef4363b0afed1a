"""The NeMo-RL adapter, against the recorded signature: NeMo-RL itself is not run here.

Its `EnvironmentInterface` and `EnvironmentReturn`, and `ray.remote`, are stand-ins.
"""

import abc
import asyncio
import importlib
import inspect
import json
import math
import pickle
import sys
import types
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from graders import grade

from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.nemo_rl_adapter import ADAPTER, nemo_rl_reward

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "signatures" / "nemo_rl.json").read_text())

EnvironmentReturn = namedtuple("EnvironmentReturn", RECORD["returns"])


class EnvironmentInterface(abc.ABC):
    @abc.abstractmethod
    def step(self, message_log_batch: Any, metadata: Any) -> Any: ...

    @abc.abstractmethod
    def global_post_process_and_metrics(self, batch: Any) -> Any: ...


@pytest.fixture(autouse=True)
def nemo_rl(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Put the stand-ins in place; the result has what was registered."""
    registered = types.SimpleNamespace(environments={}, executables={})
    contents: dict[str, dict[str, Any]] = {
        "ray": {"remote": lambda actor: actor},
        "nemo_rl": {},
        "nemo_rl.environments": {},
        "nemo_rl.environments.interfaces": {
            "EnvironmentInterface": EnvironmentInterface,
            "EnvironmentReturn": EnvironmentReturn,
        },
        "nemo_rl.environments.utils": {"register_env": registered.environments.__setitem__},
        "nemo_rl.distributed": {},
        "nemo_rl.distributed.ray_actor_environment_registry": {
            "ACTOR_ENVIRONMENT_REGISTRY": registered.executables,
            "PY_EXECUTABLES": types.SimpleNamespace(SYSTEM="python"),
        },
    }
    for name, members in contents.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    return registered


def conversation(response: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": "8*9?"}, {"role": "assistant", "content": response}]


def step(grader: Any, responses: list[str], metadata: Any = None, **cfg: Any) -> Any:
    environment = nemo_rl_reward(grader).environment()(cfg)
    metadata = metadata or [{"ground_truth": "72", "question": "8*9?"}] * len(responses)
    return environment.step([conversation(text) for text in responses], metadata)


def test_the_record_is_the_adapters_version() -> None:
    assert RECORD["commit"].startswith(ADAPTER.version)


def test_step_takes_the_recorded_arguments() -> None:
    environment = nemo_rl_reward(grade).environment()
    parameters = list(inspect.signature(environment.step).parameters)[1:]
    assert parameters == RECORD["parameters"]
    assert list(inspect.signature(environment.__init__).parameters)[1:] == ["cfg"]


def test_a_batch_is_scored_in_order() -> None:
    result = step(grade, ["72", "71", "72"])
    assert result.rewards.tolist() == [1.0, 0.0, 1.0]
    assert result.rewards.dtype == torch.float32
    assert result.terminateds.bool().tolist() == [True] * 3
    assert [each["content"] for each in result.observations][:2] == [
        "Environment: correct",
        "Environment: wrong",
    ]
    assert {each["role"] for each in result.observations} == {"environment"}
    assert result.next_stop_strings == [None] * 3
    assert result.answers is None
    assert len(result.metadata) == 3


def test_an_async_grader_grades_the_batch_at_once() -> None:
    running = most = 0

    async def slow(question: str, response: str) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05 if response == "1" else 0.01)
        running -= 1
        return Outcome(float(response), Reason.SCORED, question)

    assert step(slow, ["1", "2", "3"]).rewards.tolist() == [1.0, 2.0, 3.0]
    assert most == 3


def test_the_assistants_last_message_is_graded() -> None:
    environment = nemo_rl_reward(grade).environment()({})
    talk = [*conversation("71"), *conversation("72"), {"role": "user", "content": "Thanks"}]
    assert environment.step([talk], [{"ground_truth": "72"}]).rewards.tolist() == [1.0]
    with pytest.raises(LookupError, match="no message of the assistant"):
        environment.step([talk[:1]], [{"ground_truth": "72"}])


def test_an_abstention_raises(caplog: pytest.LogCaptureFixture) -> None:
    async def lost(response: str) -> Outcome:
        raise Abstained(Outcome(None, Reason.TIMED_OUT))

    with pytest.raises(Abstained, match="judge_unreachable") as raised:
        step(grade, ["72", "lost"])
    assert pickle.loads(pickle.dumps(raised.value)).outcome == raised.value.outcome  # for Ray
    with pytest.raises(Abstained, match="timed_out"):
        step(lost, ["72"])
    assert "judge_unreachable" in caplog.text


def test_an_abstention_is_nan_only_on_request() -> None:
    rewards = step(grade, ["72", "lost"], drop_groups=True).rewards.tolist()
    assert rewards[0] == 1.0
    assert math.isnan(rewards[1])


def test_abstentions_are_counted() -> None:
    environment = nemo_rl_reward(grade).environment()({"drop_groups": True})
    batch = object()
    assert environment.global_post_process_and_metrics(batch) == (batch, {"abstained": 0.0})
    row = {"ground_truth": "72"}
    environment.step([conversation(text) for text in ("lost", "1", "2", "72")], [row] * 4)
    assert environment.global_post_process_and_metrics(batch) == (batch, {"abstained": 0.25})


def test_scores_are_the_same_in_any_order_and_batch() -> None:
    texts = ["72", "71", "", "72"]
    alone = [step(grade, [text]).rewards.item() for text in texts]
    assert step(grade, texts).rewards.tolist() == alone
    assert step(grade, texts[::-1]).rewards.tolist() == alone[::-1]


def test_an_error_of_the_grader_goes_up() -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step(broken, ["72"], drop_groups=True)


def test_a_missing_or_wrong_column_is_an_error() -> None:
    with pytest.raises(LookupError, match="no column 'ground_truth'"):
        step(grade, ["72"], [{"answer": "72"}])
    with pytest.raises(TypeError, match="int 72"):
        step(grade, ["72"], [{"ground_truth": 72}])


def test_rows_and_conversations_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        step(grade, ["72", "72"], [{"ground_truth": "72"}])


def test_a_data_set_is_checked_before_training() -> None:
    reward = nemo_rl_reward(grade, reference="answer")
    reward.check([{"answer": "72"}])
    with pytest.raises(LookupError, match="row 1: no column 'answer'"):
        reward.check([{"answer": "72"}, {}])
    with pytest.raises(LookupError, match="no rows"):
        reward.check([])


def test_the_snippet_registers_an_environment(
    monkeypatch: pytest.MonkeyPatch, nemo_rl: types.SimpleNamespace
) -> None:
    monkeypatch.syspath_prepend(HERE / "snippets")
    monkeypatch.delitem(sys.modules, "nemo_rl_gsm8k", raising=False)
    importlib.import_module("nemo_rl_gsm8k").register()
    [(name, path)] = nemo_rl.environments.items()
    assert path in nemo_rl.executables
    configuration = yaml.safe_load((HERE / "snippets" / "nemo_rl_gsm8k.yaml").read_text())["env"]
    module, _, attribute = path.rpartition(".")
    environment = getattr(importlib.import_module(module), attribute)(configuration[name])
    result = environment.step([conversation("#### 72")], [{"ground_truth": "72"}])
    assert result.rewards.tolist() == [1.0]
    with pytest.raises(Abstained):
        environment.step([conversation("#### 72")], [{"ground_truth": "no number"}])
    monkeypatch.delitem(sys.modules, "nemo_rl_gsm8k")
