"""A grader as a reward function of OpenRLHF.

    reward_func = openrlhf_reward(grade, reference="answer")  # in reward.py; the name is OpenRLHF's
    reward_func.check(train_dataset)

    train_ppo_ray --reward.remote_url reward.py --data.label_key answer \\
        --algo.dynamic_filtering_enable --rollout.n_samples_per_prompt 8 ...

Checked with OpenRLHF 0.11.2 (`SingleTurnAgentExecutor`; `openrlhf/utils/agent.py`). It calls the
function with lists of one, from a thread for each response: `queries` holds the prompt and the
response, `prompts` the prompt, `labels` one column. A grader that needs one column is given the
label; one that needs more needs a label that is a dict of them. `serve_openrlhf.py` serves the same
over HTTP.

An abstention becomes a score of NaN and no reward. With `--algo.dynamic_filtering_enable`, OpenRLHF
drops the group, whose mean no range holds, and rolls out another prompt; without it, or in an
evaluation, the run stops at a reward that is None. A NaN as reward would make the whole group NaN,
and then the weights. The default range, (0, 1), also drops groups that are all right or all wrong; for
scores without bounds, set `--algo.dynamic_filtering_range -1000000 1000000`.

OpenRLHF logs an exception of the function as INFO and goes on, until it misses the reward and blames
a reward model. So the adapter logs it as an error first.

Standard library only; OpenRLHF itself is not imported.
"""

import logging
import math
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..shared.outcome import Outcome
from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "ENDINGS", "OpenRLHFReward", "openrlhf_reward"]

logger = logging.getLogger(__name__)

ADAPTER = Adapter(
    framework="OpenRLHF",
    version="0.11.2",
    hook="--reward.remote_url reward.py --algo.dynamic_filtering_enable",
    abstention="rewards None, scores NaN",
    becomes=Becomes.DROPPED,
    checked=Checked.CALLED,
)

ENDINGS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end▁of▁sentence|>",
    "<|end|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
)
"""Tokens that end a turn. OpenRLHF decodes them into the query; they are no part of the response."""


def openrlhf_reward(
    grade: Grade,
    reference: str = "answer",
    question: str = "question",
    endings: Sequence[str] = ENDINGS,
) -> "OpenRLHFReward":
    """Return the reward function for a grader, synchronous or async.

    Args:
        grade: see `ColumnGrader`, as `reference` and `question`, which name parts of the label.
        endings: what the policy's tokenizer writes at the end of a turn.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    return OpenRLHFReward(ColumnGrader(grade, reference, question), endings)


class OpenRLHFReward:
    """What `openrlhf_reward` returns."""

    def __init__(self, grader: ColumnGrader, endings: Sequence[str] = ENDINGS) -> None:
        self.grader = grader
        self.__name__ = grader.name
        self._endings = tuple(endings)
        self._counting = threading.Lock()
        self._graded = self._abstained = 0

    def __call__(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Score one response.

        Args:
            queries: the prompt and the response, decoded with special tokens.
            prompts: the prompt, in the policy's template.
            labels: the column that `--data.label_key` names.

        Returns:
            `rewards`, a float or None; `scores`, which filters see, a float or NaN; `extra_logs`,
            with the share of abstentions among what this process has graded.

        Raises:
            LookupError: the label is empty or lacks a column.
            TypeError: the label or a column of it is of the wrong type.
            ValueError: there is more than one response, or the prompt is not where it should be.
        """
        try:
            return self._result(self.grader(*self._arguments(queries, prompts, labels)))
        except Exception:
            logger.exception(
                "%s failed. OpenRLHF hides that: it will stop with another message", self.__name__
            )
            raise

    async def run(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[str, Any]:
        """The same, awaited, and without a log of errors: for `serve_openrlhf`."""
        return self._result(await self.grader.run(*self._arguments(queries, prompts, labels)))

    def check(self, rows: Iterable[Mapping[str, Any]], label_key: str | None = None) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`.

        Args:
            rows: the data set.
            label_key: as for `--data.label_key`; by default the reference's column.
        """
        key = label_key or next(iter(self.grader.needed or self.grader.columns.values()), None)
        is_needed = bool(label_key or self.grader.needed)
        self.grader.check_rows(self._labels(rows, key, is_needed))

    def _labels(
        self, rows: Iterable[Mapping[str, Any]], key: str | None, is_needed: bool
    ) -> Iterator[Mapping[str, Any]]:
        for number, row in enumerate(rows):
            if is_needed and key not in row:
                raise LookupError(
                    f"row {number}: no column {key!r} (columns: {', '.join(map(str, row))}): "
                    "name the label's in label_key= and --data.label_key"
                )
            try:
                yield self._row(row.get(key, "") if key is not None else "")
            except (LookupError, TypeError) as error:
                raise type(error)(f"row {number}: {error}") from None

    def _arguments(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> tuple[str, Mapping[str, Any]]:
        if not len(queries) == len(prompts) == len(labels) == 1:
            # A list of rewards with a None in it would stop OpenRLHF where it could still filter.
            raise ValueError(
                f"one response a call, not {len(queries)} queries, {len(prompts)} prompts and "
                f"{len(labels)} labels"
            )
        return _response(queries[0], prompts[0], self._endings), self._row(labels[0])

    def _row(self, label: Any) -> Mapping[str, Any]:
        if isinstance(label, Mapping):
            return label
        needed = self.grader.needed
        if label == "":
            if needed:
                raise LookupError("the label is empty, as OpenRLHF's are without --data.label_key")
            return {}
        if len(needed) > 1:
            raise TypeError(
                f"{self.grader.name} reads {' and '.join(needed)}: the label must be a dict of "
                f"them, not {type(label).__name__}"
            )
        columns = needed or list(self.grader.columns.values())
        return {columns[0]: label} if columns else {}

    def _result(self, outcome: Outcome) -> dict[str, Any]:
        with self._counting:
            self._graded += 1
            self._abstained += outcome.score is None
            share = self._abstained / self._graded
        return {
            "rewards": outcome.score,
            "scores": math.nan if outcome.score is None else outcome.score,
            "extra_logs": {"abstained": share},  # the same keys always: OpenRLHF stacks them
        }


def _response(query: str, prompt: str, endings: tuple[str, ...]) -> str:
    """Cut the prompt off the front of the query, and the end of the turn off its back."""
    # The tokenizers of some models, as Qwen's, normalise what they encode.
    for prefix in (prompt, unicodedata.normalize("NFC", prompt)):
        if query.startswith(prefix):
            response = query[len(prefix) :]
            break
    else:
        raise ValueError(
            "the query does not begin with its prompt, so the response cannot be cut out: the "
            "prompt was truncated (raise --data.max_len), has images, or comes back changed from "
            "the tokenizer"
        )
    while ending := next((end for end in endings if end and response.endswith(end)), ""):
        response = response[: -len(ending)]
    return response
