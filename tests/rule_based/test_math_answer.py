r"""The symbolic grader: labelled cases of every class, the four laws, and that nothing makes it hang."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from examples.rule_based import symbolic
from examples.rule_based.expression import read
from examples.rule_based.math_answer import grade, math_answer_reward_fn, read_reference
from examples.rule_based.trees import TooComplex, Unreadable
from examples.shared.outcome import Abstained, Reason

HERE = Path(__file__).parent


def lines(name: str) -> list[dict[str, Any]]:
    text = (HERE / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


CASES = lines("math_cases.jsonl")
REFERENCES = [row["reference"] for row in lines("math_references.jsonl")]
SYMBOLIC = (r"\boxed{2\sqrt{2}}", r"\sqrt{8}")  # only math-verify can tell


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_every_case_of_a_kind(kind: str) -> None:
    wrong = [
        f"{case['response'][-120:]!r} for {case['reference']!r}: {outcome}"
        for case in CASES
        if case["kind"] == kind
        and (outcome := grade(case["response"], case["reference"])).score != float(case["label"])
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "form", ["{}", r"So \boxed{{{}}}.", "The answer is ${}$.", "答案是 ${}$。"]
)
def test_every_reference_matches_itself(form: str) -> None:
    bare = [
        reference for reference in REFERENCES if "$" not in reference and "boxed" not in reference
    ]
    assert len(bare) > 200
    failed = [ref for ref in bare if grade(form.format(ref), ref).score != 1.0]
    assert not failed


@pytest.mark.parametrize(
    ("response", "reference"),
    [
        (r"So \boxed{x_5}", "5"),
        (r"So \boxed{S_{10}}", "10"),
        (r"So \boxed{5是错的}", "5"),
        ("Answer: the opposite of $5$", "5"),
        ("Answer: all real numbers except $0$", "0"),
    ],
)
def test_a_name_or_a_phrase_around_a_number_is_not_the_number(
    response: str, reference: str
) -> None:
    assert grade(response, reference).score == 0.0


# --- Law 1: score what the policy wrote, abstain for what the machinery did -------------------


@pytest.mark.parametrize(
    "reference", ["", "  ", "$$", "N/A", r"\frac{1}{", "2^", r"\begin{cases}", "x +"]
)
def test_a_broken_reference_abstains(reference: str) -> None:
    for response in (r"\boxed{18}", "", "no idea"):
        outcome = grade(response, reference)
        assert outcome.score is None
        assert outcome.reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize("reference", [None, 18, ["18"], b"18"])
def test_a_reference_that_is_no_string_abstains(reference: Any) -> None:
    assert grade(r"\boxed{18}", reference).reason is Reason.BAD_REFERENCE


def test_a_reference_too_costly_to_compare_with_matches_itself_and_abstains_otherwise() -> None:
    reference = r"\sum_{n=1}^{10^9} \frac{1}{n}"
    assert grade(rf"\boxed{{{reference}}}", reference).score == 1.0
    assert grade(r"\boxed{21.3}", reference).reason is Reason.BAD_REFERENCE


# --- Law 2: a score is a pure function of its inputs ------------------------------------------


def test_scores_do_not_depend_on_thread_or_order() -> None:
    cases = random.Random(0).sample(CASES, 200)

    def score(case: dict[str, Any]) -> float | None:
        return grade(case["response"], case["reference"]).score

    alone = [score(case) for case in cases]
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(score, cases)) == alone
    assert [score(case) for case in reversed(cases)] == alone[::-1]


# --- Law 3: an abstention is never silent -----------------------------------------------------


def test_an_abstention_raises_for_areal() -> None:
    with pytest.raises(Abstained, match="bad_reference"):
        math_answer_reward_fn("p", r"\boxed{1}", [], [], answer="")


def test_areals_signature_takes_numbers_and_the_other_columns() -> None:
    assert math_answer_reward_fn("p", r"\boxed{\frac12}", [], [], answer=0.5, level=3) == 1.0


# --- Law 4: text is data, however expensive ---------------------------------------------------

HOSTILE = lines("math_hostile.jsonl")


def text_of(row: dict[str, Any]) -> str:
    if row["response"] is not None:
        return str(row["response"])
    return str(row["prefix"] + row["unit"] * row["repeat"] + row["suffix"])


@pytest.mark.parametrize("form", ["{}", r"\boxed{{{}}}", "The answer is ${}$."])
def test_hostile_texts_are_scored_and_none_waits_for_the_deadline(form: str) -> None:
    for row in HOSTILE:
        outcome = grade(form.replace("{}", text_of(row)).replace("{{", "{").replace("}}", "}")
                        if len(text_of(row)) < 2000 else text_of(row), row["reference"])  # fmt: skip
        assert outcome.score is not None, (row["kind"], outcome)


@pytest.mark.parametrize(
    "text",
    ["9**9**9", "9^{9^{9}}", "100000!", r"\binom{10^9}{10^8}", r"\sum_{n=1}^{10^9} n", r"\int_0^1 x^x dx",
     "10^{999999999}", "1e999999999", r"\prod_{k} k", "(x+y+z+w)^{500}", r"x^{x^{x}}", r"(\sqrt{2}+1)^{1000}", "9" * 2000],
)  # fmt: skip
def test_what_costs_too_much_is_refused_from_the_text(text: str) -> None:
    outcome = grade(rf"\boxed{{{text}}}", r"x^2+1" if "x" in text else "18")
    assert outcome.score == 0.0
    with pytest.raises((TooComplex, Unreadable)):
        symbolic.guard(read(text))


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('touch pwned')", r"\input{/etc/passwd}", "open('pwned','w')", "print(1)",
     r"\write18{touch pwned}", "x.__class__", "lambda: 0"],
)  # fmt: skip
def test_text_is_never_evaluated(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for form in ("{}", r"\boxed{{{}}}", "The answer is {}."):
        assert grade(form.format(text), r"\sqrt{2}").score == 0.0
    assert not list(tmp_path.iterdir())


# --- Properties -------------------------------------------------------------------------------

ALPHABET = st.sampled_from(
    r"\frac { } ( ) [ ] \sqrt ^ _ 1 23 x y \pi + - * / = < \le , ; $ \boxed{ \text{ or } & \\ "
    r"\begin{pmatrix} \end{pmatrix} \left \right | ! \pm \cup \infty e i . 0.5 \sin \log sqrt( 答案是 元 ² √ #### \{ \}".split()
)


@given(st.lists(ALPHABET, max_size=30).map("".join) | st.text(max_size=60))
@settings(max_examples=400)
def test_any_response_scores_or_abstains_and_never_raises(text: str) -> None:
    assert grade(text, r"\frac{\pi}{2}").score in (0.0, 1.0)
    assert grade(rf"\boxed{{{text}}}", "18").score in (0.0, 1.0)
    grade(r"\boxed{18}", text)


NUMBERS = st.fractions(min_value=-1000, max_value=1000, max_denominator=1000)


def written(value: Fraction) -> list[str]:
    sign = "-" if value < 0 else ""
    top, low = abs(value.numerator), value.denominator
    forms = [
        rf"{sign}\frac{{{top}}}{{{low}}}",
        rf"\dfrac{{{value.numerator}}}{{{low}}}",
        f"{value.numerator}/{low}",
        rf"{sign}\frac{{{2 * top}}}{{{2 * low}}}",
        rf"x = {sign}\tfrac{{{top}}}{{{low}}}",
    ]
    whole, rest = divmod(top, low)
    if whole and rest:
        forms.append(
            rf"{sign}{whole}\frac{{{rest}}}{{{low}}}" if not sign else f"-({whole}+{rest}/{low})"
        )
    if low == 1:
        forms += [str(value), f"{value}.0", f"{value}^\\circ", rf"{value} \text{{ cm}}"]
    return forms


@given(NUMBERS, NUMBERS)
@settings(max_examples=150)
def test_numbers_are_equal_by_value_in_every_form(a: Fraction, b: Fraction) -> None:
    for form in written(a):
        assert (
            grade(rf"\boxed{{{form}}}", rf"\frac{{{a.numerator}}}{{{a.denominator}}}").score == 1.0
        )
        if a != b:
            assert grade(rf"\boxed{{{form}}}", str(b)).score == 0.0


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=5, unique=True), st.randoms())
@settings(max_examples=60)
def test_lists_have_no_order_and_tuples_have(numbers: list[int], rng: random.Random) -> None:
    shuffled = numbers[:]
    rng.shuffle(shuffled)
    one, two = (", ".join(map(str, row)) for row in (numbers, shuffled))
    assert grade(rf"\boxed{{{two}}}", one).score == 1.0
    assert grade(rf"\boxed{{\{{{two}\}}}}", one).score == 1.0
    assert grade(rf"\boxed{{({two})}}", f"({one})").score == float(numbers == shuffled)
    assert grade(rf"\boxed{{{two}}}", str(numbers[0])).score == 0.0
    assert grade(rf"\boxed{{{numbers[0]}}}", one).score == 0.0


@given(st.integers(2, 400), st.integers(-9, 9))
@settings(max_examples=40)
def test_roots_and_polynomials_are_equal_in_every_form(n: int, k: int) -> None:
    assume(k)
    assert grade(rf"\boxed{{\frac{{{n}}}{{\sqrt{{{n}}}}}}}", rf"\sqrt{{{n}}}").score == 1.0
    assert grade(rf"\boxed{{(x+{n})(x-{n}) + ({k})x}}", rf"x^2 + ({k})x - {n * n}").score == 1.0
    assert grade(rf"\boxed{{(x+{n})(x-{n})}}", rf"x^2 + ({k})x - {n * n}").score == 0.0


@pytest.mark.parametrize(
    "reference",
    ["proof", "nan", "None", "见解析", "证明略", "See the solution.", "答案不唯一", "...", "-"],
)
def test_a_placeholder_is_no_reference(reference: str) -> None:
    for response in (r"\boxed{18}", reference, "no idea"):
        assert grade(response, reference).reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize(
    "reference",
    ["The sequence converges.", "It is a circle of radius two", r"\sum_{i} \binom{n}{i}"],
)
def test_a_reference_that_cannot_be_read_matches_itself_alone(reference: str) -> None:
    assert grade(rf"\boxed{{{reference}}}", reference).score == 1.0
    assert grade(r"\boxed{18}", reference).reason is Reason.BAD_REFERENCE


@pytest.mark.parametrize(
    ("reference", "same"),
    [
        ("The answer is 7", "7"),
        ("答案：7", "7"),
        ("答：7个", "7"),
        ("(1) 7; (2) 8", "7, 8"),
        ("①7 ②8", "7, 8"),
        ("约7", "7"),
    ],
)
def test_words_around_a_reference_are_read(reference: str, same: str) -> None:
    ours, theirs = read_reference(reference), read_reference(same)
    assert ours
    assert theirs
    assert ours.value == theirs.value or ours.number == theirs.number
