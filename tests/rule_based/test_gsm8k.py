"""The GSM8K grader: labelled cases of every class, then properties that hold for any text."""

import json
import random
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from examples.rule_based.gsm8k import extract_answer, grade, gsm8k_reward_fn
from examples.shared.outcome import Abstained, Reason

HERE = Path(__file__).parent
CASES = [
    json.loads(line)
    for name in ("gsm8k_cases_en.jsonl", "gsm8k_cases_zh.jsonl")
    for line in (HERE / name).read_text(encoding="utf-8").splitlines()
]
CLASSES = sorted({case["class"] for case in CASES})


@pytest.mark.parametrize("name", CLASSES)
def test_every_case_of_a_class(name: str) -> None:
    wrong = [
        f"{case['response'][-120:]!r} for {case['reference'][-30:]!r}: {outcome}"
        for case in CASES
        if case["class"] == name
        and (outcome := grade(case["response"], case["reference"])).score != case["expected"]
    ]
    assert not wrong, "\n".join(wrong)


# --- Law 1: score what the policy wrote, abstain for what the machinery did -------------------


@pytest.mark.parametrize(
    "reference", ["", "none", "n/a", "####", "#### ", "x + 1", "17, 18", "inf", "x^2 + y^2 = 4"]
)
def test_a_broken_reference_abstains_whatever_the_response(reference: str) -> None:
    for response in ("#### 18", "", "no idea"):
        outcome = grade(response, reference)
        assert outcome.score is None
        assert outcome.reason is Reason.BAD_REFERENCE


@given(st.text())
def test_any_response_scores(response: str) -> None:
    assert grade(response, "18").score in (0.0, 1.0)


@pytest.mark.parametrize("reference", [None, 18, 18.0, ["18"], b"18", {"answer": "18"}])
def test_a_reference_that_is_no_string_abstains(reference: Any) -> None:
    assert grade("#### 18", reference).reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize("answer", [18, 18.0, numpy.int64(18), numpy.float32(18), Fraction(18)])
def test_a_column_of_numbers_is_a_reference_for_areal(answer: float) -> None:
    assert gsm8k_reward_fn("q", "#### 18", [1], [2], answer=answer) == 1.0


@pytest.mark.parametrize("answer", [None, ["18"]])
def test_a_column_that_holds_no_number_raises_for_areal(answer: Any) -> None:
    with pytest.raises(Abstained, match="bad_reference"):
        gsm8k_reward_fn("q", "#### 18", [1], [2], answer=answer)


def test_an_abstention_raises_for_areal() -> None:
    with pytest.raises(Abstained, match="bad_reference"):
        gsm8k_reward_fn("q", "#### 18", [1], [2], answer="unknown")


def test_areals_signature_takes_the_data_sets_other_columns() -> None:
    columns: dict[str, Any] = {"answer": "2 * 9 = <<2*9=18>>18\n#### 18", "question": "?", "id": 7}
    reward = gsm8k_reward_fn("q", "So the answer is 18.", [1], [2], **columns)
    assert type(reward) is float
    assert reward == 1.0


# --- Law 2: a pure function of its inputs -----------------------------------------------------


def test_scores_do_not_depend_on_thread_or_order() -> None:
    cases = random.Random(0).sample(CASES, 300)
    expected = [grade(case["response"], case["reference"]) for case in cases]
    results: list[list[object]] = [[] for _ in range(8)]

    def work(slot: list[object], seed: int) -> None:
        order = random.Random(seed).sample(range(len(cases)), len(cases))
        graded = {i: grade(cases[i]["response"], cases[i]["reference"]) for i in order}
        slot.extend(graded[i] for i in range(len(cases)))

    threads = [threading.Thread(target=work, args=(slot, n)) for n, slot in enumerate(results)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(slot == expected for slot in results)


def test_a_megabyte_of_anything_gives_an_outcome() -> None:
    """A quadratic step would need hours; the limit of a minute only ends a hang."""
    command = [sys.executable, "-m", "benchmarks.rule_based", "--hostile"]
    result = subprocess.run(
        command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "every call gave an outcome" in result.stdout


def test_a_long_solution_does_not_hide_its_answer() -> None:
    steps = "Then we add 3 apples to the 4 pears. " * 30_000
    assert grade(f"{steps}\nThe answer is 72.", "72").score == 1.0
    assert grade(f"<think>{steps}</think>\n\\boxed{{72}}", "72").score == 1.0


@pytest.mark.parametrize("text", ["9" * 100_000, "1e999999999", "1e-999999999", "10^999999", "1/0"])
def test_numbers_too_large_to_mean_anything_are_no_answer(text: str) -> None:
    assert grade(f"#### {text}", "72").score == 0.0
    assert grade("72", text).reason is Reason.BAD_REFERENCE


# --- Exact numbers, in every format -----------------------------------------------------------

integers = st.integers(-(10**12), 10**12)
decimals = st.decimals(-(10**6), 10**6, places=4, allow_nan=False, allow_infinity=False)
STATEMENTS = [
    "#### {}", "\\boxed{{{}}}", "$\\boxed{{{}}}$", "The answer is {}.", "The answer is **{}**.",
    "**Final Answer:** {}", "Answer: {} eggs", "<answer>{}</answer>", "答案是{}。", "答案为：{}元",
    "最终答案为:{}。", "答：一共{}个。", "{}", "<think>It is 1.</think>\n\nThe final answer is {}.",
]  # fmt: skip


def wide(text: str) -> str:
    return text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789-.,"})


FORMATS = [
    lambda n: str(n),
    lambda n: f"{n:,}",
    lambda n: f"{n:,}".replace(",", "{,}"),
    lambda n: f"{n:,}".replace(",", "\\,"),
    lambda n: f"{n:,}".replace(",", "\u2009"),
    lambda n: f"{n}.00",
    lambda n: str(n).replace("-", "\u2212"),
    lambda n: wide(str(n)),
    lambda n: f"{n}".replace("-", "-$") if n < 0 else f"${n}",
]


@given(integers, st.sampled_from(STATEMENTS), st.sampled_from(FORMATS))
def test_every_format_in_every_statement(n: int, statement: str, written: Any) -> None:
    response = statement.format(written(n))
    assert grade(response, str(n)).score == 1.0, response
    assert grade(response, str(n + 1)).score == 0.0, response
    assert extract_answer(response) == str(n)


@given(integers)
def test_a_number_is_its_own_answer(n: int) -> None:
    assert grade(f"{n}", f"{n}").score == 1.0
    assert grade(f"{n}", f"some work\n#### {n:,}").score == 1.0


@given(decimals)
def test_decimals_are_exact(d: Any) -> None:
    response = f"The answer is {d:f}."
    assert extract_answer(response) == str(Fraction(d))
    assert grade(response, f"{d:f}").score == 1.0
    assert grade(response, f"{d:.4f}" + "0" * 25 + "1").score == 0.0


@given(st.integers(1, 99), st.integers(1, 98), st.integers(2, 99))
def test_fractions_and_mixed_numbers(whole: int, top: int, low: int) -> None:
    assume(top < low)
    value = whole + Fraction(top, low)
    for text in (f"{whole} {top}/{low}", f"{whole}\\frac{{{top}}}{{{low}}}"):
        assert extract_answer(f"\\boxed{{{text}}}") == str(value)


# --- What is no commitment --------------------------------------------------------------------

NO_COMMITMENT = [
    "{0}, {1}", "{0} or {1}", "{0}-{1}", "{0} to {1}", "{0}~{1}", "{0}/{1}/{0}", "at least {0}",
    "more than {0}", "between {0} and {1}", "not {0}", "{0} + {1}", "{0} × {1}", "{0}^{1}", "{0}_8",
    "{0}_{{8}}", "- {0}", "±{0}", "> {0}", "≥{0}", "x{0}", "0x{0}", "{0}…{1}", "{0} and {1}",
]  # fmt: skip
NO_COMMITMENT_ZH = [
    "{0}、{1}", "{0}或{1}", "{0}到{1}", "{0}至{1}之间", "不是{0}", "大于{0}", "至少{0}", "超过{0}",
    "{0}以上", "{0}多", "{0}和{1}", "可能是{0}或{1}",
]  # fmt: skip


@given(st.integers(20, 9999), st.integers(20, 9999), st.sampled_from(NO_COMMITMENT))
def test_what_names_no_single_value_is_no_answer(a: int, b: int, form: str) -> None:
    if a == b:
        b += 1
    stated = form.format(a, b)
    for response in (f"The answer is {stated}", f"#### {stated}", f"\\boxed{{{stated}}}", stated):
        for reference in (a, b):
            assert grade(response, str(reference)).score == 0.0, response


@given(st.integers(20, 9999), st.integers(20, 9999), st.sampled_from(NO_COMMITMENT_ZH))
def test_what_names_no_single_value_in_chinese_is_no_answer(a: int, b: int, form: str) -> None:
    if a == b:
        b += 1
    response = f"答案是{form.format(a, b)}。"
    for reference in (a, b):
        assert grade(response, str(reference)).score == 0.0, response


@given(st.text(alphabet=st.characters(blacklist_characters="#"), max_size=200), integers)
@settings(max_examples=200)
def test_thought_never_counts(thought: str, n: int) -> None:
    for tag in ("think", "thinking", "Thinking", "THINK", "thought", "analysis"):
        assert grade(f"<{tag}>{thought} #### {n}", str(n)).score == 0.0
        assert grade(f"<{tag}>{thought} #### {n}</{tag}>", str(n)).score == 0.0
    assert grade(f"the answer is {n}</think>", str(n)).score == 0.0


@given(integers, integers)
def test_the_last_number_is_never_taken_for_the_answer(a: int, b: int) -> None:
    assert grade(f"She had {a} eggs and sold some, so there are {b} left.", str(b)).score == 0.0


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_the_last_statement_counts(a: int, b: int) -> None:
    for form in (
        "The answer is {}.",
        "\\boxed{{{}}}",
        "#### {}\n",
        "答案是{}。",
        "<answer>{}</answer>",
    ):
        assert extract_answer(form.format(a) + " " + form.format(b)) == str(b)


REMARKS = [
    "It should be noted that eggs are fragile.", "This is actually the same as a dozen and a half.",
    "The customers wait 5 minutes.", "I made a table of the 3 steps.", "Let me know if you need more!",
    "A common mistake is to forget the 3 eggs she eats.", "Each of the 9 eggs costs 2 dollars.",
    "Check: 9 * 2 = 18.", "Would you like another problem?", "没错，就是这个数。", "希望对你有帮助！",
    "如果有不对的地方，请告诉我。", "共有苹果、梨等等。", "Wait, that's wrong.", "I disagree with this.", "上述结果有误。",
]  # fmt: skip


@pytest.mark.parametrize(
    "statement", ["#### 18", "The answer is 18.", "\\boxed{18}.", "答案是18。"]
)
def test_prose_behind_an_answer_leaves_it(statement: str) -> None:
    """To take an answer back, state another: a doubt is no statement."""
    for gap in (" ", "\n\n"):
        for remark in REMARKS:
            if not (statement.startswith("####") and gap == " "):  # the line is the answer
                assert grade(f"{statement}{gap}{remark}", "18").score == 1.0, remark


# --- Law 3 and law 4 --------------------------------------------------------------------------


def test_an_abstention_names_the_reference_it_could_not_read() -> None:
    assert "no idea" in grade("#### 18", "no idea").detail


def test_a_wrong_answer_names_both_values() -> None:
    assert grade("#### 17", "18").detail == "17 is not 18"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').abort()",
        "9**9**9",
        "(lambda: 18)()",
        "{answer}",
        "%s",
        "\\input{/etc/passwd}",
    ],
)
def test_text_is_never_evaluated(text: str) -> None:
    assert grade(f"The answer is {text}", "18").score == 0.0
    assert grade("18", text).reason is Reason.BAD_REFERENCE
