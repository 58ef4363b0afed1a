r"""Where an answer is stated: every row of the table, what is no row, and rows of a reader's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based.forms import FORMS, Form, statements
from examples.rule_based.gsm8k import grade
from examples.shared.text import plain

ROWS = {
    "hashes": "#### 18",
    "box": r"So $\boxed{18}$.",
    "tag": "<answer>18</answer>",
    "json text": '{"final_answer": "18"}',
    "json": '{"answer": 18}',
    "the answer is": "Therefore, the final answer is 18.",
    "the answer is that": "The answer is that she makes 18 dollars.",
    "answer:": "**Answer:** 18",
    "ans": "Ans. 18",
    "a heading": "## Answer\n\n18",
    "18 is the answer": "So 18 is the answer.",
    "the solutions are": "The solution is 18.",
    "the correct option is": "The correct option is C.",
    "the correct choice is": "The correct choice is (C).",
    "I choose": "I choose C.",
    "option C is correct": "Option C is correct.",
    "A:": "Q: How many?\nA: 18",
    "json 答案": '{"答案": 18}',
    "答案是": "所以答案是18。",
    "【答案】": "【答案】18",
    "答：": "答：一共18个。",
    "故选": "故选C。",
    "正确的是": "正确的是C。",
    "解为": "所以解为18。",
    "取值范围是": "取值范围是x>2。",
    "结果是": "计算结果是18",
    "根为": "所以方程的根为3和5。",
    "错误的是": "错误的是C。",
    "conclusion": "So she makes 18 dollars.",
    "so x =": "By Pythagoras, so x = 18",
    "a last bracket": "The length is [18].",
}  # fmt: skip


def first(text: str) -> str:
    statement = next(statements(plain(text)), None)
    return statement.form.name if statement else ""


def test_every_row_has_an_example() -> None:
    assert ROWS.keys() == {form.name for form in FORMS}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_finds_its_example(name: str) -> None:
    assert first(ROWS[name]) == name


@pytest.mark.parametrize(
    "text",
    ["If the answer is 18, we are done.", "The student's answer is 18.", "I doubt that the answer is 18.",
     'He wrote "the answer is 18" there', "> The answer is 18.\n\nNo.", "如果答案是18，就好了", "小明的答案是18。",
     "有人说答案是18。", "错误答案是18。", "The wrong answer is 18.", "Is the answer 18?", "答案是18吗？", "The answer is 18?"],
)  # fmt: skip
def test_what_does_not_begin_its_clause_is_no_statement(text: str) -> None:
    assert not first(text)


def test_statements_come_from_the_end() -> None:
    text = "#### 1\nThe answer is 2. \\boxed{3} 答案是4。\nSo it is 5."
    assert [s.form.name for s in statements(text)] == [
        "答案是",
        "box",
        "the answer is",
        "hashes",
        "conclusion",
    ]


def test_a_statement_is_what_its_form_holds() -> None:
    assert [s.text for s in statements(r"The answer is \boxed{\frac{1}{2}} or so.")] == [
        r"\frac{1}{2}", r"\boxed{\frac{1}{2}} or so",
    ]  # fmt: skip


@pytest.mark.parametrize("text", [r"\boxed{18", "<answer>18", r"\boxed{" + "{" * 2000])
def test_a_form_that_never_closes_holds_nothing(text: str) -> None:
    statement = next(statements(text))
    assert statement.form.closes
    assert statement.text is None


@given(st.text(max_size=300))
def test_any_text_has_statements_or_none(text: str) -> None:
    assert all(statement.form in FORMS for statement in statements(text))


def test_to_add_a_phrase_is_to_add_a_row() -> None:
    mine = Form("result", "<result>", r"<result>", closes="</", before="")
    assert grade("9 * 2 = 18 <result>$18</result>", "18").score == 0.0
    assert grade("9 * 2 = 18 <result>$18</result>", "18", forms=(*FORMS, mine)).score == 1.0
    assert grade("The answer is 18. <result></result>", "18", forms=[*FORMS, mine]).score == 0.0


def test_a_reader_may_allow_one_form_alone() -> None:
    strict = [form for form in FORMS if form.name == "hashes"]
    assert grade("#### 18", "18", strict).score == 1.0
    assert grade("The answer is 18.", "18", strict).score == 0.0
