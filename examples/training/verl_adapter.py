"""A grader as the `compute_score` of verl, and the reward manager that knows its abstentions.

    reward = verl_reward(grade)
    reward.check(load_dataset("parquet", data_files="train.parquet")["train"])
    compute_score = reward.compute_score  # reward.custom_reward_function.path names this file,
    AbstainingManager = abstaining_manager()  # and so does reward.reward_manager.module.path

Checked with verl 0.9.1 (`verl/experimental/reward_loop`, `verl/trainer/ppo/v1`), which calls
`compute_score(data_source, solution_str, ground_truth, extra_info)` once a response: a plain one in
a thread, an `async def` in the worker's loop. A grader reads its columns from `extra_info`, and
`ground_truth` is one more.

verl has no value for "no score", and its `rate_limited` manager turns errors and time-outs into 0.0.
So an abstention, or an error, becomes NaN here, which no manager hides: its group and the loss turn
NaN, and the FSDP engine skips the step. `abstaining_manager` raises for it, and verl's trainer leaves
that response out: the others of its group are compared among themselves, and the metrics are of what
was scored. Know three things. Where one response of a group is left, verl takes its bare score as the
advantage. A batch without any score stops the run. The asynchronous trainers replace the whole group.

Standard library, and verl in `abstaining_manager` alone.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..shared.outcome import Outcome
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "AsyncVerlReward", "VerlReward", "abstaining_manager", "verl_reward"]

ADAPTER = Adapter(
    framework="verl",
    version="0.9.1",
    hook="reward.custom_reward_function, reward.reward_manager",
    abstention="NaN, for which the manager raises",
    becomes=Becomes.LEFT_OUT,
    checked=Checked.CALLED,
)

RESERVED = (
    "num_turns",
    "rollout_reward_scores",
    "turn_scores",
    "tool_rewards",
    "min_global_steps",
    "max_global_steps",
    "extras",
)
"""What verl writes into `extra_info` itself, over a column of that name."""

logger = logging.getLogger(__name__)


def verl_reward(
    grade: Grade, reference: str = "ground_truth", question: str = "question"
) -> "VerlReward | AsyncVerlReward":
    """Return the reward for a grader, of the kind that the grader is.

    Args:
        grade: any grader; see `Grade`.
        reference, question: keys of `extra_info`; `ground_truth` is that of `reward_model`.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    grader = ColumnGrader(grade, reference, question)
    return AsyncVerlReward(grader) if grader.is_async else VerlReward(grader)


class _Reward:
    def __init__(self, grader: ColumnGrader) -> None:
        self.grader = grader

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set in verl's form before training starts.

        Raises:
            LookupError: there is no row, or a row lacks `data_source`, `reward_model`'s
                `ground_truth` or a column of the grader.
            TypeError: a column is of the wrong type.
            ValueError: `extra_info` holds a key that verl or this module writes.
        """
        self.grader.check_rows(_rows(rows), RESERVED)


class VerlReward(_Reward):
    """What `verl_reward` returns for a synchronous grader."""

    def compute_score(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Score one response.

        Args:
            data_source: not looked at.
            solution_str: the response, decoded.
            ground_truth: `reward_model.ground_truth` of the row.
            extra_info: the row's other columns.
            **kwargs: address and tokenizer of verl's own judge, not used.

        Returns:
            `score`, NaN for an abstention, and `reason`. No `acc`: verl's validation
            counts a response without a score as `acc` 0.
        """
        try:
            outcome = self.grader(solution_str, _row(ground_truth, extra_info))
        except Exception:  # under the manager rate_limited it would be a 0.0
            return _failed(self.grader.name)
        return _result(outcome)


class AsyncVerlReward(_Reward):
    """What `verl_reward` returns for an async grader."""

    async def compute_score(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """As `VerlReward.compute_score`, awaited."""
        try:
            outcome = await self.grader.run(solution_str, _row(ground_truth, extra_info))
        except Exception:
            return _failed(self.grader.name)
        return _result(outcome)


def abstaining_manager(base: str = "naive") -> type[Any]:
    """Return verl's reward manager of the name `base`, made to raise where there is no score.

    Args:
        base: "naive"; "rate_limited" for its limits, time-outs then raise; or another.

    Raises:
        ValueError: verl has no manager of that name.
    """
    from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls

    class AbstainingManager(get_reward_manager_cls(base)):  # type: ignore[misc]
        async def run_single(self, data: Any) -> dict[str, Any]:
            result: dict[str, Any] = await super().run_single(data)
            info = result["reward_extra_info"]
            if math.isnan(result["reward_score"]) or "timeout" in info or "error" in info:
                raise RuntimeError(f"no score: {info.get('reason') or info}")
            return result

    return AbstainingManager


def _row(ground_truth: Any, extra_info: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**(extra_info or {}), "ground_truth": ground_truth}


def _rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        for column in ("data_source", "reward_model"):
            if column not in row:
                raise LookupError(f"row {number}: verl needs a column {column!r}")
        reward_model = row["reward_model"]
        if not isinstance(reward_model, Mapping) or "ground_truth" not in reward_model:
            raise LookupError(f"row {number}: verl needs reward_model to hold a ground_truth")
        extra_info = row.get("extra_info") or {}
        if "ground_truth" in extra_info:
            raise ValueError(f"row {number}: extra_info holds a second ground_truth: rename it")
        yield _row(reward_model["ground_truth"], extra_info)


def _result(outcome: Outcome) -> dict[str, Any]:
    score = math.nan if outcome.score is None else outcome.score
    return {"score": score, "reason": outcome.reason.value}


def _failed(name: str) -> dict[str, Any]:
    logger.exception("%s failed: no score", name)
    return {"score": math.nan, "reason": "error"}
