"""Does a judge agree with people? A confusion matrix, accuracy and Cohen's kappa.

    >>> found = agreement([True, True, False, False], [1.0, 0.0, 0.0, None])
    >>> found.abstained, round(found.accuracy, 2), round(found.kappa, 2)
    (1, 0.67, 0.4)

Accuracy alone flatters: where three answers in four are right, a judge that says "correct" to all
is right in 75%. Kappa subtracts what two blind judges with the same habits would agree on: 0 is
chance, 1 is full agreement.

Standard library only. Source: Cohen 1960, "A coefficient of agreement for nominal scales".
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """Counts of answers, by what people said and what the judge said.

    A false positive is a wrong answer that the judge accepted. Abstentions are in no other count.
    """

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    abstained: int

    @property
    def judged(self) -> int:
        return (
            self.true_positives + self.false_positives + self.true_negatives + self.false_negatives
        )

    @property
    def accuracy(self) -> float:
        """Share of the judged answers on which judge and people agree; NaN where there are none."""
        return _share(self.true_positives + self.true_negatives, self.judged)

    @property
    def precision(self) -> float:
        """Share of the accepted answers that are right; NaN where there are none."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the right answers that are accepted; NaN where there are none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def kappa(self) -> float:
        """Agreement beyond chance, from -1 to 1; 0 for a judge that always says the same."""
        right = _share(self.true_positives + self.false_negatives, self.judged)
        accepted = _share(self.true_positives + self.false_positives, self.judged)
        chance = right * accepted + (1 - right) * (1 - accepted)
        return 0.0 if chance == 1 else (self.accuracy - chance) / (1 - chance)


def agreement(labels: Sequence[bool], scores: Sequence[float | None]) -> Agreement:
    """Compare people's labels with a judge's scores; `None` is an abstention.

    Raises:
        ValueError: the lengths differ, or a score is neither 0.0, 1.0 nor None.
    """
    if strange := {score for score in scores if score not in (0.0, 1.0, None)}:
        raise ValueError(f"a verdict is 0.0, 1.0 or None, not {strange.pop()!r}")
    pairs = list(zip(labels, scores, strict=True))
    return Agreement(
        true_positives=pairs.count((True, 1.0)),
        false_positives=pairs.count((False, 1.0)),
        true_negatives=pairs.count((False, 0.0)),
        false_negatives=pairs.count((True, 0.0)),
        abstained=sum(score is None for score in scores),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
