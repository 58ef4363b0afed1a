"""A grader as a reward function of AReaL, as a workflow that awaits it, and as an agent.

    reward_fn = areal_reward_fn(grade, reference="answer")  # at the top of a module of your own
    reward_fn.check(train_dataset)
    trainer.train(
        workflow="areal.workflow.rlvr.RLVRWorkflow",
        workflow_kwargs=dict(reward_fn="my_module.reward_fn", gconfig=..., tokenizer=...),
    )

Checked with AReaL 1.0.4 (`areal/workflow/rlvr.py`, `areal/infra/workflow_executor.py`), which passes
objects by their import path, and one completion a call, its end token included.

An abstention raises `Abstained`. AReaL then drops the whole group of that prompt, counts it in
`rollout/rejected__count`, and rolls out another prompt until the batch is full: with a judge that
stays down, no step ends. Do not return None for one completion of a group instead, which AReaL
allows too: it cuts the batch into groups by `group_size` alone, so every later group is misread.

| | synchronous grader | async grader |
|---|---|---|
| AReaL's `RLVRWorkflow` | in worker processes; what raises is tried 4 times | refused |
| `AwaitingWorkflow`, here | in `AsyncRewardWrapper` of the deadlines chapter; once | awaited; once |
| `GradingAgent`, here | in a thread; once | awaited; once |

Mind the first: a grader that takes longer than 15 s scores 0 there, four tries later, and nothing
but a warning says so. AReaL's workflow has no option for it.

Standard library only; AReaL, and openai for the agent, are imported when they are used.
"""

import functools
import inspect
import pickle
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ..shared.outcome import Abstained
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = [
    "ADAPTER",
    "ArealReward",
    "AsyncArealReward",
    "GradingAgent",
    "areal_reward_fn",
]  # and AwaitingWorkflow, which imports AReaL

ADAPTER = Adapter(
    framework="AReaL",
    version="1.0.4",
    hook='workflow_kwargs={"reward_fn": ...}',
    abstention="raise Abstained",
    becomes=Becomes.DROPPED,
    checked=Checked.CALLED,
)

RESERVED = ("prompt", "completions", "prompt_ids", "completion_ids")
"""Arguments of AReaL's own."""

END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "</s>")
"""How the end of a turn reads, for Qwen and SmolLM, Llama, Gemma and Mistral."""


def areal_reward_fn(
    grade: Grade,
    reference: str = "answer",
    question: str = "question",
    end_tokens: tuple[str, ...] = END_TOKENS,
) -> "ArealReward | AsyncArealReward":
    """Return the reward function for a grader, of the kind that the grader is.

    Args:
        grade, reference, question: as `ColumnGrader`.
        end_tokens: one of these, at the end of the completion, is not part of the response.

    Raises:
        TypeError, ValueError: as `ColumnGrader`; `grade` is synchronous and cannot be sent to
            AReaL's worker processes.
    """
    grader = ColumnGrader(grade, reference, question)
    if grader.is_async:
        return AsyncArealReward(grader, end_tokens)
    try:
        pickle.dumps(grader)
    except Exception as error:
        raise TypeError(
            f"{grader.name} cannot be sent to AReaL's workers: {error}; "
            "define it with def at the top of a module"
        ) from error
    return ArealReward(grader, end_tokens)


class _Reward:
    reserved: tuple[str, ...] = RESERVED

    def __init__(self, grader: ColumnGrader, end_tokens: tuple[str, ...] = END_TOKENS) -> None:
        self.grader = grader
        self.end_tokens = end_tokens
        self.__name__ = grader.name

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`."""
        self.grader.check_rows(rows, self.reserved)

    def _response(self, completion: str) -> str:
        for token in self.end_tokens:
            if completion.endswith(token):
                return completion[: -len(token)]
        return completion


class ArealReward(_Reward):
    """What `areal_reward_fn` returns for a synchronous grader: for AReaL's own workflows."""

    reserved = (*RESERVED, "self")  # as AReaL's AsyncRewardWrapper names its first argument

    def __call__(
        self,
        /,  # a data set may have a column named self
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion.

        Args:
            prompt, prompt_ids, completion_ids: not looked at; the question is a column.
            completions: one completion, in spite of the plural.
            columns: the row of the data set.

        Raises:
            Abstained: no score was measured.
            LookupError, TypeError: as `ColumnGrader`.
        """
        return self.grader(self._response(completions), columns).require_score()


class AsyncArealReward(_Reward):
    """What `areal_reward_fn` returns for an async grader: for `AwaitingWorkflow`."""

    async def __call__(
        self,
        /,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """As `ArealReward`, awaited."""
        return (await self.grader.run(self._response(completions), columns)).require_score()


class GradingAgent:
    """An agent for AReaL's proxy: asks the policy once, and grades the reply.

        agent = GradingAgent(grade, reference="answer", temperature=1.0)  # in my_module
        trainer.train(workflow="my_module.agent")

    Whatever it raises, AReaL drops as it does a workflow's, without another try.

    Args:
        grade, reference, question: as `ColumnGrader`.
        options: for `chat.completions.create`.
    """

    def __init__(
        self,
        grade: Grade,
        reference: str = "answer",
        question: str = "question",
        **options: Any,
    ) -> None:
        self.grader = ColumnGrader(grade, reference, question)
        self.options = options

    def check(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`."""
        self.grader.check_rows(rows)

    async def run(self, data: Mapping[str, Any], **extra_kwargs: Any) -> float:
        """Return the score of one reply to `data["messages"]`.

        Args:
            data: the row of the data set.
            extra_kwargs: AReaL's `base_url`, `api_key` and `http_client`; in AReaL's mode
                "subproc" the environment has the first two.

        Raises:
            Abstained: no score was measured.
            LookupError, TypeError: as `ColumnGrader`.
        """
        from openai import AsyncOpenAI

        # Not in an `async with`: that would close the http_client, which all episodes share.
        policy = AsyncOpenAI(
            base_url=extra_kwargs.get("base_url"),
            api_key=extra_kwargs.get("api_key"),
            http_client=extra_kwargs.get("http_client"),
            max_retries=0,
        )
        reply = await policy.chat.completions.create(
            model="default", messages=data["messages"], **self.options
        )
        outcome = await self.grader.run(reply.choices[0].message.content or "", data)
        return outcome.require_score()


# --- A workflow that awaits ---------------------------------------------------------------------


@functools.cache
def _awaiting_workflow() -> Any:
    from areal.infra import workflow_context
    from areal.utils import stats_tracker
    from areal.utils.dynamic_import import import_from_string
    from areal.workflow.rlvr import RLVRWorkflow

    class AwaitingWorkflow(RLVRWorkflow):  # type: ignore[misc]
        """AReaL's `RLVRWorkflow` with a reward that is awaited where the rollout runs.

        The share of abstentions is in AReaL's statistics: `rollout/abstained`.

        Args:
            reward_fn: an async function of AReaL's signature, or its import path: what
                `areal_reward_fn` returns for an async grader, or any reward function in the
                `AsyncRewardWrapper` of the deadlines chapter.
            options: the other arguments of `RLVRWorkflow`.

        Raises:
            TypeError: `reward_fn` is not async.
        """

        def __init__(
            self, reward_fn: str | Callable[..., Awaitable[float]], *args: Any, **options: Any
        ) -> None:
            awaited = import_from_string(reward_fn) if isinstance(reward_fn, str) else reward_fn
            if not any(map(inspect.iscoroutinefunction, (awaited, type(awaited).__call__))):
                raise TypeError(
                    f"{awaited!r} is not async: give it to RLVRWorkflow, or put it in an "
                    "AsyncRewardWrapper of the deadlines chapter"
                )
            super().__init__(awaited, *args, **options)
            self.awaited: Callable[..., Awaitable[float]] = awaited
            self.async_reward_fn = self._count  # in place of AReaL's AsyncRewardWrapper

        async def _count(self, /, *args: Any, **columns: Any) -> float:
            statistics = stats_tracker.get(workflow_context.stat_scope())
            try:
                score: float = await self.awaited(*args, **columns)
            except Abstained:
                statistics.scalar(abstained=1)
                raise
            statistics.scalar(abstained=0)
            return score

    return AwaitingWorkflow


def __getattr__(name: str) -> Any:
    if name == "AwaitingWorkflow":
        return _awaiting_workflow()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
