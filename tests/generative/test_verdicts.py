"""A judge's reply is read strictly: labelled replies of every class, then properties of any text."""

import json
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.generative.verdicts import (
    CORRECT,
    INCORRECT,
    VERDICT_SCHEMA,
    parse_verdict,
    verdict_span,
)

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "verdict_cases.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
READABLE = [case for case in CASES if case["verdict"] is not None]
REPLIES = {
    value: [c["reply"] for c in READABLE if c["verdict"] is value] for value in (True, False)
}
# Nothing but the verdict: no rationale, prose or thought in which a word more changes nothing.
TERSE = [
    reply
    for reply in REPLIES[True]
    if not re.search(r"[.。]\s|think>|rationale|理由|reasoning|explanation|```|，", reply)
]
SEPARATORS = ["", " ", "\n", "\n\n", ", ", ": ", ". ", "。", " and ", " not ", "</think>", "```"]
SEPARATORS += [
    "\n```\n",
    "\n```json\n",
    "\nVerdict: ",
    "\n判定：",
    "<think>",
    "</think>\n\n",
    ",",
    "\n\n---\n\n",
]
POSITIVE = re.compile(
    r"[\s*]*(?:correct|true|yes|正确|正確|对|是|\\u6b63\\u786e)[\s*]*", re.IGNORECASE
)
NEGATIVE = re.compile(
    r"[\s*]*(?:incorrect|wrong|false|no|不正确|错误|錯誤|错|不对|否|\\u4e0d\\u6b63\\u786e)[\s*]*",
    re.IGNORECASE,
)


# --- Labelled replies --------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({case["class"] for case in CASES}))
def test_every_reply_of_a_class(name: str) -> None:
    wrong = [
        f"{case['reply']!r}: {got}, not {case['verdict']} ({case['why']})"
        for case in CASES
        if case["class"] == name and (got := parse_verdict(case["reply"])) is not case["verdict"]
    ]
    assert not wrong, "\n".join(wrong)


def test_there_are_replies_enough() -> None:
    assert len({case["reply"] for case in CASES}) == len(CASES) >= 150
    assert min(len(replies) for replies in REPLIES.values()) >= 50
    assert all(case["why"] for case in CASES)


def test_the_span_is_the_word() -> None:
    for case in CASES:
        span = verdict_span(case["reply"])
        if case["verdict"] is None:
            assert span is None, case
        else:
            assert span is not None, case
            word = case["reply"][slice(*span)]
            ascii_word = word.translate({0xFF01 + i: 0x21 + i for i in range(94)})
            assert (POSITIVE if case["verdict"] else NEGATIVE).fullmatch(ascii_word), (case, word)
            assert word == word.strip(" *.。!\"'"), case


@pytest.mark.parametrize(
    ("reply", "word", "start"),
    [
        ('{"rationale": "correct", "verdict": "correct"}', None, 0),
        ('{"rationale": "is correct", "verdict": "correct"}', "correct", 40),
        ('<think>correct</think>{"verdict": " incorrect. "}', "incorrect", 36),
        ('{"is_correct": false}', "false", 15),
        ("## 判定：**不正确**。", "不正确", 8),
        ("<think>a</think>\nVerdict: Wrong.", "Wrong", 26),
    ],
)
def test_the_span_of_a_reply(reply: str, word: str | None, start: int) -> None:
    assert verdict_span(reply) == (word and (start, start + len(word)))
    assert word is None or reply[start:].startswith(word)


def test_the_schema_asks_for_the_verdict_alone() -> None:
    assert VERDICT_SCHEMA["properties"]["verdict"]["enum"] == [CORRECT, INCORRECT]
    assert list(VERDICT_SCHEMA["properties"]) == VERDICT_SCHEMA["required"] == ["verdict"]
    assert VERDICT_SCHEMA["additionalProperties"] is False
    assert parse_verdict(json.dumps({"verdict": CORRECT})) is True
    assert parse_verdict(json.dumps({"verdict": INCORRECT})) is False


# --- What holds for any text -------------------------------------------------------------------

PIECES = [*"{}[]:,\"'\\.*#\n `对错不否是", *"verdict correct incorrect not 判定 正确 错误".split()]
PIECES += [
    "<think>",
    "</think>",
    "```",
    "```json",
    '{"verdict": ',
    '"correct"}',
    '"incorrect"}',
    "\ud800",
]
any_text = st.text(st.characters(exclude_categories=())) | st.lists(st.sampled_from(PIECES)).map(
    "".join
)


@given(any_text)
def test_any_text_is_read_or_not_and_the_span_agrees(text: str) -> None:
    verdict, span = parse_verdict(text), verdict_span(text)
    assert verdict in (True, False, None)
    assert (verdict is None) == (span is None)
    if span is not None:
        start, end = span
        assert 0 <= start < end <= len(text)


noise = st.text(
    st.sampled_from(" \t\r\n\u00a0\u3000\ufeff\u200b.…-=*#_~`>)】”\u0301🙂\ud800"), max_size=6
)
verdicts = st.sampled_from(
    [(True, word) for word in ("correct", "Correct", "CORRECT", "正确", "对", "ｃｏｒｒｅｃｔ")]
    + [
        (False, word)
        for word in ("incorrect", "Incorrect", "不正确", "错误", "错", "不对", "wrong")
    ]
)
keys = st.sampled_from(
    ["verdict", "Verdict", "judgement", "judgment", "判定", "评判", "结论", "是否正确"]
)


@given(
    verdicts, keys, st.text(), st.booleans(), st.booleans(), st.sampled_from([None, 2]), st.data()
)
def test_json_with_any_rationale_is_read(
    verdict: tuple[bool, str],
    key: str,
    rationale: str,
    rationale_first: bool,
    to_ascii: bool,
    indent: int | None,
    data: st.DataObject,
) -> None:
    expected, word = verdict
    rationale = "So: " + rationale
    reply = (
        {"rationale": rationale, key: word}
        if rationale_first
        else {key: word, "rationale": rationale}
    )
    text = json.dumps(reply, ensure_ascii=to_ascii, indent=indent)
    around = data.draw(
        st.sampled_from(
            ["{}", " {}\n", "```json\n{}\n```", "```\n{}\n```", "<think>\nno</think>\n{}"]
        )
    )
    text = around.replace("{}", text)
    if text.count("</think>") < 2 and ("<think>" not in rationale):
        assert parse_verdict(text) is expected
        span = verdict_span(text)
        assert span is not None
        assert json.loads(f'"{text[slice(*span)]}"') == word


@given(verdicts, keys, noise, noise, noise, noise, st.booleans())
def test_noise_never_turns_a_verdict(
    verdict: tuple[bool, str], key: str, a: str, b: str, c: str, d: str, as_json: bool
) -> None:
    expected, word = verdict
    text = f'{a}{{"{key}"{b}:{c}"{word}"}}{d}' if as_json else f"{a}{key}{b}:{c}{word}{d}"
    assert parse_verdict(text) in (expected, None)
    assert parse_verdict(f'{{"{key}": "{b}{word}{c}"}}') in (expected, None)
    for i in range(1, len(word)):  # within the word
        assert parse_verdict(f"{word[:i]}{a}{word[i:]}") in (expected, None)


@pytest.mark.parametrize(
    "inserted",
    [
        "not ",
        "Not ",
        "in",
        "in ",
        "in\n",
        "not\n",
        "un",
        "不",
        "不完全",
        "不是",
        "并不",
        "非",
        "没有",
        "isn't ",
        "nicht ",
    ],
)
def test_a_negation_inserted_anywhere_never_leaves_a_correct_verdict(inserted: str) -> None:
    for reply in REPLIES[True]:
        span = verdict_span(reply)
        assert span is not None
        assert parse_verdict(reply[: span[0]] + inserted + reply[span[0] :]) is not True, reply
    assert len(TERSE) >= 35
    for reply in TERSE:
        for at in range(len(reply)):
            if reply[at:].strip("*\n "):
                text = reply[:at] + inserted + reply[at:]
                # White space at either end of the text, or at a line's, keeps nothing apart.
                assert parse_verdict(text) is not True, text


def test_a_correct_and_an_incorrect_reply_together_are_no_verdict() -> None:
    pairs = [(a, b) for a in REPLIES[True] for b in REPLIES[False]]
    for a, b in pairs:
        for separator in SEPARATORS:
            for text in (a + separator + b, b + separator + a):
                assert parse_verdict(text) is None, text


@given(
    st.sampled_from(REPLIES[True]), st.sampled_from(REPLIES[False]), st.text(max_size=8), st.data()
)
def test_contradicting_replies_with_any_text_between_are_no_verdict(
    a: str, b: str, between: str, data: st.DataObject
) -> None:
    first, second = data.draw(st.permutations([a, b]))
    assert parse_verdict(first + between + second) is None


def test_a_reply_given_twice_is_no_verdict() -> None:
    for case in READABLE:
        for separator in SEPARATORS:
            assert parse_verdict(case["reply"] + separator + case["reply"]) is None, case


def test_a_quoted_reply_is_no_verdict() -> None:
    for case in READABLE:
        reply = case["reply"].strip()
        if "</think>" in reply and not reply.startswith(("{", "`")):
            continue  # the quotation would begin within the thought
        for left, right in ('""', "''", "“”", "「」", "``", "<>", "()", "[]", "{}"):
            assert parse_verdict(left + reply + right) is None, case
        if not re.search(r"[.。]\s", reply):  # prose before: only its first sentence is quoted
            for before in (
                "The response says ",
                "The response ends with:\n",
                "> ",
                "- not: ",
                "他写道：\n",
            ):
                assert parse_verdict(before + reply) is None, before + reply


def test_a_reply_cut_off_anywhere_never_says_the_opposite() -> None:
    for case in READABLE:
        for end in range(len(case["reply"])):
            cut = case["reply"][:end]
            assert parse_verdict(cut) in (case["verdict"], None), cut
            if "{" in cut and "}" not in cut[cut.rindex("{") :]:
                assert parse_verdict(cut) is None, cut


def test_a_reply_that_lost_its_beginning_never_says_the_opposite_in_json() -> None:
    for case in READABLE:
        at = case["reply"].rfind("{")
        for start in range(1, at + 1):
            assert parse_verdict(case["reply"][start:]) in (case["verdict"], None)


@given(
    verdicts,
    st.lists(
        st.tuples(
            st.sampled_from(["verdict", "judgement", "结论", "is_correct", "correct", "x"]),
            st.sampled_from(
                ['"correct"', '"incorrect"', '"错误"', "true", "false", "null", "1", "[]", "{}"]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_second_verdict_in_the_object_is_none(
    verdict: tuple[bool, str], others: list[tuple[str, str]]
) -> None:
    pairs = [f'"verdict": "{verdict[1]}"', *(f'"{key}": {value}' for key, value in others)]
    for order in (pairs, pairs[::-1]):
        assert parse_verdict("{" + ", ".join(order) + "}") is None


def nested(value: Any, depth: int) -> Any:
    for i in range(depth):
        value = {"verdict": value} if i % 2 else [value]
    return value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["correct", "incorrect"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["verdict", "判定", "result"]), inner, max_size=2)
        ),
    )
)
def test_of_any_json_value_only_the_flat_object_is_read(value: Any) -> None:
    flat = isinstance(value, dict) and len(value) == 1 and "result" not in value
    word = next(iter(value.values())) if flat else None
    expected = {"correct": True, "incorrect": False}.get(word) if isinstance(word, str) else None
    assert parse_verdict(json.dumps(value)) is expected


# --- Cost --------------------------------------------------------------------------------------

PARTS = [
    "{",
    "[",
    '"',
    " ",
    "\n",
    "\\",
    "\\n",
    ":",
    ",",
    "*",
    "#",
    "`",
    "1",
    "\ud800",
    ">  ",
    "对比",
    '"   ',
    "\n \n",
]
PARTS += [
    "<think>",
    "</think>",
    "```json\n",
    "correct ",
    "verdict: ",
    "verdict   ",
    "They match. ",
    "Verdict: correct\n",
]
PARTS += ['{"verdict":', '{"rationale": "a", ', '"a": "a", ', "正确\n"]
STARTS = [
    "",
    '{"rationale": "',
    '{"rationale": "correct',
    '{"rationale": "<',
    '{"verdict": "correct',
    "{",
    "Correct",
    "Verdict:",
]
ENDINGS = [
    "",
    "x",
    '{"verdict": "correct"}',
    "\nVerdict: correct",
    "</think>x",
    '"}',
    'x", "verdict": "incorrect"}',
]


@pytest.mark.parametrize("part", PARTS)
def test_long_texts_are_read_in_linear_time(part: str) -> None:
    def seconds(characters: int) -> float:
        started = time.process_time()
        for start in STARTS:
            for ending in ENDINGS:
                parse_verdict(start + part * (characters // len(part)) + ending)
        return time.process_time() - started

    # Eight times the text; quadratic would be sixty-four times the time.
    small, large = seconds(2**13), seconds(2**16)
    assert large < 24 * max(small, 0.01), (small, large)


@pytest.mark.parametrize("part", PARTS)
def test_megabytes_raise_nothing(part: str) -> None:
    for start in ("", '{"rationale": "'):
        assert parse_verdict(start + part * (2**21 // len(part))) in (None, True)


def test_a_long_rationale_and_a_long_thought_are_read() -> None:
    words = random.Random(0).choices(
        ["correct", "incorrect", "not", "不", '"', "\\", "\n", "{", "}"], k=200_000
    )
    rationale = "So " + " ".join(words)
    assert parse_verdict(json.dumps({"rationale": rationale, "verdict": "incorrect"})) is False
    assert parse_verdict(f'<think>{rationale}</think>{{"verdict": "correct"}}') is True
    assert parse_verdict(json.dumps(nested("correct", 900))) is None
    assert parse_verdict('{"verdict":' * 100_000 + '"correct"' + "}" * 100_000) is None
