"""A grader as an evaluator of rLLM.

    evaluator = rllm_evaluator(grade, reference="ground_truth")
    evaluator.check(train_dataset)
    AgentTrainer(agent_flow=flow, evaluator=evaluator, ...)

    rllm.workflow.raise_on_error=false

Not run: rLLM is on no package index. Read at 04f924d6 (`rllm/trainer/unified_trainer.py`,
`rllm/engine/agentflow_engine.py`), where the engine calls `evaluate(task, episode)` in a thread and gives
the reward to each trajectory that has none yet. The columns are the task's `metadata`; older revisions pass
the row itself.

An abstention raises. The engine rolls out again, `rllm.workflow.retry_limit` times in all (3); then the
run stops, or with `raise_on_error=false` the episode is recorded as an error, without a trajectory, so that
nothing of it enters a group. An error of the grader does the same. `EvalOutput.error` is not used: what it
marks still has a reward, and is kept from the loss only if `rllm.compact_filtering` is switched on.

Standard library only; rLLM is imported when the first score is returned.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "RLLMEvaluator", "rllm_evaluator"]

ADAPTER = Adapter(
    framework="rLLM",
    version="04f924d6",
    hook="AgentTrainer(evaluator=...)",
    abstention="raises",
    becomes=Becomes.RETRIED,
    checked=Checked.SIGNATURE,
)


def rllm_evaluator(
    grade: Grade,
    reference: str = "answer",
    question: str = "question",
    correct_at: float = 1.0,
) -> "RLLMEvaluator":
    """Return the evaluator for a grader; one that is async runs in this process's loop for graders.

    Args:
        grade, reference, question: as `ColumnGrader`.
        correct_at: the score from which on an episode counts as correct in rLLM's metrics.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    return RLLMEvaluator(ColumnGrader(grade, reference, question), correct_at)


class RLLMEvaluator:
    """What `rllm_evaluator` returns."""

    def __init__(self, grader: ColumnGrader, correct_at: float) -> None:
        self.grader = grader
        self.correct_at = correct_at

    def check(self, rows: Iterable[Any]) -> None:
        """Check the tasks, or their rows, before training; see `ColumnGrader.check_rows`."""
        self.grader.check_rows(map(_row, rows))

    def evaluate(self, task: Any, episode: Any) -> Any:
        """Score an episode by the answer that its flow recorded.

        Args:
            task: rLLM's `Task`, or its row.
            episode: rLLM's `Episode`.

        Returns:
            An `EvalOutput` with the score as its reward, and as a signal in the grader's name.

        Raises:
            Abstained: nothing was measured.
            LookupError: a column is missing, or the flow recorded no answer.
        """
        score = self.grader(_answer(episode), _row(task)).require_score()
        from rllm.eval.types import EvalOutput, Signal

        return EvalOutput(
            reward=score,
            is_correct=score >= self.correct_at,
            signals=[Signal(name=self.grader.name, value=score)],
        )


def _row(task: Any) -> Mapping[str, Any]:
    row: Mapping[str, Any] = task if isinstance(task, Mapping) else task.metadata
    return row


def _answer(episode: Any) -> str:
    """The flow's `answer`; or else what its last trajectory, or last step, put out."""
    if "answer" in episode.artifacts:
        return _text(episode.artifacts["answer"])
    if not episode.trajectories:
        raise LookupError("the flow recorded no answer: return it as the artifact 'answer'")
    last = episode.trajectories[-1]
    if getattr(last, "output", None) is not None:
        return _text(last.output)
    if not last.steps:
        raise LookupError("the flow recorded no answer: return it as the artifact 'answer'")
    step = last.steps[-1]
    return _text(getattr(step, "output", None) or getattr(step, "model_response", None))


def _text(answer: Any) -> str:
    return "" if answer is None else str(answer)
