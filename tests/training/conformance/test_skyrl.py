"""SkyRL 0.3.0 itself makes the environments, generates with them, and computes advantages.

Real: skyrl-gym's registry, `SkyRLGymGenerator`, and the methods of `RayPPOTrainer` from the generator's
output to the advantages. Stood in for: the inference engine, which needs a GPU. The optimiser's step
was not run.
"""
# ruff: noqa: E402

import asyncio
import importlib.util
import math
import typing
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import typing_extensions

# SkyRL 0.3.0 gives pydantic a TypedDict that it takes from Python 3.12 on only.
typing.TypedDict = typing_extensions.TypedDict  # type: ignore[assignment]

import skyrl_gym
from skyrl.backends.skyrl_train.utils.ppo_utils import (
    AdvantageEstimatorRegistry,
    compute_grpo_outcome_advantage,
)
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.generators.base import TrajectoryID
from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator
from skyrl.train.trainer import RayPPOTrainer
from skyrl.train.utils import validate_cfg
from skyrl_gym.envs import deregister

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Outcome, Reason
from examples.training.skyrl_adapter import ADAPTER, ESTIMATOR, skyrl_reward
from examples.training.small_policy import make_tokenizer, messages

SNIPPET = Path(__file__).parent.parent / "snippets" / "skyrl_gsm8k.py"
OPTIONS = (SNIPPET.read_text(encoding="utf-8").splitlines()[0].strip('"')).split()[2:]
TOKENIZER = make_tokenizer(["8 * 9?", "#### 72"])


@pytest.fixture(autouse=True)
def _restored_registries() -> Iterator[None]:
    envs = set(skyrl_gym.envs.registration.registry)
    yield
    for name in set(skyrl_gym.envs.registration.registry) - envs:
        deregister(name)
    if ESTIMATOR in AdvantageEstimatorRegistry.list_available():
        AdvantageEstimatorRegistry.unregister(ESTIMATOR)


@pytest.fixture
def cfg() -> SkyRLTrainConfig:
    """The snippet's own command line, read by SkyRL; four responses to a prompt."""
    return SkyRLTrainConfig.from_cli_overrides(
        [*OPTIONS, "generator.n_samples_per_prompt=4", "trainer.logger=console"]
    )


class Engine:
    """The inference engine: says what it is told to."""

    def __init__(self, responses: list[str]) -> None:
        self.responses = responses

    async def generate(self, engine_input: Any, model: Any = None) -> dict[str, Any]:
        texts = self.responses
        if sessions := engine_input.get("session_ids"):  # named after the trajectory, "0_3"
            texts = [texts[int(session.partition("_")[2])] for session in sessions]
        ids = [[*TOKENIZER.encode(text), TOKENIZER.eos_token_id] for text in texts]
        return {"responses": texts, "response_ids": ids, "stop_reasons": ["stop"] * len(texts)}

    async def finish_session(self, session_id: str) -> None:
        pass


def generate(cfg: SkyRLTrainConfig, responses: list[str], row: dict[str, Any]) -> dict[str, Any]:
    """Have SkyRL's generator roll out one prompt, once for each response."""
    generator = SkyRLGymGenerator(
        cfg.generator, cfg.environment.skyrl_gym, Engine(responses), TOKENIZER
    )
    size = len(responses)
    batch = {
        "prompts": [messages("8 * 9?")] * size,
        "env_classes": [cfg.environment.env_class] * size,
        "env_extras": [dict(row) for _ in responses],
        "trajectory_ids": [TrajectoryID("0", number) for number in range(size)],
    }
    output: dict[str, Any] = asyncio.run(generator.generate(batch, disable_tqdm=True))
    return output


def advantages(cfg: SkyRLTrainConfig, output: dict[str, Any]) -> torch.Tensor:
    """Take the generator's output through the trainer's own methods; one advantage a response."""
    trainer = object.__new__(RayPPOTrainer)  # its __init__ builds a cluster
    trainer.cfg, trainer.tokenizer, trainer.all_metrics = cfg, TOKENIZER, {}
    trainer.dispatch = SimpleNamespace(get_lcm_dp_size=lambda: 1)
    cfg.trainer.train_batch_size = cfg.trainer.policy_mini_batch_size = 1
    output, uids = trainer.postprocess_generator_output(output, ["0"] * len(output["rewards"]))
    data = trainer.convert_to_training_input(output, uids)
    data["values"] = None  # there is no critic
    data = trainer.compute_advantages_and_returns(data)
    assert data["advantages"].isfinite().all()
    values: torch.Tensor = data["advantages"].sum(-1) / data["response_mask"].sum(-1)
    return values


def test_the_versions_are_the_adapters() -> None:
    assert version("skyrl") == ADAPTER.version
    assert version("skyrl-gym") == "0.4.0"


def test_the_snippet_registers_what_its_options_name(cfg: SkyRLTrainConfig) -> None:
    spec = importlib.util.spec_from_file_location("snippet", SNIPPET)
    assert spec
    assert spec.loader
    snippet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(snippet)
    snippet.reward.register("gsm8k_by_rule", cfg)
    AdvantageEstimatorRegistry.repopulate_registry()
    assert cfg.trainer.algorithm.advantage_estimator in AdvantageEstimatorRegistry.list_available()
    env = skyrl_gym.make(cfg.environment.env_class, env_config={}, extras={"answer": "#### 72"})
    prompt, _ = env.init(messages("8 * 9?"))
    assert prompt == messages("8 * 9?")
    assert env.step("#### 72") == {
        "observations": [],
        "reward": 1.0,
        "done": True,
        "metadata": {"reason": "correct", "detail": ""},
    }


def test_skyrl_knows_the_estimator_only_once_it_is_registered(cfg: SkyRLTrainConfig) -> None:
    cfg.trainer.placement.colocate_all = False
    with pytest.raises(AssertionError, match="invalid advantage_estimator"):
        validate_cfg(cfg)
    skyrl_reward(grade).register("gsm8k_by_rule", cfg)
    validate_cfg(cfg)


@pytest.mark.parametrize("batched", [False, True])
def test_the_generator_scores_each_response(cfg: SkyRLTrainConfig, batched: bool) -> None:
    skyrl_reward(grade).register("gsm8k_by_rule", cfg)
    cfg.generator.batched = batched
    cfg.generator.use_conversation_multi_turn = not batched
    output = generate(cfg, ["#### 72", "#### 7", "72?", ""], {"answer": "#### 72"})
    totals = [float(np.sum(reward)) for reward in output["rewards"]]
    assert totals == [1.0, 0.0, totals[2], 0.0]
    assert output["rollout_metrics"]["environment/abstained"] == 0.0
    assert output["rollout_metrics"]["environment/score"] == pytest.approx(sum(totals) / 4)


def at_random(response: str, reference: str) -> Outcome:
    if response == "down":
        return Outcome(None, Reason.JUDGE_UNREACHABLE)
    return Outcome(float(response), Reason.SCORED)


async def awaited(response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    return at_random(response, reference)


@pytest.mark.parametrize("grader", [at_random, awaited])
def test_an_abstention_is_left_out_of_its_group(
    cfg: SkyRLTrainConfig, grader: Callable[..., Any]
) -> None:
    skyrl_reward(grader).register("gsm8k_by_rule", cfg)
    output = generate(cfg, ["1", "down", "0", "1"], {"answer": "72"})
    assert math.isnan(np.sum(output["rewards"][1]))
    assert output["rollout_metrics"]["environment/abstained"] == 0.25
    assert output["rollout_metrics"]["environment/score"] == pytest.approx(2 / 3)
    got = advantages(cfg, output)
    measured = torch.tensor([1.0, 0.0, 1.0])
    expected = (measured - measured.mean()) / (measured.std() + 1e-6)
    assert got[[0, 2, 3]].tolist() == pytest.approx(expected.tolist())
    assert got[1] == 0.0


def test_without_abstentions_the_advantages_are_skyrls_own(cfg: SkyRLTrainConfig) -> None:
    generator = torch.Generator().manual_seed(0)
    rewards = torch.zeros(12, 5)
    rewards[:, 3] = torch.rand(12, generator=generator)
    mask = (torch.rand(12, 5, generator=generator) > 0.3).float()
    index = np.array(["a"] * 4 + ["b"] * 7 + ["c"])
    skyrl_reward(grade).register("gsm8k_by_rule", cfg)
    estimator = AdvantageEstimatorRegistry.get(ESTIMATOR)
    for by_std in (True, False):
        got, _ = estimator(
            token_level_rewards=rewards.clone(),
            response_mask=mask,
            index=index,
            grpo_norm_by_std=by_std,
        )
        own, _ = compute_grpo_outcome_advantage(
            rewards.clone(), mask, index, grpo_norm_by_std=by_std
        )
        assert torch.allclose(got, own)


def test_with_skyrls_own_estimator_a_nan_takes_its_group_along() -> None:
    """Why `register` refuses it."""
    rewards = torch.tensor([[1.0], [math.nan], [0.0]])
    got, _ = compute_grpo_outcome_advantage(rewards, torch.ones(3, 1), np.array(["a"] * 3))
    assert got.isnan().all()


def test_an_error_of_the_grader_stops_the_rollout(cfg: SkyRLTrainConfig) -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    skyrl_reward(broken).register("gsm8k_by_rule", cfg)
    with pytest.raises(ZeroDivisionError):
        generate(cfg, ["1"], {"answer": "72"})


def test_another_estimator_is_refused() -> None:
    cfg = SkyRLTrainConfig.from_cli_overrides(["trainer.algorithm.advantage_estimator=grpo"])
    with pytest.raises(ValueError, match=ESTIMATOR):
        skyrl_reward(grade).register("gsm8k_by_rule", cfg)
