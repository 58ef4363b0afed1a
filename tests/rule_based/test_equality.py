r"""Equality: structure first, then values, then proof; and the letters of a choice."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.rule_based.answer import Answer, read_value
from examples.rule_based.equality import compare, letters
from examples.rule_based.expression import read
from examples.shared.outcome import Reason


def is_equal(answer: str, gold: str) -> bool:
    outcome = compare(Answer(answer, read(answer)), Answer(gold, read(gold)))
    assert outcome.reason in (Reason.CORRECT, Reason.WRONG)
    return outcome.score == 1.0


def stated(text: str) -> Answer:
    answer = read_value(text)
    assert answer
    return answer


STRUCTURES = {
    "number": "{a}",
    "other number": "{b}",
    "list": "{a}, {b}",
    "set": r"\{{{a}, {b}\}}",
    "open": "({a}, {b})",
    "closed": "[{a}, {b}]",
    "half open": "[{a}, {b})",
    "open half": "({a}, {b}]",
    "three": "({a}, {b}, {b})",
    "row": r"\begin{{pmatrix}} {a} & {b} \end{{pmatrix}}",
    "union": r"[{a}, {b}) \cup ({b}, \infty)",
    "equation": "{a}x + {b}y = 0",
    "inequality": "{a}x + {b}y < 0",
    "not strict": r"{a}x + {b}y \le 0",
    "base": "{b}_{{{a}}}",
}


@given(st.integers(2, 40), st.integers(41, 99))
@settings(max_examples=10)
def test_what_is_built_differently_is_different(a: int, b: int) -> None:
    written = {name: stated(form.format(a=a, b=b)) for name, form in STRUCTURES.items()}
    for one, other in permutations(written, 2):
        score = compare(written[one], written[other]).score
        assert score == float({one, other} == {"list", "set"}), (one, other)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [("x = 5", "5"), ("5", "x = 5"), ("x + y = 5", "5"), ("(2, 1)", "x = 2, y = 1"), ("y = 1, x = 2", "(2, 1)"), ("1, 2", "x = 1, y = 2"),
     (r"\{5\}", "5"), ("x > 2", r"(2, \infty)"), (r"(2, \infty)", "x > 2"), (r"x \ne 2", "x < 2 or x > 2"), ("2:4", "1:2"), ("0.5", "1:2"),
     (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)"), (r"(3, 4] \cup [1, 2)", r"[1, 2) \cup (3, 4]"), (r"(\sqrt{8}, 1)", r"(2\sqrt{2}, 1)"),
     (r"1, \sqrt{8}", r"2\sqrt{2}, 1"), ("x = y - 1", "y = x + 1"), (r"\frac{x}{2} = y", "x = 2y"), ("xy", "yx")],
)  # fmt: skip
def test_what_is_the_same_is_equal(answer: str, gold: str) -> None:
    assert is_equal(answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [("5", "x + y = 5"), ("y = 5", "x = 5"), ("2, 1", "x = 1, y = 2"), ("x = 2, y = 1", "(1, 2)"), ("1, 1", "1"), ("1, 2", "1, 1"), ("1:3", "1:2"), ("10_2", "10_3"),
     ("10_2", "2"), ("2", r"x \ne 2"), (r"\emptyset", "0"), (r"2\infty", r"\infty"), ("y = 2x", "x = 2y"), ("x + y > 1", "x + y < 1"),
     ("x + y = 1", "x + y < 1"), ("2x", "x"), (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}"),
     ("abc", "cab")],
)  # fmt: skip
def test_what_is_not_the_same_differs(answer: str, gold: str) -> None:
    assert not is_equal(answer, gold)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(-9, 9))
@settings(max_examples=15)
def test_relations_are_equal_up_to_a_factor(k: int, m: int, c: int) -> None:
    for sign, turned in (("=", "="), ("<", ">"), (r"\le", r"\ge")):
        gold = f"x + {m}y {sign} {c}"
        assert is_equal(f"{k}x + {k * m}y {sign} {k * c}", gold)
        assert is_equal(f"-{k}x - {k * m}y {turned} {-k * c}", gold)
        assert is_equal(f"-{k}x - {k * m}y {sign} {-k * c}", gold) == (sign == "=")
        assert not is_equal(f"{k}x + {k * m}y {sign} {k * c + 1}", gold)


def test_a_logarithm_without_a_base_is_natural_or_decimal() -> None:
    for gold in ("2", r"\ln 100", r"\log_{10} 100", r"2 \log 10"):
        assert is_equal(r"\log 100", gold)
    assert not is_equal(r"\log 100", "3")
    assert not is_equal(r"\ln 100", "2")
    assert not is_equal(r"\log_2 100", "2")


# --- Outcomes -----------------------------------------------------------------------------------

COSTLY = r"\sum_{n=1}^{9} n"


def test_what_costs_too_much_is_the_fault_of_who_wrote_it() -> None:
    assert compare(stated("(x+y+z+w)^{40}"), stated("(w+x+y+z)^{40}")).score == 1.0  # one tree
    assert compare(stated("(x^{50})^2"), stated("x^2")).reason in (Reason.WRONG, Reason.TOO_COMPLEX)
    assert compare(stated("x^{50}x^{50}"), stated("x^{100}")).reason is Reason.BAD_REFERENCE
    assert compare(stated("x^{101} / x^{99}"), stated("x^2")).reason is Reason.TOO_COMPLEX
    assert compare(stated(COSTLY), stated("45")).reason is Reason.TOO_COMPLEX


def test_the_same_text_is_equal_whatever_it_costs() -> None:
    assert compare(stated(COSTLY), stated(COSTLY)).score == 1.0


def test_an_outcome_says_what_was_compared() -> None:
    assert compare(stated("5"), stated("6")).detail == "5 is not 6"
    assert len(compare(stated("9" * 200), stated("8" * 200)).detail) < 100


def test_words_are_equal_but_for_case_and_articles() -> None:
    assert compare(stated("the East"), stated("east")).score == 1.0
    assert compare(stated("west"), stated("east")).score == 0.0
    assert compare(stated("5"), stated("east")).score == 0.0


# --- Letters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("C", "C"), ("(C)", "C"), ("c", "C"), ("C: 5", "C"), ("C. text", "C"), ("option C", "C"), ("选项C", "C"), ("AD", "AD"), ("DA", "AD"),
     ("A, D", "AD"), ("A and D", "AD"), ("A和D", "AD"), ("C or D", ""), ("A, A", ""), ("K", ""), ("5", ""), ("ab", ""), ("east", "")],
)  # fmt: skip
def test_the_letters_of_a_choice(text: str, expected: str) -> None:
    assert letters(stated(text)) == expected


def test_letters_have_no_order_unless_the_reference_has_one() -> None:
    assert compare(stated("D, A"), stated("AD")).score == 1.0
    assert compare(stated("A"), stated("AD")).score == 0.0
    assert compare(stated("ABC"), stated("BCA")).score == 0.0
    assert compare(stated("BCA"), stated("BCA")).score == 1.0
