"""The SkyRL adapter by itself; `conformance/test_skyrl.py` has SkyRL run it.

SkyRL's registries and its base class are stood in for by the little of them that the adapter uses.
"""

import asyncio
import math
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Outcome, Reason
from examples.training.skyrl_adapter import ESTIMATOR, grpo_without_abstentions, skyrl_reward

ROW = {"prompt": [{"role": "user", "content": "8 * 9?"}], "env_class": "x", "answer": "#### 72"}


class FakeRegistry(dict[str, Any]):
    def list_available(self) -> list[str]:
        return list(self)

    def register(self, name: str, function: Any) -> None:
        if name in self:
            raise ValueError(name)
        self[name] = function


@pytest.fixture(autouse=True)
def skyrl(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand-ins for skyrl and skyrl-gym."""

    class BaseTextEnv:
        pass

    envs: dict[str, Any] = {}
    estimators = FakeRegistry()
    modules = {
        "skyrl_gym.envs": {"register": lambda id, entry_point: envs.update({id: entry_point})},
        "skyrl_gym.envs.base_text_env": {
            "BaseTextEnv": BaseTextEnv,
            "BaseTextEnvStepOutput": dict,
        },
        "skyrl.backends.skyrl_train.utils.ppo_utils": {"AdvantageEstimatorRegistry": estimators},
    }
    for name in modules:
        parts = name.split(".")
        for end in range(1, len(parts)):
            monkeypatch.setitem(sys.modules, ".".join(parts[:end]), ModuleType(parts[end - 1]))
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return SimpleNamespace(envs=envs, estimators=estimators)


def config(estimator: str = ESTIMATOR, normalize: bool = False) -> Any:
    algorithm = SimpleNamespace(advantage_estimator=estimator, advantage_batch_normalize=normalize)
    return SimpleNamespace(trainer=SimpleNamespace(algorithm=algorithm))


def step(grader: Any, action: str, **extras: Any) -> tuple[Any, dict[str, float]]:
    env = skyrl_reward(grader).environment()(env_config={}, extras={"max_turns": 1, **extras})
    return env.step(action), env.get_metrics()


def test_a_response_is_graded_with_its_row_and_ends_the_episode() -> None:
    output, metrics = step(grade, "#### 72", answer="#### 72")
    assert output["reward"] == 1.0
    assert output["done"] is True
    assert output["observations"] == []
    assert metrics == {"abstained": 0.0, "score": 1.0}
    assert step(grade, "#### 71", answer="#### 72")[0]["reward"] == 0.0


def test_a_reference_in_reward_spec_is_a_column() -> None:
    reward = skyrl_reward(grade, reference="ground_truth")
    extras = {"reward_spec": {"method": "rule", "ground_truth": "72"}}
    reward.check([{**ROW, **extras}])
    assert reward.environment()(extras=extras).step("#### 72")["reward"] == 1.0
    with pytest.raises(ValueError, match="'ground_truth' is a column and in reward_spec too"):
        reward.check([{**extras, "ground_truth": "71"}])


def test_an_async_grader_is_waited_for() -> None:
    async def judge(question: str, response: str) -> Outcome:
        await asyncio.sleep(0)
        return Outcome(0.25 if question == "8 * 9?" else 0.0, Reason.SCORED)

    assert step(judge, "72", question="8 * 9?")[0]["reward"] == 0.25


def test_an_abstention_is_nan_counted_and_says_why() -> None:
    output, metrics = step(grade, "#### 72", answer="no number")
    assert math.isnan(output["reward"])
    assert output["metadata"]["reason"] == "bad_reference"
    assert metrics == {"abstained": 1.0}


def test_an_error_of_the_grader_is_raised() -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step(broken, "x")


def test_registering_adds_the_environment_and_once_the_estimator(skyrl: SimpleNamespace) -> None:
    skyrl_reward(grade).register("by_rule", config())
    skyrl_reward(grade).register("by_rule_too", config())
    assert list(skyrl.envs) == ["by_rule", "by_rule_too"]
    assert skyrl.estimators == {ESTIMATOR: grpo_without_abstentions}


@pytest.mark.parametrize("cfg", [config("grpo"), config("rloo"), config(normalize=True)])
def test_a_setting_that_would_train_on_abstentions_is_refused(
    cfg: Any, skyrl: SimpleNamespace
) -> None:
    with pytest.raises(ValueError, match=r"trainer\.algorithm\.advantage"):
        skyrl_reward(grade).register("by_rule", cfg)
    assert not skyrl.envs


def advantages(scores: list[float], names: list[str], **options: Any) -> list[float]:
    rewards = torch.zeros(len(scores), 3)
    rewards[:, 1] = torch.tensor(scores)
    mask = torch.tensor([[1.0, 1.0, 0.0]] * len(scores))
    values, returns = grpo_without_abstentions(rewards, mask, names, config=None, **options)
    assert torch.equal(values, returns)
    assert not values[:, 2].any()
    assert torch.equal(values[:, 0], values[:, 1])
    return values[:, 0].tolist()


def test_an_abstention_is_left_out_of_its_group() -> None:
    nan = math.nan
    got = advantages([1.0, nan, 0.0, 1.0, 3.0, 1.0], ["a"] * 4 + ["b"] * 2)
    assert got[1] == 0.0
    assert [got[0], *got[2:4]] == pytest.approx(advantages([1.0, 0.0, 1.0], ["a"] * 3))
    assert got[4:] == pytest.approx([0.7071, -0.7071], abs=1e-3)


def test_a_group_with_one_score_or_none_gives_no_gradient() -> None:
    nan = math.nan
    assert advantages([1.0, nan, nan, nan], ["a", "a", "b", "c"]) == [0.0] * 4


def test_the_order_of_a_batch_does_not_change_an_advantage() -> None:
    scores, names = [1.0, 0.0, math.nan, 0.5, 1.0], ["a", "b", "a", "b", "a"]
    assert advantages(scores, names)[::-1] == pytest.approx(advantages(scores[::-1], names[::-1]))


def test_a_missing_column_is_found_before_training() -> None:
    with pytest.raises(LookupError, match="row 0: no column 'answer'"):
        skyrl_reward(grade).check([{"prompt": [], "solution": "72"}])


def test_a_column_of_the_wrong_type_is_found_before_training() -> None:
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        skyrl_reward(grade).check([{**ROW, "answer": 72}])


def test_a_name_of_skyrls_own_is_found_before_training() -> None:
    skyrl_reward(grade).check([ROW])
    with pytest.raises(ValueError, match="'max_turns'"):
        skyrl_reward(grade).check([{**ROW, "max_turns": 3}])
    with pytest.raises(ValueError, match="no column named 'prompt'"):
        skyrl_reward(grade, reference="prompt")
