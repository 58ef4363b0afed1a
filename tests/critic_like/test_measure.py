"""The figures of a critic: known cases by hand, peers where there are some, bounds everywhere."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from examples.critic_like.measure import (
    calibration_bins,
    expected_calibration_error,
    fit_temperature,
    measure,
    wilson_interval,
)

finite = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-100)
margins = st.lists(finite, min_size=1)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else 1 - sigmoid(-x)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def simulated(scale: float, count: int = 4000, seed: int = 0) -> list[float]:
    """Margins that claim `scale` times the log-odds with which people really prefer."""
    random_ = random.Random(seed)
    true = [random_.gauss(0, 2) for _ in range(count)]
    return [scale * (t if random_.random() < sigmoid(t) else -t) for t in true]


# --- The report --------------------------------------------------------------------------------


def test_a_report_worked_out_by_hand() -> None:
    report = measure([2.0, 1.0, 0.5, 0.0], [0.0, 2.0, 0.5, -1.0], [9, 5, 5, 2], [5, 9, 5, 4])
    assert report.pairs == 4
    assert report.accuracy == (1 + 0 + 0.5 + 1) / 4
    assert report.interval == wilson_interval(2.5, 4)
    assert report.mean_margin == pytest.approx((2 - 1 + 0 + 1) / 4)
    assert report.mean_score == pytest.approx((2 + 1 + 0.5 + 0 + 0 + 2 + 0.5 - 1) / 8)
    assert report.when_longer == (1.0, 1)
    assert report.when_shorter == (0.5, 2)
    assert report.calibration_error == expected_calibration_error([2.0, -1.0, 0.0, 1.0])


def test_a_critic_of_length_alone_is_seen_through() -> None:
    lengths = [(10, 5), (5, 10), (20, 3), (3, 20)]
    chosen, rejected = zip(*lengths, strict=True)
    report = measure([float(n) for n in chosen], [float(n) for n in rejected], chosen, rejected)
    assert (report.accuracy, report.when_longer, report.when_shorter) == (0.5, (1.0, 2), (0.0, 2))


def test_a_share_of_nothing_is_no_number() -> None:
    report = measure([1.0], [0.0], [5], [5])
    assert math.isnan(report.when_longer[0])
    assert report.when_longer[1] == report.when_shorter[1] == 0


def test_ties_count_half() -> None:
    report = measure([1.0, -3.0], [1.0, -3.0], [1, 2], [2, 1])
    assert report.accuracy == report.when_longer[0] == report.when_shorter[0] == 0.5


def test_a_report_prints_what_a_reader_needs() -> None:
    text = str(measure([2.0, 1.0, 0.5], [0.0, 2.0, 0.1], [10, 20, 30], [20, 10, 25]))
    assert "accuracy            66.7%  (95% interval 20.8% to 93.9%, 3 pairs)" in text
    assert "chosen is longer    50.0%  (2 pairs)" in text
    assert "chosen is shorter  100.0%  (1 pairs)" in text


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_never_counted_as_right_or_wrong(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 2 pairs have a score that is not finite"):
        measure([bad, 1.0], [0.0, 0.0], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="1 of 2 pairs have a score that is not finite"):
        measure([0.0, 1.0], [bad, 0.0], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="1 of 3 pairs have a score that is not finite"):
        fit_temperature([1.0, bad, 2.0])


@pytest.mark.parametrize(
    "columns",
    [
        ([], [], [], []),
        ([1.0], [1.0, 2.0], [1], [1]),
        ([1.0], [1.0], [], [1]),
        ([1.0], [1.0], [1], [1, 2]),
    ],
)
def test_columns_that_do_not_match_are_refused(columns: Any) -> None:
    with pytest.raises(ValueError, match="need one entry a pair"):
        measure(*columns)


# --- The interval ------------------------------------------------------------------------------


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(case: tuple[int, int]) -> None:
    hits, trials = case
    expected = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-4)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_between_0_and_1(n: int, share: float) -> None:
    low, high = wilson_interval(share * n, n)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    assert low < high


# --- Calibration -------------------------------------------------------------------------------


def test_a_perfectly_calibrated_critic_has_no_error() -> None:
    three_in_four, nine_in_ten = logit(0.75), logit(0.9)
    calibrated = [three_in_four] * 3 + [-three_in_four] + [nine_in_ten] * 9 + [-nine_in_ten]
    assert expected_calibration_error(calibrated) == pytest.approx(0, abs=1e-12)
    assert expected_calibration_error([0.0, 0.0, 0.0]) == 0


@pytest.mark.parametrize("confidence", [0.55, 0.8, 0.99])
def test_a_critic_that_is_always_wrong_errs_by_its_confidence(confidence: float) -> None:
    assert expected_calibration_error([-logit(confidence)] * 7) == pytest.approx(confidence)


@pytest.mark.parametrize("confidence", [0.55, 0.8, 0.99])
def test_a_critic_that_is_always_right_errs_by_its_doubt(confidence: float) -> None:
    assert expected_calibration_error([logit(confidence)] * 7) == pytest.approx(1 - confidence)


def test_bins_hold_equal_widths_of_confidence() -> None:
    sure = [logit(0.53), -logit(0.53), logit(0.57), logit(0.99)]
    first, second, last = calibration_bins(sure)
    assert first == pytest.approx((0.53, 0.5, 2))
    assert second == pytest.approx((0.57, 1.0, 1))
    assert last == pytest.approx((0.99, 1.0, 1))
    assert [group[2] for group in calibration_bins(sure, bins=2)] == [3, 1]


@given(margins, st.integers(1, 20))
def test_bins_hold_every_pair_once(values: list[float], bins: int) -> None:
    groups = calibration_bins(values, bins)
    assert sum(count for _, _, count in groups) == len(values)
    assert 1 <= len(groups) <= bins
    assert all(0.5 <= confidence <= 1 and 0 <= share <= 1 for confidence, share, _ in groups)
    assert 0 <= expected_calibration_error(values, bins) <= 1


# --- The temperature ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0, 20.0])
def test_the_temperature_finds_how_much_a_critic_overstates(scale: float) -> None:
    assert fit_temperature(simulated(scale)) == pytest.approx(scale, rel=0.07)


@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_dividing_by_the_temperature_calibrates(scale: float) -> None:
    """Fitted on one sample, measured on another."""
    temperature = fit_temperature(simulated(scale))
    new = simulated(scale, seed=1)
    assert expected_calibration_error(new) > 0.1
    assert expected_calibration_error([m / temperature for m in new]) < 0.03


@given(margins)
def test_a_temperature_is_within_its_bounds_and_changes_no_ranking(values: list[float]) -> None:
    temperature = fit_temperature(values)
    assert 0.01 * (1 - 1e-9) <= temperature <= 100 * (1 + 1e-9)
    lengths = [1] * len(values)
    zeros = [0.0] * len(values)
    before = measure(values, zeros, lengths, lengths)
    after = measure([value / temperature for value in values], zeros, lengths, lengths)
    assert after.accuracy == before.accuracy


@given(st.lists(st.floats(-20, 20), min_size=2))
def test_no_other_temperature_makes_the_pairs_more_likely(values: list[float]) -> None:
    def loss(temperature: float) -> float:
        return sum(
            math.log1p(math.exp(-abs(x))) + max(-x, 0.0) for x in (v / temperature for v in values)
        )

    best = loss(fit_temperature(values))
    for other in (0.01, 0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0, 100.0):
        assert best <= loss(other) + 1e-6 * len(values)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_pairs_that_are_all_right_or_all_wrong_give_the_bounds(size: float) -> None:
    assert fit_temperature([size, 2 * size]) == pytest.approx(1 / 100)
    assert fit_temperature([-size, -2 * size]) == pytest.approx(100)
    assert fit_temperature([size], largest=10) == pytest.approx(1 / 10)
    assert fit_temperature([-size], largest=10) == pytest.approx(10)
