r"""Geometry3K: the whole answer is compared, wherever it stands."""

import pytest

from examples.rule_based.geometry3k import geometry3k_reward_fn, grade
from examples.shared.outcome import Abstained

RIGHT = [
    (r"[2\sqrt{221}]", r"2 \sqrt { 221 }"),
    (r"The answer is [2\sqrt{221}].", r"2 \sqrt { 221 }"),
    (r"\boxed{2 \sqrt{221}}", r"2 \sqrt { 221 }"),
    (r"By Pythagoras, $AB = \sqrt{884}$. The answer is $2\sqrt{221}$.", r"2 \sqrt { 221 }"),
    (r"So the length is [1/2].", r"\frac { 1 } { 2 }"),
    (r"2\sqrt{3}", r"2 \sqrt { 3 }"),
    (r"\boxed{2\sqrt{3}}", r"\sqrt { 12 }"),
    ("[0,1] so x=5", "5"),
    ("x=[12]", "12"),
    ("Angle is [58]°.", "58"),
    (r"\boxed{58^\circ}", "58"),
    (r"\boxed{28.0 \text{ m}}", "28"),
    ("所以 x = 5。", "5"),
    ("<think>[3]</think> The answer is [4].", "4"),
]
WRONG = [
    ("[221]", r"2 \sqrt { 221 }"),
    ("221", r"2 \sqrt { 221 }"),
    (r"\boxed{221}", r"2 \sqrt { 221 }"),
    ("3", r"2 \sqrt { 3 }"),
    ("2", "1/2"),
    ("[2]", r"\frac { 1 } { 2 }"),
    ("[12] or [13]", "13"),
    ("[5] is the side, and I do not know the angle.", "5"),
    ("<think>so x = [5]", "5"),
    (r"\boxed{4}, so x = 5", "5"),
    ("", "5"),
]


@pytest.mark.parametrize(("response", "reference"), RIGHT)
def test_right_answers(response: str, reference: str) -> None:
    assert grade(response, reference).score == 1.0


@pytest.mark.parametrize(("response", "reference"), WRONG)
def test_wrong_answers(response: str, reference: str) -> None:
    assert grade(response, reference).score == 0.0


def test_areals_signature() -> None:
    assert geometry3k_reward_fn("p", "[28]", [], [], answer=28, images=[]) == 1.0
    with pytest.raises(Abstained, match="bad_reference"):
        geometry3k_reward_fn("p", "[28]", [], [], answer="")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "]" * 100_000, "so x=" * 50_000, "[9^{9^9}]", "= " * 100_000]
)
def test_hostile_texts_score(text: str) -> None:
    assert grade(text, r"2 \sqrt { 221 }").score == 0.0
