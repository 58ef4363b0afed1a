"""A grader as an environment of SkyRL, and GRPO that leaves abstentions out.

    reward = skyrl_reward(grade, reference="answer")
    reward.check(rows)
    reward.register("by_rule", cfg)  # where BasePPOExp runs, and before validate_cfg

    environment.env_class=by_rule trainer.algorithm.advantage_estimator=grpo_without_abstentions

Checked with SkyRL 0.3.0 and skyrl-gym 0.4.0 (`skyrl/train/generators/skyrl_gym_generator.py`,
`skyrl/backends/skyrl_train/utils/ppo_utils.py`). The generator makes one environment for each response
and calls its synchronous `step(action)` in one of 32 threads. One response is one episode.

SkyRL has no word for an abstention, and its step must hold a float. So the reward is NaN, and the
advantage estimator that `register` adds leaves NaN out of its group's mean and deviation, with an
advantage of 0. SkyRL's own estimators would spread the NaN over the group: `register` refuses them.
`environment/abstained` is then the share of abstentions and `environment/score` the mean of the scores;
SkyRL's `reward/avg_raw_reward` is NaN in a batch that has one.

An error of the grader stops the run. Needs skyrl, skyrl-gym and torch, imported when used.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "ESTIMATOR", "SkyRLReward", "grpo_without_abstentions", "skyrl_reward"]

ADAPTER = Adapter(
    framework="SkyRL",
    version="0.3.0",
    hook="environment.env_class, trainer.algorithm.advantage_estimator",
    abstention="reward NaN",
    becomes=Becomes.LEFT_OUT,
    checked=Checked.CALLED,
)

ESTIMATOR = "grpo_without_abstentions"

RESERVED = ("max_turns",)
"""SkyRL adds it to the columns, and passes no column named prompt or env_class on."""

_NEVER_PASSED = ("prompt", "env_class")


def skyrl_reward(
    grade: Grade, reference: str = "answer", question: str = "question"
) -> "SkyRLReward":
    """Return the reward for a grader; one that is async runs in this process's loop for graders.

    `reference` and `question` are columns, or keys of SkyRL's own column `reward_spec`.

    Raises:
        TypeError, ValueError: as `ColumnGrader`; or a column that SkyRL does not pass on.
    """
    return SkyRLReward(ColumnGrader(grade, reference, question))


class SkyRLReward:
    """What `skyrl_reward` returns."""

    def __init__(self, grader: ColumnGrader) -> None:
        for column in grader.columns.values():
            if column in _NEVER_PASSED:
                raise ValueError(f"SkyRL passes no column named {column!r} on: copy it to another")
        self.grader = grader

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`."""
        self.grader.check_rows(map(_columns, rows), RESERVED)

    def register(self, env_class: str, cfg: Any) -> None:
        """Add the environment and the estimator to SkyRL's registries, in this process.

        Args:
            env_class: the name for `environment.env_class`.
            cfg: the run's `SkyRLTrainConfig`.

        Raises:
            ValueError: a setting of the run would train on abstentions.
            skyrl_gym.error.RegistrationError: the name is taken.
        """
        from skyrl.backends.skyrl_train.utils.ppo_utils import AdvantageEstimatorRegistry
        from skyrl_gym.envs import register

        algorithm = cfg.trainer.algorithm
        if algorithm.advantage_estimator != ESTIMATOR:
            raise ValueError(
                f"trainer.algorithm.advantage_estimator={algorithm.advantage_estimator} would "
                f"spread the NaN of an abstention over its group: set it to {ESTIMATOR}"
            )
        if algorithm.advantage_batch_normalize:
            raise ValueError(
                "trainer.algorithm.advantage_batch_normalize=true would give an abstention an "
                "advantage: set it to false"
            )
        if ESTIMATOR not in AdvantageEstimatorRegistry.list_available():
            AdvantageEstimatorRegistry.register(ESTIMATOR, grpo_without_abstentions)
        register(env_class, entry_point=self.environment())

    def environment(self) -> Any:
        """Return the environment's class, a `BaseTextEnv`."""
        from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

        grader = self.grader

        class GraderEnv(BaseTextEnv):  # type: ignore[misc]
            def __init__(self, env_config: Any = None, extras: Mapping[str, Any] = {}) -> None:
                super().__init__()
                self.row = _columns(extras)
                self.metrics: dict[str, float] = {}

            def step(self, action: str) -> Any:
                outcome = grader(action, self.row)
                score = outcome.score
                self.metrics = {"abstained": float(score is None)}
                if score is not None:
                    self.metrics["score"] = score
                return BaseTextEnvStepOutput(
                    observations=[],
                    reward=math.nan if score is None else score,
                    done=True,
                    metadata={"reason": outcome.reason.value, "detail": outcome.detail},
                )

            def get_metrics(self) -> dict[str, float]:
                return self.metrics

        return GraderEnv


def grpo_without_abstentions(
    token_level_rewards: Any,
    response_mask: Any,
    index: Sequence[Any],
    epsilon: float = 1e-6,
    grpo_norm_by_std: bool = True,
    **_: Any,
) -> tuple[Any, Any]:
    """GRPO's advantages among the responses that have a score; an abstention's are 0.

    SkyRL's `grpo` wherever nothing abstained. A response that is left alone in its group has an
    advantage of 0: there is nothing to compare it with.

    Args:
        token_level_rewards: `[B, T]`, NaN at a token of each response that has no score.
        response_mask: `[B, T]`.
        index: B names of prompts; equal names are a group.
        epsilon: added to the deviation.
        grpo_norm_by_std: divide by the deviation.

    Returns:
        Advantages and returns, the same tensor `[B, T]`.
    """
    import torch

    scores = token_level_rewards.sum(dim=-1)
    advantages = torch.zeros_like(scores)
    groups: dict[Any, list[int]] = {}
    for number, name in enumerate(index):
        groups.setdefault(name, []).append(number)
    for members in groups.values():
        measured = [number for number in members if not scores[number].isnan()]
        values = scores[measured]
        if len(measured) > 1:
            values = values - values.mean()
            if grpo_norm_by_std:
                values = values / (scores[measured].std() + epsilon)
        elif len(members) > 1:
            values = torch.zeros_like(values)
        advantages[measured] = values
    advantages = advantages.unsqueeze(-1) * response_mask
    return advantages, advantages


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row, with what is in SkyRL's column `reward_spec` beside the others."""
    inner = row.get("reward_spec")
    if not isinstance(inner, Mapping):
        return dict(row)
    if both := sorted(set(row) & set(inner)):
        raise ValueError(f"{both[0]!r} is a column and in reward_spec too: rename one of them")
    return {**row, **inner}
