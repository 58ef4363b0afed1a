"""A grader as an environment of NeMo-RL.

    reward = nemo_rl_reward(grade, reference="ground_truth")  # in my_rewards.py
    MyEnvironment = reward.environment()

    register_env("my_env", "my_rewards.MyEnvironment")  # and `env: {my_env: {drop_groups: false}}`

Not run: `nemo-rl` on PyPI is a placeholder, and the real one needs GPUs. Read at 0b8a793a
(`nemo_rl/environments/interfaces.py`): a Ray actor whose `step(message_log_batch, metadata)` takes B
conversations and the `extra_env_info` of B rows, and returns an `EnvironmentReturn`. Every episode
ends after one response. NeMo-RL also has to be told which Python runs the actor, in
`ACTOR_ENVIRONMENT_REGISTRY`.

Rewards are a tensor, so there is no None, and no mask that an environment can set: an abstention
raises `Abstained`, and the run stops. With `drop_groups: true` it becomes NaN. Where
`grpo.use_dynamic_sampling` is on in synchronous GRPO (`nemo_rl/algorithms/grpo.py` at 002cdc27), the
deviation of a group with a NaN counts as 0 and the whole group is dropped. That is what the source
does, not what its authors promise: without dynamic sampling, a NaN ruins the weights.

Standard library only; nemo-rl, ray and torch (`nemo_rl`) are imported by `environment()`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..shared.outcome import Outcome
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "NeMoRLReward", "nemo_rl_reward"]

ADAPTER = Adapter(
    framework="NeMo-RL",
    version="0b8a793a",
    hook="register_env(name, actor_class_fqn)",
    abstention="raise Abstained",
    becomes=Becomes.STOPS,
    checked=Checked.SIGNATURE,
)

Message = Mapping[str, Any]


def nemo_rl_reward(
    grade: Grade, reference: str = "ground_truth", question: str = "question"
) -> "NeMoRLReward":
    """Return what makes the environment for a grader, synchronous or async.

    Args:
        grade: see `ColumnGrader`.
        reference, question: keys of a row's `extra_env_info`.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    return NeMoRLReward(ColumnGrader(grade, reference, question))


class NeMoRLReward:
    """What `nemo_rl_reward` returns."""

    def __init__(self, grader: ColumnGrader) -> None:
        self.grader = grader

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`.

        Args:
            rows: the `extra_env_info` of each row.
        """
        self.grader.check_rows(rows)

    def grade(
        self, message_log_batch: Sequence[Sequence[Message]], metadata: Sequence[Mapping[str, Any]]
    ) -> list[Outcome]:
        """Grade a batch: an async grader all at once, a synchronous one in turn.

        Args:
            message_log_batch: B conversations; the last message of the assistant is graded.
            metadata: B dicts.

        Raises:
            LookupError: no message is the assistant's, or a column is missing.
            TypeError: a column is of the wrong type.
        """
        return self.grader.grade_batch(list(map(_response, message_log_batch)), metadata)

    def environment(self) -> Any:
        """Return the class of the environment, a Ray actor's, made with `(cfg)`.

        `cfg` is the environment's part of the configuration: `drop_groups`, False by default.
        """
        import ray
        import torch
        from nemo_rl.environments.interfaces import EnvironmentInterface, EnvironmentReturn

        reward = self

        class GraderEnvironment(EnvironmentInterface):  # type: ignore[misc]
            def __init__(self, cfg: Mapping[str, Any]) -> None:
                self.drop_groups = cfg.get("drop_groups", False)
                self.graded = self.abstained = 0

            def step(self, message_log_batch: Any, metadata: Any) -> Any:
                outcomes = reward.grade(message_log_batch, metadata)
                size = len(outcomes)
                self.graded += size
                self.abstained += sum(outcome.score is None for outcome in outcomes)
                return EnvironmentReturn(
                    observations=[
                        {"role": "environment", "content": f"Environment: {outcome.reason}"}
                        for outcome in outcomes
                    ],
                    metadata=metadata,
                    next_stop_strings=[None] * size,
                    rewards=torch.tensor([_score(each, self.drop_groups) for each in outcomes]),
                    terminateds=torch.ones(size),
                    answers=None,
                )

            def global_post_process_and_metrics(self, batch: Any) -> Any:
                return batch, {"abstained": self.abstained / max(self.graded, 1)}

            def shutdown(self) -> None:
                pass

        return ray.remote(GraderEnvironment)


def _response(conversation: Sequence[Message]) -> str:
    for message in reversed(conversation):
        if message["role"] == "assistant":
            text: str = message["content"]
            return text
    raise LookupError("the conversation has no message of the assistant")


def _score(outcome: Outcome, drop_groups: bool) -> float:
    if outcome.score is None and drop_groups:
        return math.nan
    return outcome.require_score()
