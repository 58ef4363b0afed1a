"""A grader as a reward function of slime.

    reward = slime_reward(grade)  # in rewards.py, which slime's workers import
    keep_group = keep_measured()

    --custom-rm-path rewards.reward --dynamic-sampling-filter-path rewards.keep_group --label-key answer

Not run: slime is on no package index and needs GPUs. Read at 0b420f1e (`slime/rollout/rm_hub`), where
it awaits `reward(args, sample)`, or with `--group-rm` `reward(args, samples)`, and puts the result into
`sample.reward`. The grader's reference is `sample.label`, its question a key of `sample.metadata`.

An abstention becomes a reward of None. `keep_measured` drops its whole group, slime rolls out another
prompt, and counts it as `rollout/dynamic_filter/drop_abstained`. Without that filter, in an evaluation,
and where `--partial-rollout` takes an unfinished group up again, the run stops at None. A NaN would
go on, and make its whole group NaN. `sample.remove_sample` masks the loss only: the reward stays in
the mean and deviation of its group. An exception of the grader stops the run.

Standard library only; slime is imported where a group is dropped.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .adapters import Adapter, Becomes, Checked
from .column_grader import ColumnGrader, Grade

__all__ = ["ADAPTER", "SlimeReward", "keep_measured", "slime_reward"]

ADAPTER = Adapter(
    framework="slime",
    version="0b420f1e",
    hook="--custom-rm-path, --dynamic-sampling-filter-path",
    abstention="sample.reward = None",
    becomes=Becomes.DROPPED,
    checked=Checked.SIGNATURE,
)

_LABEL = "label"


def slime_reward(grade: Grade, question: str = "question") -> "SlimeReward":
    """Return the reward function for a grader, synchronous or async.

    Args:
        grade: see `ColumnGrader`; its reference is the sample's label.
        question: the key of the sample's metadata that holds the question.

    Raises:
        TypeError, ValueError: as `ColumnGrader`.
    """
    return SlimeReward(ColumnGrader(grade, _LABEL, question))


class SlimeReward:
    """What `slime_reward` returns."""

    def __init__(self, grader: ColumnGrader) -> None:
        self.grader = grader
        self.__name__ = grader.name

    async def __call__(self, args: Any, sample: Any, **kwargs: Any) -> Any:
        """Score one sample, or with `--group-rm` each of a list of them at once.

        Args:
            args: slime's options; not looked at.
            sample: a `Sample`, or a list of B.

        Returns:
            The score, None for an abstention; of a list, a list of B.

        Raises:
            LookupError: the sample has no label, or its metadata lack the question.
            TypeError: one of them is of the wrong type.
        """
        if isinstance(sample, list):
            return list(await asyncio.gather(*(self._score(each) for each in sample)))
        return await self._score(sample)

    def check(
        self,
        rows: Iterable[Mapping[str, Any]],
        label_key: str = "label",
        metadata_key: str = "metadata",
    ) -> None:
        """Check a data set before training starts; see `ColumnGrader.check_rows`.

        Args:
            rows: the data set.
            label_key, metadata_key: as for slime's options `--label-key` and `--metadata-key`.
        """

        def samples() -> Iterator[dict[str, Any]]:
            for number, row in enumerate(rows):
                try:
                    yield self._row(row.get(label_key), row.get(metadata_key))
                except (LookupError, TypeError, ValueError) as error:
                    raise type(error)(f"row {number}: {error}") from None

        self.grader.check_rows(samples())

    async def _score(self, sample: Any) -> float | None:
        row = self._row(sample.label, sample.metadata)
        return (await self.grader.run(sample.response, row)).score

    def _row(self, label: Any, metadata: Any) -> dict[str, Any]:
        if label is None and _LABEL in self.grader.needed:
            raise LookupError("the sample has no label: is --label-key set?")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise TypeError(f"the metadata must be a dict, not {type(metadata).__name__}")
        if metadata and _LABEL in metadata:
            raise ValueError("the metadata have a key 'label', as the sample has: rename it")
        return {**({} if label is None else {_LABEL: label}), **(metadata or {})}


def keep_measured(then: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a dynamic sampling filter that drops groups with an abstention.

    Args:
        then: a filter for the other groups, such as slime's `check_reward_nonzero_std`.
    """

    def keep_group(args: Any, samples: Sequence[Any], **kwargs: Any) -> Any:
        parts = [part for s in samples for part in (s if isinstance(s, list) else [s])]
        if any(part.reward is None for part in parts):
            # A bare False would drop the group too, but slime counts by reason.
            from slime.rollout.filter_hub.base_types import DynamicFilterOutput

            return DynamicFilterOutput(keep=False, reason="abstained")
        return True if then is None else then(args, samples, **kwargs)

    return keep_group
