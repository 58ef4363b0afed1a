"""Several outcomes of one response become one, and one group of responses becomes advantages.

    >>> right, brief = Outcome(1.0, Reason.CORRECT), Outcome(0.5, Reason.SCORED)
    >>> weighted_sum([right, brief], [1.0, 0.2]).score
    1.1
    >>> lost = Outcome(None, Reason.JUDGE_UNREACHABLE)
    >>> weighted_sum([right, lost], [1.0, 0.2]).reason
    <Reason.JUDGE_UNREACHABLE: 'judge_unreachable'>

Abstentions, throughout: **a part that was needed and not measured makes the whole not measured.**
To leave it out of a sum would give a response another scale than its group has, and the policy would
learn from the judge's health. A part that was not needed, with weight 0 or behind a closed gate, does
not matter.

| | the response abstains if |
|---|---|
| `weighted_sum` | a part whose weight is not 0 does |
| `gate` | the condition does, or, where it is passed, the rest does |
| `shape` | the outcome does |
| `group_advantages` | it is None itself; the others are compared without it |

Standard library only.
"""

import math
import statistics
from collections.abc import Sequence

from ..shared.outcome import Outcome, Reason

__all__ = [
    "gate",
    "group_advantages",
    "overlong_penalty",
    "shape",
    "sum_of_advantages",
    "weighted_sum",
]


def weighted_sum(outcomes: Sequence[Outcome], weights: Sequence[float]) -> Outcome:
    """Add up outcomes of one response.

    Args:
        outcomes: one or more. Bring them to one scale first: a critic's logit is unbounded.
        weights: one for each; with 0, an outcome is a metric and changes nothing.

    Raises:
        ValueError: the lengths differ, a weight is not finite, all are 0, or the sum is too large.
    """
    if len(outcomes) != len(weights) or not outcomes:
        raise ValueError(f"{len(outcomes)} outcomes with {len(weights)} weights")
    if not all(math.isfinite(weight) for weight in weights):
        raise ValueError(f"weights must be finite: {list(weights)}")
    counted = [(o, float(w)) for o, w in zip(outcomes, weights, strict=True) if w != 0]
    if not counted:
        raise ValueError("all weights are 0: nothing would be measured")
    for outcome, _ in counted:
        if outcome.score is None:
            return outcome
    try:
        total = math.fsum(outcome.require_score() * weight for outcome, weight in counted)
    except OverflowError:
        raise ValueError("the sum is too large for a float") from None
    detail = " + ".join(f"{w:g} * {o.score:g} ({o.reason})" for o, w in counted)
    return Outcome(total, Reason.SCORED, detail)


def gate(condition: Outcome, then: Outcome, threshold: float = 1.0) -> Outcome:
    """Return `then` where the condition scores at least `threshold`; else 0.0, for its reason.

    A condition that is `correct` and still below the threshold closes the gate as `scored`: no
    0.0 is counted as `correct`.

    The classic use: a style score counts only for right answers, so no style makes up for a wrong
    one. Let `then` be positive, or a right answer may score below a wrong one.

    Raises:
        ValueError: the threshold is not finite.
    """
    if not math.isfinite(threshold):
        raise ValueError(f"threshold must be finite, not {threshold!r}")
    if condition.score is None:
        return condition
    if condition.score < threshold:
        if condition.reason is Reason.CORRECT:
            return Outcome(0.0, Reason.SCORED, f"{condition.score:g} (correct) < {threshold:g}")
        return Outcome(0.0, condition.reason, condition.detail)
    return then


def shape(outcome: Outcome, bonus: float) -> Outcome:
    """Add a bonus, or with a negative one a penalty, that was computed from the response itself.

    The sum is `scored`, a bonus of 0 included; its detail has the reason that it had. To count
    right and wrong answers, count the outcome that is given here.

    Raises:
        ValueError: the bonus is not finite.
    """
    if not math.isfinite(bonus):
        raise ValueError(f"bonus must be finite, not {bonus!r}")
    if outcome.score is None:
        return outcome
    bonus = float(bonus)
    detail = f"{outcome.score:g} ({outcome.reason}) {bonus:+g}"
    return Outcome(outcome.score + bonus, Reason.SCORED, detail)


def overlong_penalty(length: int, longest: int, buffer: int) -> float:
    """Return DAPO's soft penalty for length: 0.0 at most, -1.0 at least.

    0 up to `longest - buffer` tokens, then falling on a line to -1 at `longest`, and -1 beyond.
    Equation 13 of Yu et al. 2025, arXiv:2503.14476.

    Raises:
        ValueError: not 0 < buffer <= longest, or a negative length.
    """
    if not 0 < buffer <= longest or length < 0:
        raise ValueError(f"length={length}, longest={longest}, buffer={buffer}")
    # As floats: NumPy's lengths may have no sign.
    over = float(length) - (float(longest) - float(buffer))
    return 0.0 - min(max(over, 0.0) / float(buffer), 1.0)


def group_advantages(scores: Sequence[float | None], epsilon: float = 1e-4) -> list[float | None]:
    """Normalise the scores of one group: GRPO's advantages, without those who abstained.

    Args:
        scores: of the responses to one prompt; None for an abstention.
        epsilon: added to the standard deviation, as TRL does.

    Returns:
        (score - mean) / (deviation + epsilon) with the sample's deviation; None stays None. All 0.0 where fewer
        than two scores are left, or all are equal: nothing can be learnt from such a group.

    Shao et al. 2024, arXiv:2402.03300; the deviation and epsilon as in TRL 1.16.0.

    Raises:
        ValueError: a score is not finite.
    """
    if not all(score is None or math.isfinite(score) for score in scores):
        raise ValueError(f"scores must be finite: {list(scores)}")
    scores = [None if score is None else float(score) for score in scores]
    scored = [score for score in scores if score is not None]
    if len(scored) < 2 or min(scored) == max(scored):
        return [None if score is None else 0.0 for score in scores]
    mean, deviation = statistics.fmean(scored), statistics.stdev(scored)
    return [None if score is None else (score - mean) / (deviation + epsilon) for score in scores]


def sum_of_advantages(
    rewards: Sequence[Sequence[float | None]], weights: Sequence[float]
) -> list[float | None]:
    """Normalise each reward within the group, then add up: no scale drowns another.

    Args:
        rewards: for each reward, the scores of the same group of responses.
        weights: one for each reward.

    Returns:
        One number for each response; None where a reward whose weight is not 0 is None.

    The first two steps of GDPO (Liu et al. 2026, arXiv:2601.05242); it then normalises over the batch,
    as TRL does with `multi_objective_aggregation="normalize_then_sum"`.

    Raises:
        ValueError: the lengths differ, or a weight or a score is not finite.
    """
    if len(rewards) != len(weights) or len({len(scores) for scores in rewards}) != 1:
        raise ValueError("one weight for each reward, and rewards of one length, are needed")
    if not all(map(math.isfinite, weights)):
        raise ValueError(f"weights must be finite: {list(weights)}")
    counted = [
        (group_advantages(scores), float(weight))
        for scores, weight in zip(rewards, weights, strict=True)
        if weight != 0
    ]
    sums: list[float | None] = []
    for index in range(len(rewards[0])):
        parts = [(advantages[index], weight) for advantages, weight in counted]
        lost = any(advantage is None for advantage, _ in parts)
        sums.append(None if lost else math.fsum(a * w for a, w in parts if a is not None))
    return sums
