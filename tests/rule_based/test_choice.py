r"""Multiple choice: letters and sets of letters, in every form, and never one of several."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based import math_answer
from examples.rule_based.choice import choice_reward_fn, grade
from examples.shared.outcome import Abstained, Reason

ONE = [
    "C", "(C)", "c", "故选C", "故选：C。", "本题选C。", "选C。", "因此选择C选项。", "【答案】C", "答案 C", "答案为（C）。", "正确选项是C。",
    "综上所述，正确的是C。", "答案是C，酶被抑制。", "答案是C：酶被抑制。", r"\boxed{C}", r"\boxed{c}", r"\boxed{\text{(C)}}", "final answer: (c)",
    "The correct answer is c.", "The correct option is C.", "Option C is correct.", "The correct choice is (C).", "I choose C.",
    "I would choose option C.", "The answer is (C) the enzyme is inhibited.", "The answer is C: the enzyme.", "#### C", "<answer>C</answer>",
    r"\boxed{\text{C: the enzyme is inhibited}}", r"\boxed{\textbf{(C)}\ 12}", r"\boxed{C \text{ (only III)}}", r"\boxed{答案：C}",
    r"\boxed{\text{The answer is C}}", "Answer: Let's think.\nAnswer: C", "A: 让我们想想。所以答案是C。", "We get \\boxed{12}.\n\nThe answer is C.",
]  # fmt: skip
SEVERAL = [
    "AD", "DA", "A, D", "A、D", "A和D", "A and D", "A/D", "故选AD。", "故选：AD．", "本题选AD。", "【答案】AD", "正确选项为A、D。",
    "The correct options are A and D.", "The answers are A and D.", r"\boxed{DA}", r"\boxed{A, D}", r"\boxed{\text{A and D}}", "答案是A、D。",
]  # fmt: skip


@pytest.mark.parametrize("response", ONE)
def test_one_letter(response: str) -> None:
    for grader in (grade, math_answer.grade):
        assert grader(response, "C").score == 1.0
        for other in ("B", "D", "AC", "BC"):
            assert grader(response, other).score == 0.0


@pytest.mark.parametrize("response", SEVERAL)
def test_several_letters_are_a_set(response: str) -> None:
    for reference in ("AD", "A, D", "(A)(D)" if response == "x" else "A、D"):
        for grader in (grade, math_answer.grade):
            assert grader(response, reference).score == 1.0, reference
    for other in ("A", "D", "AB", "ABD", "ACD"):
        assert grade(response, other).score == 0.0


@given(st.sets(st.sampled_from("ABCDEFGHIJ"), min_size=1), st.sets(st.sampled_from("ABCDEFGHIJ"), min_size=1),
       st.sampled_from(["故选{}。", "\\boxed{{{}}}", "The answer is {}.", "【答案】{}"]), st.sampled_from(["", "、", ", "]))  # fmt: skip
def test_only_the_same_set_is_right(
    chosen: set[str], expected: set[str], form: str, separator: str
) -> None:
    outcome = grade(form.format(separator.join(sorted(chosen))), "".join(sorted(expected)))
    assert outcome.score == float(chosen == expected)


@pytest.mark.parametrize(
    "response",
    [
        "C or D",
        "The answer is C or D.",
        "C is wrong",
        "not C",
        "可能是C",
        "",
        "I do not know",
        "A dog",
    ],
)
def test_what_chooses_nothing_or_more_is_not_right(response: str) -> None:
    for size in (1, 2):
        for letters in combinations("ABCD", size):
            assert grade(response, "".join(letters)).score == 0.0


OPTIONS = ["the cell", "the gene", "the enzyme", "None of the above"]


@pytest.mark.parametrize(
    ("response", "score"),
    [("The answer is the enzyme.", 1.0), ("\\boxed{\\text{The Enzyme}}", 1.0), ("C", 1.0), ("The answer is (C) the enzyme.", 1.0),
     ("The answer is the gene.", 0.0), ("The answer is an enzyme of the cell.", 0.0)],
)  # fmt: skip
def test_the_text_of_an_option_chooses_it(response: str, score: float) -> None:
    assert grade(response, "C", OPTIONS).score == score
    assert grade(response, "the enzyme", OPTIONS).score == score


@pytest.mark.parametrize("reference", ["", "N/A", "42", "the enzyme", "K", "见解析", None, 3])
def test_a_reference_that_names_no_option_abstains(reference: str) -> None:
    assert grade("C", reference).reason is Reason.BAD_REFERENCE


def test_a_letter_beyond_the_options_abstains() -> None:
    assert grade("C", "E", OPTIONS).reason is Reason.BAD_REFERENCE


def test_areals_signature() -> None:
    assert choice_reward_fn("p", "故选C。", [], [], answer="C", options=OPTIONS, id=7) == 1.0
    with pytest.raises(Abstained, match="bad_reference"):
        choice_reward_fn("p", "故选C。", [], [], answer="")
