"""How good is a critic? Accuracy with its interval, calibration, length bias.

    >>> report = measure([2.0, 1.0, 0.5], [0.0, 2.0, 0.1], [10, 20, 30], [20, 10, 25])
    >>> report.pairs, round(report.accuracy, 2), [round(edge, 2) for edge in report.interval]
    (3, 0.67, [0.21, 0.94])

A critic's margin, the chosen response's score less the rejected one's, claims a probability:
sigmoid(margin) is how often people prefer the first (Bradley and Terry 1952). Calibration asks
whether they do. One divisor, the temperature, mends most of what training leaves wrong (Guo et
al. 2017, "On Calibration of Modern Neural Networks"); it changes no ranking.

Standard library only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Report",
    "calibration_bins",
    "expected_calibration_error",
    "fit_temperature",
    "measure",
    "wilson_interval",
]


@dataclass(frozen=True)
class Report:
    """A critic's figures on held-out pairs; shares from 0 to 1.

    `when_longer` and `when_shorter` are the accuracies where the chosen response was the longer and the
    shorter one, with the number of such pairs: far apart, the critic measures length. `same_tokens`
    counts pairs that are in none of the figures, since the critic reads both responses alike.
    """

    pairs: int
    accuracy: float
    interval: tuple[float, float]
    calibration_error: float
    mean_margin: float
    mean_score: float
    when_longer: tuple[float, int]
    when_shorter: tuple[float, int]
    same_tokens: int = 0

    def __str__(self) -> str:
        low, high = self.interval
        lines = [
            f"accuracy           {self.accuracy:6.1%}  (95% interval {low:.1%} to {high:.1%}, "
            f"{self.pairs} pairs)",
            f"calibration error  {self.calibration_error:6.3f}",
            f"mean margin        {self.mean_margin:6.3f}",
            f"mean score         {self.mean_score:6.3f}",
            f"chosen is longer   {self.when_longer[0]:6.1%}  ({self.when_longer[1]} pairs)",
            f"chosen is shorter  {self.when_shorter[0]:6.1%}  ({self.when_shorter[1]} pairs)",
        ]
        if self.same_tokens:
            lines.append(f"same tokens        {self.same_tokens} more pairs, left out")
        return "\n".join(lines)


def measure(
    chosen: Sequence[float],
    rejected: Sequence[float],
    chosen_lengths: Sequence[int],
    rejected_lengths: Sequence[int],
) -> Report:
    """Measure scores of pairs; the four sequences run over the same pairs.

    A tie counts as half right. Lengths are in characters, or any other unit.

    Raises:
        ValueError: there are no pairs, lengths differ, or a score is not finite.
    """
    columns = (chosen, rejected, chosen_lengths, rejected_lengths)
    if not chosen or len({len(column) for column in columns}) > 1:
        raise ValueError(f"need one entry a pair, got {[len(column) for column in columns]}")
    margins = [c - r for c, r in zip(chosen, rejected, strict=True)]
    _check_finite(margins)
    hits = [_hit(margin) for margin in margins]
    longer = [c - r for c, r in zip(chosen_lengths, rejected_lengths, strict=True)]
    return Report(
        pairs=len(hits),
        accuracy=_mean(hits),
        interval=wilson_interval(sum(hits), len(hits)),
        calibration_error=expected_calibration_error(margins),
        mean_margin=_mean(margins),
        mean_score=_mean([*chosen, *rejected]),
        when_longer=_share([hit for hit, by in zip(hits, longer, strict=True) if by > 0]),
        when_shorter=_share([hit for hit, by in zip(hits, longer, strict=True) if by < 0]),
    )


def wilson_interval(hits: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share, 95% by default; sound for few trials and shares near 0 or 1.

    Source: Wilson 1927.
    """
    share = hits / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_bins(margins: Sequence[float], bins: int = 10) -> list[tuple[float, float, int]]:
    """Group pairs by how sure the critic is: (mean confidence, accuracy, pairs) of each group.

    Confidence is sigmoid(|margin|), from 0.5 to 1, cut into `bins` equal widths; empty ones are
    left out.
    """
    groups: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for margin in margins:
        confidence = _sigmoid(abs(margin))
        index = min(bins - 1, int((confidence - 0.5) * 2 * bins))
        groups[index].append((confidence, _hit(margin)))
    return [
        (_mean([c for c, _ in group]), _mean([hit for _, hit in group]), len(group))
        for group in groups
        if group
    ]


def expected_calibration_error(margins: Sequence[float], bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over `calibration_bins`, weighted by pairs."""
    groups = calibration_bins(margins, bins)
    return sum(abs(conf - share) * count for conf, share, count in groups) / len(margins)


def fit_temperature(margins: Sequence[float], largest: float = 100.0) -> float:
    """The divisor of the margins under which the pairs are most likely (Bradley-Terry).

    Fit it on pairs that were not trained on, and not on those that you report.

    Returns:
        A temperature from 1/`largest` to `largest`, the bounds where the pairs are all right or
        mostly wrong.
    """
    _check_finite(margins)

    def slope(inverse: float) -> float:  # of the mean loss, growing with the inverse
        return -_mean([margin * _sigmoid(-inverse * margin) for margin in margins])

    low, high = 1 / largest, largest
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return 1 / low


def _hit(margin: float) -> float:
    return 0.5 if margin == 0 else float(margin > 0)


def _sigmoid(x: float) -> float:
    return (
        1 / (1 + math.exp(-x)) if x >= 0 else math.exp(max(x, -700)) / (1 + math.exp(max(x, -700)))
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _share(hits: Sequence[float]) -> tuple[float, int]:
    return (_mean(hits) if hits else math.nan, len(hits))


def _check_finite(margins: Sequence[float]) -> None:
    bad = sum(not math.isfinite(margin) for margin in margins)
    if bad:
        raise ValueError(f"{bad} of {len(margins)} pairs have a score that is not finite")
