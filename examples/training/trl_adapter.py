"""A grader as a reward function of TRL.

    reward = trl_reward(grade, reference="answer")
    reward.check(train_dataset)
    trainer = GRPOTrainer(model, reward_funcs=reward, train_dataset=train_dataset, ...)

Checked with TRL 1.16.0 (`GRPOTrainer`; `trl/trainer/grpo_trainer.py`), whose `RewardFunc` takes the
batch as lists and returns `list[float | None]`. A synchronous grader becomes a plain function, called
in turn with others; an async one becomes an `async def`, whose calls run together.

An abstention becomes `None`. Where the only reward function says `None`, TRL takes the completion out
of its group's mean and deviation, and its advantage is 0. Beside a second reward function that does
score, `None` counts as 0 in the sum: so combine graders first, with `combine.py`.

Standard library only; TRL itself is not imported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..shared.outcome import Outcome
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade, batch_rows

__all__ = ["ADAPTER", "AsyncTRLReward", "TRLReward", "trl_reward"]

ADAPTER = Adapter(
    framework="TRL",
    version="1.16.0",
    hook="GRPOTrainer(reward_funcs=...)",
    abstention="None",
    becomes=Becomes.LEFT_OUT,
    checked=Checked.TRAINED,
)

RESERVED = ("completions", "prompts", "trainer_state", "log_extra", "log_metric", "environments")
"""Arguments of TRL's own."""

_NEVER_PASSED = ("completion", "completion_ids", "prompt")


def trl_reward(
    grade: Grade, reference: str = "answer", question: str = "question", name: str | None = None
) -> "TRLReward | AsyncTRLReward":
    """Return the reward function for a grader, of the kind that the grader is.

    Args:
        grade, reference, question: as `ColumnGrader`.
        name: in TRL's metrics, by default the grader's; two reward functions need two names.

    Raises:
        TypeError, ValueError: as `ColumnGrader`; `reference` or `question` is a column that TRL
            does not pass on.
    """
    grader = ColumnGrader(grade, reference, question)
    kind = AsyncTRLReward if grader.is_async else TRLReward
    return kind(grader, name or grader.name)


class _Reward:
    def __init__(self, grader: ColumnGrader, name: str) -> None:
        for column in grader.columns.values():
            if column in _NEVER_PASSED:
                raise ValueError(f"TRL passes no column named {column!r} on: copy it to another")
        self.grader = grader
        self.__name__ = name  # TRL reads it for its metrics

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`."""
        self.grader.check_rows(rows, RESERVED)


class TRLReward(_Reward):
    """What `trl_reward` returns for a synchronous grader."""

    def __call__(
        self,
        /,  # a data set may have a column named self
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Score a batch.

        Args:
            prompts: not looked at; the question is a column.
            completions: B strings, or B lists of messages.
            log_extra: takes a column of TRL's table of completions.
            log_metric: takes a number for TRL's log.
            columns: the data set's, each a list of B.

        Returns:
            B scores, `None` for each abstention.
        """
        texts = list(map(_text, completions))
        outcomes = self.grader.grade_batch(texts, batch_rows(columns, len(texts)))
        return _scores(self.__name__, outcomes, log_extra, log_metric)


class AsyncTRLReward(_Reward):
    """What `trl_reward` returns for an async grader: the whole batch is graded at once."""

    async def __call__(
        self,
        /,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """As `TRLReward`, awaited."""
        texts = list(map(_text, completions))
        outcomes = await self.grader.run_batch(texts, batch_rows(columns, len(texts)))
        return _scores(self.__name__, outcomes, log_extra, log_metric)


def _text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """What the policy said last: no tool's message, and "" where it said nothing."""
    if isinstance(completion, str):
        return completion
    said = [message for message in completion if message["role"] == "assistant"]
    content = said[-1].get("content") if said else None
    if isinstance(content, list):  # of parts, where the policy reads images
        return "".join(part.get("text") or "" for part in content)
    return content or ""


def _scores(
    name: str,
    outcomes: Sequence[Outcome],
    log_extra: Callable[[str, list[Any]], None] | None,
    log_metric: Callable[[str, float], None] | None,
) -> list[float | None]:
    if log_extra:
        log_extra(f"{name}_reason", [outcome.reason.value for outcome in outcomes])
    if log_metric and outcomes:
        abstained = sum(outcome.score is None for outcome in outcomes)
        log_metric(f"abstained/{name}", abstained / len(outcomes))
    return [outcome.score for outcome in outcomes]
