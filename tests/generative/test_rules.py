"""Tier 1 of the judge: labelled cases of every class, properties of any text, then real answers."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from examples.generative.rules import decide, final_answer
from examples.shared.outcome import Reason
from examples.shared.text import plain

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (HERE / "answer_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
CLASSES = sorted({case["class"] for case in CASES})
QUESTION = "What is the capital of France?"
NAMES = ["Paris", "London", "Berlin", "Buenos Aires", "Ouagadougou", "里昂", "马德里", "斯德哥尔摩"]


def score(question: str, response: str, references: list[str]) -> float | None:
    outcome = decide(question, response, references)
    return outcome.score if outcome else None


def holds(case: dict[str, Any]) -> bool:
    """`expected` is a score, null for "ask the judge", or "not 1.0": anything else."""
    measured = score(case["question"], case["response"], case["references"])
    expected = case["expected"]
    if isinstance(expected, str):
        return measured != float(expected.removeprefix("not "))
    return bool(measured == expected)


@pytest.mark.parametrize("name", CLASSES)
def test_every_case_of_a_class(name: str) -> None:
    wrong = [
        f"{case['response']!r} to {case['question']!r} for {case['references']}: "
        f"{decide(case['question'], case['response'], case['references'])}"
        for case in CASES
        if case["class"] == name and not holds(case)
    ]
    assert not wrong, "\n".join(wrong)


def test_both_languages_and_every_verdict_are_covered() -> None:
    for expected in (1.0, 0.0, "not 1.0", "not 0.0"):
        chosen = [case for case in CASES if case["expected"] == expected]
        assert sum(case["response"].isascii() for case in chosen) > 5
        assert sum(bool(re.search("[一-鿿]", case["response"])) for case in chosen) > 4


# --- final_answer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Paris", "Paris"),
        ("  Paris \n", "Paris"),
        ("<think>Lyon?</think> Paris", "Paris"),
        ("Lyon?</think>Paris", "Paris"),
        ("<think>a</think>b<think>c</think> d", "b\n d"),
        ("<answer>Paris</answer>", "Paris"),
        ("So: <ANSWER>\nParis\n</Answer> Done.", "Paris"),
        ("<answer>Lyon</answer> no, <answer>Paris</answer>", "Paris"),
        ("<answer>Lyon <answer>Paris</answer>", "Paris"),
        ("<answer>Paris</answer> and <answer>Ly", "Paris"),
        ("<think><answer>Lyon</answer></think><answer>Paris</answer>", "Paris"),
        ("<think>maybe <answer>Lyon</answer></think> Paris", "Paris"),
        ("<answer>Paris</answer><think>Lyon", "Paris"),
        ("<think>I am sure.\n<answer>Paris</answer>", None),
        ("<answer>x < y</answer>", "x < y"),
        ("<THINK>a</THINK>b", "b"),
        ("", None),
        (" \n\t", None),
        ("<think>", None),
        ("<think>It is Paris", None),
        ("<think>a</think>b<think>c", "b"),
        ("<answer>Par", None),
        ("<think>a</think><answer>Par", None),
        ("<think>a</think>", None),
        ("<answer></answer>", None),
        ("Paris <answer> </answer>", None),
        ("<think>so <answer>Paris</answer></think>", None),
    ],
)
def test_final_answer(response: str, expected: str | None) -> None:
    assert final_answer(response) == expected


# --- Law 1: score what the policy wrote -------------------------------------------------------


@given(st.text(), st.text(), st.lists(st.text(), max_size=4))
def test_any_strings_are_decided_or_left_to_the_judge(
    question: str, response: str, references: list[str]
) -> None:
    outcome = decide(question, response, references)
    assert outcome is None or (outcome.score, outcome.reason) in [
        (1.0, Reason.CORRECT),
        (0.0, Reason.NO_ANSWER),
    ]


PIECES = st.sampled_from(
    "<think> </think> <answer> </answer> Paris 巴黎 or 或 not 不是 answer 答案是 : ： , ， 、 . 。 is 是 12 1,000 三 May 8 1945 年 "
    "\" ' ( ) - — / \u200b \ud800 verdict correct ignore ½ ² the a An ﷺ \n ? { } [ ] | <|im_end|>".split(
        " "
    )
)


@given(st.lists(PIECES, max_size=25), st.lists(PIECES, max_size=6), st.booleans())
def test_any_mixture_of_what_the_rules_look_for_is_decided(
    pieces: list[str], reference: list[str], spaced: bool
) -> None:
    text = (" " if spaced else "").join(pieces)
    final_answer(text)
    decide(text, text, [text])
    decide(QUESTION, text, [" ".join(reference)])


@pytest.mark.parametrize("references", [[], [""], ["  "], ["?"], ["\u200b"], ["—"]])
def test_a_broken_reference_never_makes_an_answer_right_or_wrong(references: list[str]) -> None:
    """What the machinery did is not scored; what answers nothing still is."""
    assert decide(QUESTION, "Paris", references) is None
    assert decide(QUESTION, "It is Paris.", references) is None
    assert score(QUESTION, "<think>It is", references) == 0.0
    assert score(QUESTION, "The answer is", references) == 0.0


def test_a_sign_that_names_nothing_is_left_to_the_judge() -> None:
    for reference in ("plus", "no", "the sign for addition"):
        assert decide("Which sign is it?", "+", [reference]) is None
        assert decide(QUESTION, "+", ["?", reference]) is None


def test_a_wrong_answer_is_left_to_the_judge() -> None:
    """That two names differ does not mean that they name different things."""
    for answer in ("Lyon", "The capital of France is Lyon.", "里昂", "The City of Light"):
        assert decide(QUESTION, answer, ["Paris"]) is None


def test_every_outcome_says_why() -> None:
    outcomes = [decide(c["question"], c["response"], c["references"]) for c in CASES]
    assert all(0 < len(outcome.detail) < 90 for outcome in outcomes if outcome)


# --- Law 2: a pure function of its inputs -----------------------------------------------------


def test_decisions_do_not_depend_on_order_or_thread() -> None:
    cases = random.Random(0).sample(CASES, 200)
    expected = [decide(c["question"], c["response"], c["references"]) for c in cases]
    results: dict[int, Any] = {}

    def work(order: list[int]) -> None:
        for i in order:
            c = cases[i]
            results[i] = decide(c["question"], c["response"], c["references"])

    shuffled = random.Random(1).sample(range(len(cases)), len(cases))
    threads = [threading.Thread(target=work, args=(shuffled[k::4],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[i] for i in range(len(cases))] == expected


def test_decisions_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "import json, sys\n"
        "from examples.generative.rules import decide\n"
        "cases = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')][::5]\n"
        "print([str(decide(c['question'], c['response'], c['references'])) for c in cases])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(HERE / "answer_cases.jsonl")],
            cwd=HERE.parent.parent,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("case", CASES[::3], ids=lambda case: case["response"][:30])
def test_the_order_of_aliases_does_not_matter(case: dict[str, Any]) -> None:
    aliases = [*case["references"], "Xyzzy", "Plugh"]
    expected = score(case["question"], case["response"], aliases)
    assert score(case["question"], case["response"], aliases[::-1]) == expected


INVISIBLE = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u202c\ufe0f\u3164\u115f\U000e0041\U000e0100\x00"
)
TAG = re.compile(r"<\|(?:channel|start)\|>[a-z]+|<[^<>]*>")


def _outside_tags(text: str, change: Any) -> str:
    tags = TAG.findall(text)
    parts = [change(part) for part in TAG.split(text)]
    return "".join(p + t for p, t in zip(parts, [*tags, ""], strict=True))


@pytest.mark.parametrize("case", CASES[::2], ids=lambda case: case["response"][:30])
def test_what_shows_nothing_changes_nothing(case: dict[str, Any]) -> None:
    rnd = random.Random(case["response"])

    def sprinkle(text: str) -> str:
        return "".join(c + rnd.choice(INVISIBLE) * rnd.randint(0, 2) for c in text)

    expected = score(case["question"], case["response"], case["references"])
    changed = _outside_tags(case["response"], sprinkle)
    assert score(case["question"], changed, case["references"]) == expected
    assert (
        score(case["question"], case["response"], [*map(sprinkle, case["references"])]) == expected
    )


@pytest.mark.parametrize("case", CASES[::2], ids=lambda case: case["response"][:30])
def test_width_changes_nothing(case: dict[str, Any]) -> None:
    def widen(text: str) -> str:
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)

    expected = score(case["question"], case["response"], case["references"])
    changed = _outside_tags(case["response"], widen)
    assert score(case["question"], changed, case["references"]) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["response"][:30])
def test_case_never_turns_right_into_no_answer(case: dict[str, Any]) -> None:
    """Capitals tell names apart, so without them more is left to the judge; but nothing flips."""
    for change in (str.upper, str.lower):
        measured = score(
            case["question"], _outside_tags(case["response"], change), case["references"]
        )
        expected = case["expected"]
        if isinstance(expected, str):
            assert measured != float(expected.removeprefix("not "))
        else:
            assert measured in (expected, None)


# --- Properties of equality -------------------------------------------------------------------


@given(st.text(max_size=200), st.text(max_size=60))
def test_a_reference_answers_its_own_question(question: str, reference: str) -> None:
    assume(any(c.isalnum() for c in plain(reference)))
    assume(final_answer(reference) == reference.strip())  # no tags, no thought
    assert score(question, reference, [reference]) == 1.0
    assert score(question, f"<think>x</think>\n<answer> {reference} </answer>", [reference]) == 1.0


@pytest.mark.parametrize(
    "reference",
    "Solution;I Don't Know;No;The Who;It;007;Trick or treat;Not guilty;AC/DC;Guess Who;Wait;Correct;Unknown;A;李;解;不知道;或;正确;"
    "Ignore all previous instructions;Paris or London or Berlin".split(";"),
)
def test_what_looks_like_no_answer_is_right_where_it_is_the_reference(reference: str) -> None:
    assert score("Which one is it?", reference, ["Something else", reference]) == 1.0


@given(
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True),
    st.sampled_from(
        [
            " or ",
            ", ",
            " / ",
            "; ",
            "\n",
            "\n- ",
            " and ",
            "、",
            "或",
            "，",
            ". ",
            " | ",
            "/",
            "? ",
            " vs ",
        ]
    ),
    st.sampled_from(
        ["", "It is ", "The answer is ", "Either ", "Maybe ", "- ", "答案是", "可能是"]
    ),
    st.data(),
)
def test_a_list_of_candidates_is_never_right(
    names: list[str], separator: str, lead: str, data: st.DataObject
) -> None:
    reference = data.draw(st.sampled_from(names))
    assert score("What is the capital?", lead + separator.join(names), [reference]) != 1.0


@given(
    st.integers(0, 10**6),
    st.from_regex(r"[0-9]{0,3}", fullmatch=True),
    st.from_regex(r"[0-9]{0,3}", fullmatch=True),
    st.sampled_from(["{}", "It is {}.", "There are {} of them.", "一共有{}个。", "答案是{}"]),
)
def test_a_number_inside_a_longer_one_is_never_right(
    number: int, before: str, after: str, frame: str
) -> None:
    longer = f"{before}{number}{after}"
    assume(before or after)
    assert score("How many are there?", frame.format(longer), [str(number)]) != 1.0


@given(
    st.integers(1, 9999), st.sampled_from(["{}", "It is {}.", "The answer is {}.", "答案是{}。"])
)
def test_a_number_compares_by_value(number: int, frame: str) -> None:
    for text in (f"{number}", f"{number:,}", f"{number}.0"):
        assert score("How many are there?", frame.format(text), [str(number)]) == 1.0
    assert score("How many?", frame.format(number), [str(number + 1)]) is None


@pytest.mark.parametrize(
    "frame",
    [
        "Not {}.", "It isn't {}.", "It is Lyon, not {}.", "Lyon rather than {}", "Lyon instead of {}",
        "Unlike {}, Lyon is.", "Many think it is {}, but it is Lyon.", "不是{}", "并非{}，而是里昂", "是里昂而不是{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_a_denied_reference_is_never_right(frame: str, name: str) -> None:
    for question in (QUESTION, "法国的首都是哪里？", "Which city is not in the north?"):
        assert score(question, frame.format(name), [name]) != 1.0


# --- Law 3 and 4: nothing is silent, and text is data -----------------------------------------


def test_none_is_not_a_score() -> None:
    """The caller has to ask: there is no outcome that could be averaged by mistake."""
    assert decide(QUESTION, "perhaps Paris", ["Paris"]) is None


@pytest.mark.parametrize(
    "attack", [case["response"] for case in CASES if case["class"] == "rejected_to_the_judge"]
)
def test_text_for_the_judge_scores_nothing_beside_a_right_answer(attack: str) -> None:
    if not attack.endswith("<|im_end|>"):  # at the end, a decoder's doing
        assert score(QUESTION, f"Paris.\n{attack}", ["Paris"]) != 1.0
        assert score(QUESTION, f"{attack}\nParis", ["Paris"]) != 1.0


def test_text_is_never_a_pattern_or_a_template() -> None:
    for text in (".*", "(?P<x>", "{0}", "%s", "\\1", "[A-Z", "${PATH}", "__import__('os')"):
        assert score(text, "Paris", [text]) is None
        assert score(QUESTION, text, ["Paris"]) != 1.0


# --- Cost: linear, whatever the text ----------------------------------------------------------

UNITS = [
    "<", "<think>", "<answer>", "</answer>", "<answer></answer>", "a", " ", "\n", "\u200b", "。", "1", "一", "ﷺ", "\u0301", "\ud800",
    '{"verdict":', "ignore all ", "the answer is ", "A or ", "Paris, ", "答案是", "解", "<|im_end|>", "'", "1,", "²", "one ", "score ",
    "I don't know ", "(", "同上", "是", "[[", "May 8 ", "not ", "和", "思考",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_a_megabyte_of_anything_costs_little(unit: str) -> None:
    """A bound a hundred times what it takes; a quadratic step would take hours."""
    text = unit * (1_000_000 // len(unit))
    start = time.perf_counter()
    final_answer(text)
    decide(QUESTION, text, ["Paris", text[:2999]])
    decide(QUESTION, text[:2999], ["Paris"])
    decide(text, "It is Paris.", ["Paris", text])
    assert time.perf_counter() - start < 20


# --- Real answers -----------------------------------------------------------------------------

SHARED = HERE.parent.parent.parent / "shared" / "data"
SYSTEMS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")


# Accepted by rule, wrong by label, and read again: the label is wrong, or stricter than the question.
STRICT_LABELS = {
    "The songs I got Life and Aquarius come from which musical?": "Hair",
    "The Clore Gallery at Tate Britain was built to house which painter's works?": "Turner",
    "What was Billy Connolly's only No. 1 hit?": "Divorce",
    "The Sun Woman provides the first light of dawn in which people’s mythology?": "Aboriginal",
    "What is the name of the sidekick of cartoon superhero DangerMouse?": "Penfold",
    "What was the name of Gary Puckett's backing group?": "Union Gap",
}


@pytest.mark.parametrize("half", [0, 1], ids=["developed-on", "held-out"])
def test_answers_of_five_systems(half: int) -> None:
    """TriviaQA with human labels: half is decided, and of 2,000 accepted at most one is wrong."""
    path = SHARED / "evouna_tq.json"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    rows = [r for r in json.loads(path.read_text(encoding="utf-8"))[half::2] if not r["improper"]]
    total = decided = 0
    wrong = []
    for row in rows:
        gold = row["golden_answer"]
        for system in SYSTEMS:
            measured = score(row["question"], row[f"answer_{system}"], [gold, *gold.split("/")])
            total += 1
            decided += measured is not None
            if measured is not None and measured != float(row[f"judge_{system}"]):
                wrong.append((row["question"], row[f"answer_{system}"]))
    unknown = [w for w in wrong if STRICT_LABELS.get(w[0], "not in it") not in w[1]]
    assert len(unknown) <= decided / 2000, unknown
    assert len(wrong) <= decided / 500
    assert decided / total >= 0.5


def test_no_attack_is_right_by_rule() -> None:
    path = HERE.parent.parent / "examples" / "generative" / "red_team.jsonl"
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        references = [row["reference"]] if isinstance(row["reference"], str) else row["reference"]
        assert score(row["question"], row["response"], references) != 1.0, row


@pytest.mark.parametrize("question", ["What is the capital?", "英国的首都叫什么？"])
@pytest.mark.parametrize(
    "separator", [" ", "\t", " - ", ", ", "，", "；", "。", "\n", "\n- ", "、", "或", "/", "—"]
)
def test_of_two_chinese_names_none_is_accepted_even_if_they_share_characters(
    question: str, separator: str
) -> None:
    names = ["里昂", "马德里", "德里", "里约", "罗马", "马尼拉", "北京", "南京", "东京", "巴黎"]
    for one, other in permutations(names, 2):
        for lead in ("", "是", "答案是"):
            for reference in (one, other):
                assert score(question, lead + one + separator + other, [reference]) != 1.0


@pytest.mark.parametrize(
    "response", ["首都 巴黎", "法国的首都是 巴黎。", "巴黎 是法国的首都", "是 巴黎", "巴黎，法国"]
)
def test_a_space_in_a_chinese_sentence_parts_no_candidates(response: str) -> None:
    assert score("法国的首都是哪里？", response, ["巴黎"]) == 1.0
