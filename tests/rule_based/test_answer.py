r"""One reading of a response, for every grader: what holds for any text, and the kinds that once failed."""

import inspect
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.rule_based import choice, geometry3k, gsm8k, math_answer
from examples.rule_based.answer import find, is_placeholder, read_value
from examples.shared.outcome import Reason

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (HERE / "reading_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
OTHERS = [
    json.loads(line)
    for name in ("gsm8k_cases_en.jsonl", "gsm8k_cases_zh.jsonl", "math_cases.jsonl")
    for line in (HERE / name).read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_every_case_of_a_kind(kind: str) -> None:
    wrong = [
        f"{case['response']!r} for {case['reference']!r}: {outcome}"
        for case in CASES
        if case["kind"] == kind
        and (outcome := math_answer.grade(case["response"], case["reference"])).score
        != case["expected"]
    ]
    assert not wrong, "\n".join(wrong)


# --- One reading ------------------------------------------------------------------------------


def test_the_reader_never_sees_the_reference() -> None:
    assert list(inspect.signature(find).parameters) == ["response", "forms"]


@pytest.mark.parametrize("cases", [CASES, OTHERS], ids=["reading", "others"])
def test_graders_agree_wherever_the_reference_is_a_number(cases: list[dict[str, Any]]) -> None:
    compared = 0
    for case in cases:
        outcome = gsm8k.grade(case["response"], case["reference"])
        if outcome.reason is Reason.BAD_REFERENCE:
            continue
        compared += 1
        for grader in (math_answer.grade, geometry3k.grade):
            assert grader(case["response"], case["reference"]).score == outcome.score, case
    assert compared > 150


PIECES = st.sampled_from(
    r"""The answer is |the answer is |Answer: |答案是|答：|#### |\boxed{|}|<answer>|</answer>|So |所以|因此|17|18|-18|1,718|17.5|18%|$18
    |x = |y = |=|, |; |。|. | or | and |或|和|不是|not |at least |about |约|元|eggs| dollars|个|\frac{17}{18}|(|)|[|]|\n|?|{|\text{ or }
    | when |当|时|此时|，|<think>|</think>|17 or 18|Wait, | hundred|十八|一十七|A|C|故选|\sqrt{|^2|±|~|-|→|/""".replace(
        "\n    ", ""
    ).split("|")
) | st.sampled_from(["|", "\n"])
RESPONSES = st.lists(PIECES, min_size=1, max_size=9).map("".join)
REFERENCES = [
    "17",
    "18",
    "-18",
    "1718",
    "17/18",
    "35/2",
    "17, 18",
    "x = 17",
    "A",
    "AC",
    r"\sqrt{18}",
    "289",
    "1800",
    "eggs",
]


@given(RESPONSES)
@settings(max_examples=1500)
def test_no_response_is_right_for_two_references(response: str) -> None:
    for grader in (gsm8k.grade, math_answer.grade, choice.grade):
        right = [ref for ref in REFERENCES if grader(response, ref).score == 1.0]
        assert len(right) < 2 or set(right) == {"17", "x = 17"}, right


@given(RESPONSES)
@settings(max_examples=1500)
def test_any_response_is_the_same_number_for_every_grader(response: str) -> None:
    for reference in ("17", "18", "-18", "17/18"):
        scores = {
            g(response, reference).score for g in (gsm8k.grade, math_answer.grade, geometry3k.grade)
        }
        assert len(scores) == 1


FORMS = [
    "\\boxed{{{}}}",
    "#### {}\n",
    "The answer is {}.",
    "答案是{}。",
    "<answer>{}</answer>",
    "**Answer:** {}\n",
]
EMPTY = [
    "\\boxed{}",
    "\\boxed{?}",
    "\\boxed{\\text{unknown}}",
    "\n####",
    "<answer></answer>",
    "<answer>",
    "\\boxed{\\quad}",
]


@given(
    st.integers(0, 9999),
    st.sampled_from(FORMS),
    st.sampled_from(EMPTY),
    st.text("ab .\n", max_size=20),
)
def test_a_closed_statement_that_is_empty_withdraws_what_was_said(
    n: int, form: str, empty: str, between: str
) -> None:
    assert find(form.format(n)).number == n  # type: ignore[union-attr]
    assert find(form.format(n) + between + "\n" + empty) is None


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from(FORMS))
def test_what_is_no_value_in_a_phrase_withdraws_nothing(a: int, b: int, form: str) -> None:
    response = f"{form.format(a)} The answer is not {b}."
    assert find(response).number == a  # type: ignore[union-attr]


NAMES = ["x", "y", "Tom", "长", "f(2)", "x_1", "P(X=1)"]


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=4, unique=True), st.sampled_from(FORMS),
       st.sampled_from([", ", " or ", " and ", "; ", "、", "或", "，"]), st.booleans(), st.data())  # fmt: skip
def test_several_values_are_never_one_of_them(
    numbers: list[int], form: str, separator: str, with_names: bool, data: st.DataObject
) -> None:
    names = data.draw(st.permutations(NAMES)) if with_names else None
    parts = [f"{names[i]} = {n}" if names else str(n) for i, n in enumerate(numbers)]
    response = form.format(separator.join(parts))
    for n in numbers:
        assert math_answer.grade(response, str(n)).score == 0.0, response
        assert gsm8k.grade(response, str(n)).score == 0.0, response


CONDITIONS = ["{v} when {n} = {p}", "{v}, attained at {n} = {p}", "{v} for {n} = {p}", "{v} ({n} = {p})", "{v} if {n}={p}",
              "{v}，此时{n}={p}", "当{n}={p}时，最大值为{v}", "{v} \\text{{ when }} {n} = {p}", "${v}$ at ${n} = {p}$"]  # fmt: skip


@given(
    st.integers(-99, 99),
    st.integers(-99, 99),
    st.sampled_from(CONDITIONS),
    st.sampled_from("xtn"),
    st.sampled_from(FORMS),
)
def test_where_a_value_is_taken_is_not_the_value(
    v: int, p: int, condition: str, n: str, form: str
) -> None:
    if "$" in condition and "boxed" in form:
        return
    response = form.format(condition.format(v=v, n=n, p=p))
    assert math_answer.grade(response, str(v)).score == 1.0, response
    if v != p:
        assert math_answer.grade(response, str(p)).score == 0.0, response


# --- A sentence that concludes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "number"),
    [("So she makes 18 dollars.", 18), ("She sold half. Therefore, Janet makes $18 every day.", 18), ("所以一共买了18个苹果。", 18),
     ("共有20个。\n因此，还剩18个。", 18), ("In total, they have 18 eggs.", 18), ("so x = 18", 18), ("The side is [18].", 18)],
)  # fmt: skip
def test_a_closing_conclusion_with_one_number_states_it(response: str, number: int) -> None:
    answer = find(response)
    assert answer
    assert answer.number == number


@pytest.mark.parametrize(
    "response",
    ["So she makes 17 or 18 dollars.", "So she does not make 18 dollars.", "So Tom has 3 and Ann has 18.", "所以没有18个。",
     "So she makes at least 18 dollars.", "So she makes 18 dollars. Let us check.", "She makes 18 dollars.", "所以至少有18个。"],
)  # fmt: skip
def test_what_concludes_nothing_states_nothing(response: str) -> None:
    answer = find(response)
    assert answer is None or answer.number is None


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("$18.00", 18), ("**18**", 18), ("18 eggs", 18), ("x = 18", 18), ("十八元", 18), ("about 18", 18), ("US$18", 18),
     ("18 (9 * 2)", 18), ("the maximum is 18", 18), ("每小时18公里", 18), ("1.8e1", 18), ("36/2", 18), ("9 + 9 = 18", 18)],
)  # fmt: skip
def test_a_value_is_read_whole(text: str, number: int) -> None:
    answer = read_value(text)
    assert answer
    assert answer.number == Fraction(number)


@pytest.mark.parametrize(
    "text",
    [
        "18 or so",
        "at least 18",
        "18 dozen",
        "18 wrong",
        "not 18",
        "18以上",
        "18的两倍",
        "±18",
        "18 => 19",
    ],
)
def test_what_is_not_read_whole_is_no_number(text: str) -> None:
    answer = read_value(text)
    assert answer is None or answer.number is None


@pytest.mark.parametrize(
    "text", ["", "?", "...", "nan", "None", "proof", "略", "见解析", "See below.", "\\quad", "—"]
)
def test_a_placeholder_is_no_value(text: str) -> None:
    assert is_placeholder(text)
    assert read_value(text) is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_not(text: str) -> None:
    find(text)
    read_value(text)
    find(f"\\boxed{{{text}}}")
