"""A grader as a reward of ms-swift's GRPO.

    orms["by_rule"] = ms_swift_reward(grade, reference="answer")  # orms: from swift.rewards

    swift rlhf --rlhf_type grpo --external_plugins plugin.py --reward_funcs by_rule --scale_rewards gdpo ...

Checked with ms-swift 4.6.0 (`swift/rl_core/grpo_algorithm.py`, `swift/rl_core/advantage.py`). Its trainer
calls `orms[name](args=...)` once, and what that returns with the batch as lists; a list of `float | None`
comes back. The calls of an async grader run together.

An abstention becomes `None`, and ms-swift makes of that NaN. Only `--scale_rewards gdpo` leaves NaN out
of a group's mean and deviation, with an advantage of 0; every other setting sums the rewards with
`nansum`, which turns a lone NaN into 0.0. So under any other setting the reward raises `Abstained` and
the run stops. GDPO with one reward is GRPO, its advantages divided once more by their deviation in the batch.

ms-swift's metric `reward` counts an abstention as 0 even so; `rewards/<name>/mean` leaves it out.

Standard library only; ms-swift itself is not imported.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..shared.outcome import Abstained, Outcome
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade, batch_rows

__all__ = ["ADAPTER", "AsyncMSSwiftReward", "MSSwiftReward", "ms_swift_reward"]

logger = logging.getLogger(__name__)

ADAPTER = Adapter(
    framework="ms-swift",
    version="4.6.0",
    hook="--external_plugins, --reward_funcs",
    abstention="None with --scale_rewards gdpo, or else raises",
    becomes=Becomes.LEFT_OUT,
    checked=Checked.TRAINED,
)

RESERVED = (
    "completions",
    "finish_reason",
    "is_truncated",
    "prompt_id",
    "request_id",
    "response_token_ids",
    "rollout_infos",
    "trainer_state",
    "trajectory_inputs",
)
"""Arguments of ms-swift's own, beside `messages`, which ends in the completion."""

_MADE_MESSAGES = frozenset(
    "query prompt input instruction question problem response answer output targets target "
    "answer_key answers text completion content system system_prompt".split()
)
"""ms-swift makes `messages` of these where a row has none; the reward may not see them."""


class _Reward:
    grader: ColumnGrader  # of the subclass that ms_swift_reward makes

    def __init__(self, args: Any = None, **_: Any) -> None:
        self.leaves_out = (
            getattr(args, "scale_rewards", None) == "gdpo"
            # These never come to the code that knows of GDPO.
            and getattr(args, "advantage_estimator", "grpo") == "grpo"
            and getattr(args, "multi_turn_scheduler", None) is None
        )
        if not self.leaves_out:
            logger.warning(
                "an abstention of %s will stop the run: --scale_rewards gdpo, "
                "--advantage_estimator grpo and a single turn would leave it out",
                self.grader.name,
            )

    @classmethod
    def check(cls, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set, as ms-swift is given it, before training starts.

        Raises:
            LookupError, TypeError, ValueError: as `ColumnGrader.check_rows`; or rows without
                `messages` whose column ms-swift would make messages of.
        """
        rows = list(rows)
        cls.grader.check_rows(rows, RESERVED)
        for number, row in enumerate(rows):
            if not {"messages", "conversation", "conversations"} & set(row):
                if lost := _MADE_MESSAGES & set(cls.grader.columns.values()) & set(row):
                    raise ValueError(
                        f"row {number}: without a column 'messages' ms-swift makes messages of "
                        f"{min(lost)!r}, and the reward may not see it: give it messages"
                    )

    def _scores(self, outcomes: Sequence[Outcome]) -> list[float | None]:
        for outcome in outcomes:
            if outcome.score is None and not self.leaves_out:
                raise Abstained(outcome)
        return [outcome.score for outcome in outcomes]


class MSSwiftReward(_Reward):
    """A synchronous grader's; ms-swift makes the instance."""

    def __call__(
        self,
        /,  # a data set may have a column named self
        completions: Sequence[str],
        **columns: Any,
    ) -> list[float | None]:
        """Score a batch.

        Args:
            completions: B strings.
            columns: the data set's and ms-swift's own, each a list of B.

        Returns:
            B scores, `None` for each abstention.

        Raises:
            Abstained: nothing was measured, and ms-swift's settings would make it 0.0.
        """
        rows = batch_rows(columns, len(completions))
        return self._scores(self.grader.grade_batch(completions, rows))


class AsyncMSSwiftReward(_Reward):
    """An async grader's: the whole batch is graded at once."""

    async def __call__(self, /, completions: Sequence[str], **columns: Any) -> list[float | None]:
        """As `MSSwiftReward`, awaited."""
        rows = batch_rows(columns, len(completions))
        return self._scores(await self.grader.run_batch(completions, rows))


def ms_swift_reward(
    grade: Grade, reference: str = "answer", question: str = "question"
) -> type[MSSwiftReward] | type[AsyncMSSwiftReward]:
    """Return the class to put in `orms`, of the kind that the grader is.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    grader = ColumnGrader(grade, reference, question)
    base = AsyncMSSwiftReward if grader.is_async else MSSwiftReward
    return type(grader.name, (base,), {"grader": grader})  # its name is that of the metrics
