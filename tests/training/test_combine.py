"""Combining outcomes: the arithmetic, and that an abstention never becomes a number."""

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from trl.trainer.utils import nanstd

from examples.shared.outcome import Outcome, Reason
from examples.training.combine import (
    gate,
    group_advantages,
    overlong_penalty,
    shape,
    sum_of_advantages,
    weighted_sum,
)

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
WEIGHTS = st.floats(-100, 100, allow_subnormal=False)
SCORED = st.builds(Outcome, NUMBERS, st.sampled_from([r for r in Reason if not r.abstains]))
LOST = st.builds(Outcome, st.none(), st.sampled_from([r for r in Reason if r.abstains]))
PARTS = st.lists(st.tuples(SCORED, WEIGHTS), min_size=1, max_size=6).filter(
    lambda parts: any(weight for _, weight in parts)
)
GRID = st.integers(-40, 40).map(lambda number: number / 8)
"""Scores far enough apart that float32 loses nothing that matters."""
GROUP = st.lists(GRID | st.none(), min_size=2, max_size=8)

RIGHT, WRONG = Outcome(1.0, Reason.CORRECT, "72"), Outcome(0.0, Reason.WRONG, "71 is not 72")
STYLE = Outcome(0.5, Reason.SCORED, "style")
DOWN = Outcome(None, Reason.JUDGE_UNREACHABLE, "no route")
BROKEN = Outcome(None, Reason.BAD_REFERENCE)


def total(parts: Sequence[tuple[Outcome, float]]) -> Outcome:
    return weighted_sum([outcome for outcome, _ in parts], [weight for _, weight in parts])


# --- Weighted sums -------------------------------------------------------------------------------


@given(PARTS)
def test_a_weighted_sum_is_the_sum_of_the_products(parts: list[tuple[Outcome, float]]) -> None:
    expected = sum(outcome.require_score() * weight for outcome, weight in parts)
    result = total(parts)
    assert result.score == pytest.approx(expected, rel=1e-9, abs=1e-3)
    assert result.reason is Reason.SCORED


@given(PARTS, st.floats(-8, 8))
def test_a_weighted_sum_is_linear_in_its_weights(
    parts: list[tuple[Outcome, float]], factor: float
) -> None:
    assume(any(factor * weight for _, weight in parts))
    scaled = total([(outcome, weight * factor) for outcome, weight in parts])
    assert scaled.score == pytest.approx(total(parts).require_score() * factor, abs=1e-3)


@given(PARTS, NUMBERS)
def test_a_weighted_sum_is_linear_in_a_score(
    parts: list[tuple[Outcome, float]], more: float
) -> None:
    (first, weight), *rest = parts
    raised = Outcome(first.require_score() + more, Reason.SCORED)
    difference = total([(raised, weight), *rest]).require_score() - total(parts).require_score()
    assert difference == pytest.approx(more * weight, rel=1e-9, abs=1e-3)


@given(PARTS, st.randoms(use_true_random=False))
def test_the_order_of_the_parts_does_not_matter(
    parts: list[tuple[Outcome, float]], rng: object
) -> None:
    shuffled = list(parts)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total(shuffled).score == total(parts).score


@given(PARTS, SCORED | LOST, st.sampled_from([0, 0.0, -0.0]))
def test_a_part_of_weight_zero_is_not_there(
    parts: list[tuple[Outcome, float]], metric: Outcome, zero: float
) -> None:
    for place in range(len(parts) + 1):
        assert total([*parts[:place], (metric, zero), *parts[place:]]) == total(parts)


@given(PARTS, LOST, WEIGHTS.filter(bool), st.integers(0, 6))
def test_a_part_that_counts_and_abstains_makes_the_whole_abstain(
    parts: list[tuple[Outcome, float]], lost: Outcome, weight: float, place: int
) -> None:
    assert total([*parts[:place], (lost, weight), *parts[place:]]) is lost


def test_of_several_abstentions_the_first_is_the_reason() -> None:
    assert weighted_sum([BROKEN, RIGHT, DOWN], [0.0, 1.0, 0.5]) is DOWN
    assert weighted_sum([DOWN, BROKEN], [1.0, 1.0]) is DOWN


def test_the_detail_says_what_was_added_up() -> None:
    assert weighted_sum([RIGHT, STYLE, DOWN], [1.0, 0.2, 0.0]).detail == (
        "1 * 1 (correct) + 0.2 * 0.5 (scored)"
    )


@pytest.mark.parametrize(
    ("outcomes", "weights"),
    [
        ([], []),
        ([RIGHT], []),
        ([RIGHT], [1.0, 1.0]),
        ([RIGHT], [math.nan]),
        ([RIGHT, DOWN], [1.0, math.inf]),
        ([Outcome(1e308, Reason.SCORED)], [1e10]),
    ],
)
def test_a_sum_that_cannot_be_is_an_error(outcomes: list[Outcome], weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"weights|finite"):
        weighted_sum(outcomes, weights)


# --- Gates and shaping ---------------------------------------------------------------------------


@given(SCORED, SCORED | LOST, NUMBERS)
def test_a_gate_lets_through_at_its_threshold_and_above(
    condition: Outcome, then: Outcome, threshold: float
) -> None:
    result = gate(condition, then, threshold)
    if condition.require_score() >= threshold:
        assert result is then
    elif condition.reason is Reason.CORRECT:
        assert (result.score, result.reason) == (0.0, Reason.SCORED)
    else:
        assert result == Outcome(0.0, condition.reason, condition.detail)


@given(LOST, SCORED | LOST, NUMBERS)
def test_a_gate_whose_condition_abstains_abstains(
    condition: Outcome, then: Outcome, threshold: float
) -> None:
    assert gate(condition, then, threshold) is condition


def test_behind_a_closed_gate_an_abstention_does_not_matter() -> None:
    assert gate(WRONG, DOWN) == WRONG
    assert gate(RIGHT, DOWN) is DOWN
    assert gate(RIGHT, STYLE) is STYLE


def test_a_gate_opens_at_one_by_default() -> None:
    assert gate(Outcome(0.999, Reason.SCORED), STYLE).score == 0.0


def test_a_closed_gate_says_why() -> None:
    half = Outcome(0.5, Reason.CORRECT, "half of the tests pass")
    assert gate(half, STYLE) == Outcome(0.0, Reason.SCORED, "0.5 (correct) < 1")
    assert gate(WRONG, STYLE) == WRONG


@given(SCORED, NUMBERS)
def test_a_bonus_is_added_and_what_comes_out_is_graded(outcome: Outcome, bonus: float) -> None:
    shaped = shape(outcome, bonus)
    assert shaped.score == outcome.require_score() + bonus
    assert shaped.reason is Reason.SCORED


def test_the_detail_says_what_was_added() -> None:
    assert shape(RIGHT, -1.0) == Outcome(0.0, Reason.SCORED, "1 (correct) -1")
    assert shape(WRONG, 0.25) == Outcome(0.25, Reason.SCORED, "0 (wrong) +0.25")


@given(st.sampled_from([RIGHT, WRONG]), st.sampled_from([RIGHT, WRONG, STYLE]), NUMBERS, NUMBERS)
def test_no_reason_contradicts_its_score(
    first: Outcome, second: Outcome, threshold: float, bonus: float
) -> None:
    """So that a count of the reasons agrees with the rewards."""
    for one in (gate(first, second, threshold), shape(first, bonus), weighted_sum([first], [2.0])):
        if one.reason is Reason.CORRECT:
            assert one.score == 1.0
        elif one.reason is Reason.WRONG:
            assert one.score == 0.0


@given(LOST, NUMBERS)
def test_a_bonus_makes_no_score_of_an_abstention(lost: Outcome, bonus: float) -> None:
    assert shape(lost, bonus) is lost


@pytest.mark.parametrize("outcome", [RIGHT, DOWN])
@pytest.mark.parametrize("bonus", [math.nan, math.inf, -math.inf])
def test_a_bonus_is_finite(outcome: Outcome, bonus: float) -> None:
    with pytest.raises(ValueError, match="bonus must be finite"):
        shape(outcome, bonus)


# --- Length --------------------------------------------------------------------------------------

LIMITS = st.tuples(st.integers(1, 500), st.integers(0, 500)).map(lambda x: (x[0] + x[1], x[0]))
"""(longest, buffer)"""


@given(st.integers(0, 2000), LIMITS)
def test_the_penalty_is_equation_13_of_dapo(length: int, limits: tuple[int, int]) -> None:
    longest, buffer = limits
    if length <= longest - buffer:
        expected = 0.0
    elif length <= longest:
        expected = ((longest - buffer) - length) / buffer
    else:
        expected = -1.0
    assert overlong_penalty(length, longest, buffer) == expected


@given(st.integers(0, 2000), LIMITS)
def test_the_penalty_never_rises_with_length_and_stays_in_bounds(
    length: int, limits: tuple[int, int]
) -> None:
    here, longer = overlong_penalty(length, *limits), overlong_penalty(length + 1, *limits)
    assert -1.0 <= longer <= here <= 0.0


@pytest.mark.parametrize(
    ("length", "penalty"),
    [(0, 0.0), (12288, 0.0), (12289, -1 / 4096), (14336, -0.5), (16384, -1.0), (99999, -1.0)],
)
def test_the_corners_of_the_penalty(length: int, penalty: float) -> None:
    """With DAPO's own numbers: 16384 tokens at most, the last 4096 of them punished."""
    assert overlong_penalty(length, longest=16384, buffer=4096) == penalty


def test_a_buffer_as_long_as_the_limit_punishes_from_the_first_token() -> None:
    assert [overlong_penalty(n, 4, 4) for n in range(6)] == [0, -0.25, -0.5, -0.75, -1, -1]


@pytest.mark.parametrize("limits", [(10, 0), (10, 11), (10, -1), (0, 0)])
def test_limits_that_make_no_sense_are_an_error(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="buffer="):
        overlong_penalty(5, *limits)


def test_a_negative_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="length=-1"):
        overlong_penalty(-1, 10, 5)


# --- Advantages ----------------------------------------------------------------------------------


def trl_advantages(scores: Sequence[float | None]) -> list[float]:
    """One group as in TRL 1.16.0's `sum_then_normalize`, with its own `nanstd`; NaN is not set to 0."""
    rewards = torch.tensor([math.nan if s is None else s for s in scores])
    return ((rewards - rewards.nanmean()) / (nanstd(rewards, dim=0) + 1e-4)).tolist()


@given(GROUP)
def test_advantages_are_those_of_trl(scores: list[float | None]) -> None:
    scored = [score for score in scores if score is not None]
    for ours, theirs in zip(group_advantages(scores), trl_advantages(scores), strict=True):
        if len(scored) < 2:  # TRL makes a NaN of these, and sets it to 0 as well
            assert math.isnan(theirs)
            assert not ours
        elif ours is None:
            assert math.isnan(theirs)
        else:
            assert ours == pytest.approx(
                theirs, rel=1e-4, abs=2e-2 if min(scored) == max(scored) else 1e-4
            )


@given(GROUP)
def test_those_who_abstained_stay_none_and_only_they(scores: list[float | None]) -> None:
    advantages = group_advantages(scores)
    assert [a is None for a in advantages] == [s is None for s in scores]


@given(GROUP)
def test_the_others_are_compared_as_if_those_who_abstained_were_not_there(
    scores: list[float | None],
) -> None:
    scored = [score for score in scores if score is not None]
    assert [a for a in group_advantages(scores) if a is not None] == group_advantages(scored)


@given(st.lists(GRID, min_size=1, max_size=8))
def test_the_mean_advantage_is_zero(scores: list[float]) -> None:
    advantages = group_advantages(scores)
    assert math.fsum(a for a in advantages if a is not None) == pytest.approx(0.0, abs=1e-9)


@given(GROUP, GRID)
def test_a_score_added_to_all_changes_no_advantage(
    scores: list[float | None], shift: float
) -> None:
    shifted = [None if score is None else score + shift for score in scores]
    assert group_advantages(shifted) == pytest.approx(group_advantages(scores), abs=1e-9)


@given(GROUP, st.floats(0.5, 100))
def test_without_epsilon_a_positive_scale_changes_no_advantage(
    scores: list[float | None], scale: float
) -> None:
    scaled = [None if score is None else score * scale for score in scores]
    assume(len({score for score in scores if score is not None}) > 1)
    expected = group_advantages(scores, epsilon=0.0)
    assert group_advantages(scaled, epsilon=0.0) == pytest.approx(expected, abs=1e-9)


@given(GROUP)
def test_a_better_score_has_a_higher_advantage(scores: list[float | None]) -> None:
    pairs = [(s, a) for s, a in zip(scores, group_advantages(scores), strict=True) if s is not None]
    for (s, a), (t, b) in itertools.combinations(pairs, 2):
        assert a is not None
        assert b is not None
        assert (a > b) == (s > t)


@pytest.mark.parametrize(
    ("scores", "advantages"),
    [
        ([], []),
        ([None], [None]),
        ([1.0], [0.0]),
        ([1.0, None], [0.0, None]),
        ([None, None], [None, None]),
        ([0.1, 0.1, 0.1], [0.0, 0.0, 0.0]),
        ([1.0, None, 1.0], [0.0, None, 0.0]),
    ],
)
def test_a_group_that_teaches_nothing(
    scores: list[float | None], advantages: list[float | None]
) -> None:
    assert group_advantages(scores) == advantages
    assert group_advantages(scores, epsilon=0.0) == advantages


def test_an_abstention_is_not_the_same_as_a_zero() -> None:
    left_out = group_advantages([1.0, 0.5, None])
    made_up = group_advantages([1.0, 0.5, 0.0])
    assert left_out[:2] == pytest.approx([0.7069, -0.7069], abs=1e-4)
    assert made_up[:2] == pytest.approx([0.9998, 0.0], abs=1e-4)


# --- Sums of advantages --------------------------------------------------------------------------

REWARDS = st.integers(1, 6).flatmap(
    lambda size: st.lists(
        st.tuples(
            st.lists(GRID | st.none(), min_size=size, max_size=size),
            st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
        ),
        min_size=1,
        max_size=3,
    )
)


@given(REWARDS)
def test_a_sum_of_advantages_adds_up_each_reward_by_its_weight(
    parts: list[tuple[list[float | None], float]],
) -> None:
    sums = sum_of_advantages([scores for scores, _ in parts], [weight for _, weight in parts])
    counted = [(group_advantages(scores), weight) for scores, weight in parts if weight]
    for index, result in enumerate(sums):
        values = [(advantages[index], weight) for advantages, weight in counted]
        if any(advantage is None for advantage, _ in values):
            assert result is None
        else:
            expected = sum(a * w for a, w in values if a is not None)
            assert result == pytest.approx(expected, abs=1e-9)


@given(REWARDS)
def test_sums_of_advantages_are_those_of_trl_where_nobody_abstained(
    parts: list[tuple[list[float | None], float]],
) -> None:
    """`normalize_then_sum` of TRL 1.16.0, before it normalises over the batch."""
    full = [([score or 0.0 for score in scores], weight) for scores, weight in parts]
    assume(all(len(set(scores)) > 1 for scores, _ in full))
    grouped = torch.tensor([scores for scores, _ in full]).T.unsqueeze(0)
    deviation = nanstd(grouped, dim=1, keepdim=True)
    normal = (grouped - grouped.nanmean(dim=1, keepdim=True)) / (deviation + 1e-4)
    theirs = (normal[0] * torch.tensor([weight for _, weight in full])).nansum(dim=1)
    ours = sum_of_advantages([scores for scores, _ in full], [weight for _, weight in full])
    assert ours == pytest.approx(theirs.tolist(), abs=1e-3)


def test_no_scale_drowns_another() -> None:
    rules, logits = [1.0, 0.0, 0.0, 1.0], [-900.0, 700.0, -800.0, 600.0]
    added = sum_of_advantages([rules, logits], [1.0, 1.0])
    assert added == pytest.approx(
        sum_of_advantages([rules, [x / 1000 for x in logits]], [1.0, 1.0]), abs=1e-2
    )
    assert max(range(4), key=lambda i: added[i] or 0.0) == 3


def test_an_abstention_in_a_reward_of_weight_zero_changes_nothing() -> None:
    scores: list[float | None] = [1.0, 0.0]
    assert sum_of_advantages([scores, [None, 3.0]], [1.0, 0.0]) == group_advantages(scores)


@pytest.mark.parametrize(
    ("rewards", "weights"),
    [([], []), ([[1.0]], []), ([[1.0]], [1.0, 1.0]), ([[1.0], [1.0, 2.0]], [1.0, 1.0])],
)
def test_rewards_and_weights_of_other_lengths_are_an_error(
    rewards: list[list[float | None]], weights: list[float]
) -> None:
    with pytest.raises(ValueError, match="one weight for each reward"):
        sum_of_advantages(rewards, weights)


def test_what_is_not_finite_or_never_measured_is_an_error() -> None:
    one = Outcome(1.0, Reason.CORRECT)
    with pytest.raises(ValueError, match="weights must be finite"):
        sum_of_advantages([[0.0, 1.0]], [math.nan])
    with pytest.raises(ValueError, match="scores must be finite"):
        group_advantages([math.nan, 0.0, 1.0])
    with pytest.raises(ValueError, match="threshold must be finite"):
        gate(one, one, math.nan)
    with pytest.raises(ValueError, match="too large"):
        weighted_sum([Outcome(1e308, Reason.SCORED)] * 3, [1.0] * 3)
    with pytest.raises(ValueError, match="all weights are 0"):
        weighted_sum([one], [0.0])


# --- Numbers that are not Python's own -------------------------------------------------------------


@pytest.mark.parametrize("number", [np.int8, np.uint8, np.int64, np.float32, np.float64, Fraction])
def test_numbers_of_other_makers_are_numbers(number: Callable[[int], Any]) -> None:
    one, zero = number(1), number(0)
    plain = group_advantages([1.0, 0.0, None, 1.0])
    advantages = group_advantages([one, zero, None, one])
    assert advantages == plain
    summed = sum_of_advantages([[one, zero, None, one]], [number(2)])
    assert summed == [None if a is None else 2 * a for a in plain]
    assert {type(a) for a in advantages + summed} == {float, type(None)}
    assert weighted_sum([RIGHT, STYLE], [one, zero]).score == 1.0
    assert shape(RIGHT, one).score == 2.0
    assert gate(RIGHT, STYLE, one) is STYLE


@pytest.mark.parametrize("number", [np.int16, np.uint16, np.uint64, np.int64])
def test_lengths_may_be_numpys(number: Callable[[int], Any]) -> None:
    for length, penalty in ((5, 0.0), (95, -0.5), (200, -1.0)):
        value = overlong_penalty(number(length), number(100), number(10))
        assert (type(value), value) == (float, penalty)
