"""The contract: contradictions cannot be built, and an abstention cannot be mistaken for a score."""

import copy
import math
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.shared.outcome import Abstained, Outcome, Reason

SCORING = [reason for reason in Reason if not reason.abstains]
ABSTAINING = [reason for reason in Reason if reason.abstains]
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, st.sampled_from(SCORING), st.text())
def test_a_finite_score_goes_with_any_reason_that_scores(
    score: float, reason: Reason, detail: str
) -> None:
    outcome = Outcome(score, reason, detail)
    assert outcome.score == score
    assert outcome.require_score() == score


@given(finite, st.sampled_from(ABSTAINING))
def test_a_score_contradicts_a_reason_that_abstains(score: float, reason: Reason) -> None:
    with pytest.raises(ValueError, match=f"{reason} abstains"):
        Outcome(score, reason)


@pytest.mark.parametrize("reason", SCORING)
def test_none_contradicts_a_reason_that_scores(reason: Reason) -> None:
    with pytest.raises(ValueError, match="must be a number"):
        Outcome(None, reason)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("reason", list(Reason))
def test_a_score_that_is_not_finite_cannot_be_built(score: float, reason: Reason) -> None:
    with pytest.raises(ValueError, match=r"finite|abstains"):
        Outcome(score, reason)


@pytest.mark.parametrize("score", ["1.0", 1j, [1.0]])
def test_a_score_that_is_no_number_is_refused(score: object) -> None:
    with pytest.raises(TypeError, match="score must be a real number"):
        Outcome(score, Reason.SCORED)  # type: ignore[arg-type]


def test_a_reason_outside_the_list_is_refused() -> None:
    with pytest.raises(TypeError, match="Reason"):
        Outcome(1.0, "correct")  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [1, True, Fraction(1)])
def test_a_score_is_always_a_float(score: float) -> None:
    assert type(Outcome(score, Reason.CORRECT).score) is float


def test_an_outcome_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Outcome(1.0, Reason.CORRECT).score = 0.0  # type: ignore[misc]


@pytest.mark.parametrize("reason", ABSTAINING)
def test_an_abstention_raises_and_says_why(reason: Reason) -> None:
    with pytest.raises(Abstained, match=f"{reason}: the disk is full") as caught:
        Outcome(None, reason, "the disk is full").require_score()
    assert caught.value.outcome.reason is reason


def test_an_abstention_without_detail_explains_its_reason() -> None:
    outcome = Outcome(None, Reason.BAD_REFERENCE)
    assert str(Abstained(outcome)) == f"bad_reference: {Reason.BAD_REFERENCE.meaning}"


def test_a_score_is_no_abstention() -> None:
    with pytest.raises(ValueError, match="not an abstention"):
        Abstained(Outcome(0.0, Reason.WRONG))


@pytest.mark.parametrize("outcome", [Outcome(0.5, Reason.SCORED), Outcome(None, Reason.TIMED_OUT)])
def test_an_outcome_survives_the_way_between_processes(outcome: Outcome) -> None:
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    assert copy.deepcopy(outcome) == outcome


def test_an_abstention_survives_the_way_between_processes() -> None:
    raised = Abstained(Outcome(None, Reason.WORKER_DIED, "signal 9"))
    assert pickle.loads(pickle.dumps(raised)).outcome == raised.outcome


def test_every_reason_says_who_is_to_blame() -> None:
    assert {reason.blame for reason in Reason} == {"policy", "machinery"}
    assert all(reason.abstains == (reason.blame == "machinery") for reason in Reason)
    assert all(reason.meaning for reason in Reason)


def test_a_reason_is_its_name_in_a_log() -> None:
    assert f"{Reason.BAD_REFERENCE}" == "bad_reference"
    assert Reason("bad_reference") is Reason.BAD_REFERENCE
