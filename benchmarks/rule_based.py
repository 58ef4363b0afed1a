"""Accuracy and speed of rule-based graders, side by side in one run.

    python -m benchmarks.rule_based
    python -m benchmarks.rule_based --data gsm8k_test.jsonl --data tora70b_gsm8k.jsonl

Without `--data` the book's own labelled sample is used. A data file is JSON Lines in one of these forms:

- the book's: `response`, `reference`, `label`;
- GSM8K's (openai/grade-school-math): `question`, `answer`. The worked answer is the response. Each
  is graded against its own reference, which is right, and against the next problem's, which is
  wrong unless both are equal;
- ToRA's (microsoft/ToRA): `code`, `gt`, `pred`. The label is ToRA's own evaluation: `pred` equals `gt`.

`--conclusions` reads GSM8K's worked answers without their last line, `#### 18`. The closing sentence is
written as a conclusion, with the result in place of its sum: "So he runs 540 meters". It prints how many are
read rightly, wrongly, and not at all.

`--hostile` grades texts of a million characters that are made to be slow to read, and prints the
slowest, each the best of three calls.

Speed is the best of `--rounds` passes over the same cases on one core; compare only within a run.
"""

import argparse
import json
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from examples.rule_based import equality, gsm8k, math_answer, symbolic
from examples.rule_based.answer import find

SAMPLE = Path(__file__).parent.parent / "notebooks" / "data" / "gsm8k_labelled.jsonl"


class Case(NamedTuple):
    response: str
    reference: str
    label: bool


Grader = Callable[[str, str], bool]


def book(response: str, reference: str) -> bool:
    return gsm8k.grade(response, reference).score == 1.0


def book_math(response: str, reference: str) -> bool:
    return math_answer.grade(response, reference).score == 1.0


def math_verify(response: str, reference: str) -> bool:
    """As its README shows it: parse both sides with the defaults, then verify."""
    from math_verify import parse, verify

    return bool(verify(parse(reference), parse(response)))


def math_verify_wrapped(response: str, reference: str) -> bool:
    """With the reference between dollar signs, without which it is not read as LaTeX."""
    from math_verify import parse, verify

    dollars = reference if "$" in reference else f"${reference}$"
    return bool(verify(parse(dollars), parse(response)))


def last_number(response: str, reference: str) -> bool:
    """The last number of the text, wherever it stands."""
    numbers = re.findall(r"-?[0-9][0-9,]*(?:\.[0-9]+)?", response)
    return bool(numbers) and numbers[-1].replace(",", "") == reference.replace(",", "")


def hash_or_box(response: str, reference: str) -> bool:
    r"""The first number behind `####` or in `\boxed{}`, compared as text."""
    match = re.search(r"(?:#### |\\boxed\{)\$?(-?[0-9.,]+)", response)
    return match is not None and match[1].replace(",", "") == reference.replace(",", "")


GRADERS: dict[str, Grader] = {
    "gsm8k.grade": book,
    "math_answer.grade": book_math,
    "math-verify": math_verify,
    "math-verify, $...$": math_verify_wrapped,
    "regex: last number": last_number,
    "regex: #### or boxed": hash_or_box,
}


def equal(a: str, b: str) -> bool:
    try:
        return abs(Fraction(a.replace(",", "")) - Fraction(b.replace(",", ""))) < Fraction(1, 1000)
    except (ValueError, ZeroDivisionError):
        return a == b


def read_cases(path: Path) -> list[Case]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise SystemExit(f"{path}:{number}: not JSON: {error}") from None
    keys = set(rows[0]) if rows else set()
    if {"response", "reference", "label"} <= keys:
        return [Case(row["response"], row["reference"], bool(row["label"])) for row in rows]
    if {"code", "gt", "pred"} <= keys:
        return [Case(r["code"][0], r["gt"], equal(r["pred"][0], r["gt"])) for r in rows]
    if {"question", "answer"} <= keys:
        references = [row["answer"].rpartition("####")[2].strip() for row in rows]
        others = references[1:] + references[:1]
        return [
            Case(row["answer"], ref, True) for row, ref in zip(rows, references, strict=True)
        ] + [
            Case(row["answer"], other, equal(ref, other))
            for row, ref, other in zip(rows, references, others, strict=True)
        ]
    raise SystemExit(f"{path}: needs response, reference, label, or GSM8K's or ToRA's columns")


def judge(grader: Grader, cases: list[Case]) -> tuple[float, int, int]:
    """Return accuracy, false accepts and false rejects."""
    verdicts = [grader(case.response, case.reference) for case in cases]
    accepts = sum(v and not case.label for v, case in zip(verdicts, cases, strict=True))
    rejects = sum(case.label and not v for v, case in zip(verdicts, cases, strict=True))
    return 1 - (accepts + rejects) / len(cases), accepts, rejects


def measure(cases: list[Case], rounds: int) -> dict[str, float]:
    """Return each grader's calls a second. They take turns, so that a busy machine slows all."""
    best = dict.fromkeys(GRADERS, float("inf"))
    for _ in range(rounds):
        for name, grader in GRADERS.items():
            start = time.perf_counter()
            for case in cases:
                grader(case.response, case.reference)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: len(cases) / seconds for name, seconds in best.items()}


# Repeated to a million characters.
HOSTILE = [
    "9", "x", " ", "\n", "$", "\\", "{", "}", "\\boxed{", "\\boxed{9}", "#### ", "#### 1\n", "answer",
    "the answer is ", "the answer is 1. ", "answer:", "<think>", "</think>", "<think></think>", "<",
    "答案是", "答案是1。", "答", "结果", "一", "万", "十", "9,", "9.", "1,234", '"', "`", "“", "(", ")", "or ",
    "1 or ", "- ", "\n- 1", "wait ", "not ", "应该是", "no, 1 ", "edit: ", "<answer>1</answer>", "=", "\\frac{", "1/", "e9", "９", "🎉",
    "İ", "\u2009", "\\text{", "^", "0x", "...", "but ", "is the answer ", "if the answer is ", "不",
]  # fmt: skip


def measure_hostile() -> None:
    """Print the slowest calls on hostile texts; fail if one gives no outcome."""
    slowest: list[tuple[float, str]] = []
    for unit in HOSTILE:
        much = unit * (1_000_000 // len(unit))
        for form in (
            "{}",
            "The answer is {}",
            "\\boxed{{{}}}",
            "#### 72 {}",
            "{}\n#### 72",
            "答案是{}",
        ):
            text = form.format(much)
            for response, reference in ((text, "72"), ("72", text)):
                best = float("inf")
                for _ in range(3):
                    start = time.perf_counter()
                    outcome = gsm8k.grade(response, reference)
                    best = min(best, time.perf_counter() - start)
                    if outcome.score not in (0.0, 1.0, None):
                        raise SystemExit(f"{form.format(unit)!r}: {outcome}")
                slowest.append((best, repr(form.format(unit))))
    slowest.sort(reverse=True)
    print(f"{len(slowest)} texts of a million characters: every call gave an outcome; slowest:")
    for seconds, text in slowest[:3]:
        print(f"{seconds * 1000:6.0f} ms  {text}")


SUM = re.compile(r"[^\s=]*(?:\s*[-+*/x×÷]\s*[^\s=]+)*\s*=\s*(\$?)<<[^<>]*>>")
CONCLUDES = re.compile(r"(?:So|Thus|Therefore|Hence|In total|Altogether)\b")


def measure_conclusions(path: Path) -> None:
    """Print what is read of closing sentences, of those that begin with a word of conclusion and of others."""
    counts = Counter[tuple[str, str]]()
    for line in path.read_text(encoding="utf-8").splitlines():
        solution, _, reference = json.loads(line)["answer"].rpartition("####")
        *steps, last = solution.strip().split("\n")
        last = SUM.sub(r"\1", last)
        if "=" in last:
            continue
        kind = "a word of conclusion" if CONCLUDES.match(last) else "another word"
        answer, gold = (
            find("\n".join([*steps, last])),
            math_answer.read_reference(reference.strip()),
        )
        if answer is None or answer.number is None or gold is None:
            counts[kind, "not read"] += 1
        else:
            counts[kind, "right" if answer.number == gold.number else "wrong"] += 1
    print(f"{path.name}: closing sentences that begin with    right  wrong  not read")
    for kind in ("a word of conclusion", "another word"):
        row = [counts[kind, verdict] for verdict in ("right", "wrong", "not read")]
        print(f"{kind:53} {row[0]:5} {row[1]:6} {row[2]:9}")


def tiers(cases: list[Case]) -> str:
    """What decides in `math_answer`: the share of cases that each step settles."""
    counts = dict.fromkeys(
        ["no answer", "equal text", "exact numbers", "structure and values", "math-verify"], 0
    )
    for response, reference, _ in cases:
        gold, answer = math_answer.read_reference(reference), find(response)
        with patch.object(equality, "equal", wraps=symbolic.equal) as verification:
            math_answer.grade(response, reference)
        if answer is None or gold is None:
            counts["no answer"] += 1
        elif answer.text == gold.text:
            counts["equal text"] += 1
        elif answer.number is not None and gold.number is not None:
            counts["exact numbers"] += 1
        elif verification.called:
            counts["math-verify"] += 1
        else:
            counts["structure and values"] += 1
    return ", ".join(f"{name} {count / len(cases):.1%}" for name, count in counts.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, action="append", help="JSON Lines; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--conclusions", action="store_true")
    options = parser.parse_args()
    if options.hostile:
        measure_hostile()
        return
    paths = options.data or [SAMPLE]
    for path in paths:
        if not path.is_file():
            raise SystemExit(f"{path}: no such file; leave out --data for the book's own sample")
    given = [f"--data {path.name}" for path in options.data or []]
    if options.conclusions:
        print("$ python -m benchmarks.rule_based --conclusions", *given)
        for path in paths:
            measure_conclusions(path)
        return

    print("$ python -m benchmarks.rule_based", *given)
    print(
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, math-verify {version('math-verify')}"
    )
    for path in paths:
        cases = read_cases(path)
        right = sum(case.label for case in cases)
        print(f"\n{path.name}: {len(cases)} cases, {right} right, {len(cases) - right} wrong")
        print(f"{'grader':20} accuracy  false accepts  false rejects  calls/s  math-verify = 1")
        speeds = measure(cases, options.rounds)
        for name, grader in GRADERS.items():
            accuracy, accepts, rejects = judge(grader, cases)
            speed, times = speeds[name], speeds[name] / speeds["math-verify"]
            print(
                f"{name:20} {accuracy:8.2%} {accepts:14} {rejects:14} {speed:8,.0f} {times:16,.1f}"
            )
        print(f"math_answer decides by: {tiers(cases)}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
