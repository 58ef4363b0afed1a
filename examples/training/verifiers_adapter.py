"""A grader as a reward of verifiers' v1 API.

    correct = verifiers_reward(grade)

    class MyTask(vf.Task[MyData]):  # MyData is a vf.TaskData with a field `answer`
        @vf.reward
        async def correct(self, trace: vf.Trace) -> float:
            return await correct(self.data, trace)

Checked with verifiers 0.4.0 (`verifiers/v1/task.py`, `rollout.py`), which awaits the rewards of a task
once its rollout has ended, with the task's typed data and the trace. A grader reads its columns from
the data's fields and, as the response, the trace's last reply; a synchronous one runs in a thread.

An abstention raises `Abstained`. verifiers records it as a `TaskError`: the trace is not `ok`, and its
reward of that name is `None`. By `RetryConfig`, off by default, it rolls out again. Whatever reads
traces has to ask for `ok` first: `trace.reward` sums what is there, so it says 0.0, and verifiers' own
prompt optimiser (GEPA) counts that. An error of the grader is recorded in the same way.

A deadline of verifiers' for scoring ends with `ok` and 0.0: so with one set, this reward raises
`ValueError`. Give the grader a deadline instead. And where a rollout was cut off by a deadline, the
reward abstains: how far the policy came was the clock's doing.

Standard library only; verifiers itself is not imported.
"""

from collections.abc import Iterable
from typing import Any

from ..shared.outcome import Abstained, Outcome, Reason
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "VerifiersReward", "verifiers_reward"]

ADAPTER = Adapter(
    framework="verifiers",
    version="0.4.0",
    hook="@vf.reward",
    abstention="raises Abstained",
    becomes=Becomes.RETRIED,
    checked=Checked.CALLED,
)


def verifiers_reward(
    grade: Grade, reference: str = "answer", question: str = "question"
) -> "VerifiersReward":
    """Return the reward for a grader.

    Args:
        grade: any grader; see `Grade`.
        reference, question: fields of the task's data; verifiers' `prompt` may be the question.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    return VerifiersReward(ColumnGrader(grade, reference, question))


class VerifiersReward:
    """What `verifiers_reward` returns."""

    def __init__(self, grader: ColumnGrader) -> None:
        self.grader = grader

    def check(self, rows: Iterable[Any]) -> None:
        """Check a data set's rows, or the `data` of tasks, before training starts.

        Raises:
            LookupError, TypeError: see `ColumnGrader.check_rows`.
        """
        self.grader.check_rows(map(dict, rows))

    async def __call__(self, data: Any, trace: Any) -> float:
        """Score one rollout.

        Args:
            data: the task's `TaskData`.
            trace: its `Trace`, once the rollout has ended.

        Raises:
            Abstained: nothing was measured.
            LookupError, TypeError: the data lacks a field, or it is of the wrong type.
            ValueError: verifiers has a deadline for scoring.
        """
        for timeout in (data.timeout, trace.agent.config.timeout):
            if timeout.scoring is not None:
                raise ValueError(
                    "timeout.scoring makes a late score 0.0: unset it, and give the grader a deadline"
                )
        if trace.is_timeout:
            raise Abstained(Outcome(None, Reason.TIMED_OUT, f"rollout: {trace.stop_condition}"))
        outcome = await self.grader.run(trace.last_reply, dict(data))
        return outcome.require_score()
