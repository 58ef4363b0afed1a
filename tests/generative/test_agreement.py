"""Judge against people: counts, accuracy and kappa."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from examples.generative.agreement import agreement

ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, None])), min_size=1)


@given(ROWS)
def test_every_answer_is_counted_once(rows: list[tuple[bool, float | None]]) -> None:
    labels, scores = zip(*rows, strict=True)
    found = agreement(labels, scores)
    assert found.judged + found.abstained == len(rows)
    assert found.abstained == scores.count(None)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0])), min_size=1))
def test_kappa_is_that_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    labels, scores = zip(*rows, strict=True)
    expected = cohen_kappa_score(labels, [score == 1.0 for score in scores])
    assert agreement(labels, scores).kappa == pytest.approx(
        0.0 if math.isnan(expected) else expected, abs=1e-9
    )


def test_a_judge_that_accepts_all_is_accurate_and_at_chance() -> None:
    found = agreement([True] * 75 + [False] * 25, [1.0] * 100)
    assert (found.accuracy, found.kappa, found.recall, found.precision) == (0.75, 0.0, 1.0, 0.75)


def test_kappa_of_chance_is_about_nothing() -> None:
    dice = random.Random(0)
    labels = [dice.random() < 0.7 for _ in range(20_000)]
    scores = [float(dice.random() < 0.7) for _ in range(20_000)]
    assert abs(agreement(labels, scores).kappa) < 0.03


@pytest.mark.parametrize("scores", [[0.5, 1.0], [True, 2.0], [math.nan, 0.0]])
def test_what_is_no_verdict_is_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="a verdict is"):
        agreement([True, False], scores)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        agreement([True, False], [1.0])


def test_nothing_judged() -> None:
    found = agreement([True], [None])
    assert (found.abstained, found.judged) == (1, 0)
    assert math.isnan(found.accuracy)
