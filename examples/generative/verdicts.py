r"""A judge model's reply, read strictly: correct, incorrect, or no verdict at all.

    >>> parse_verdict('{"rationale": "Both say 72.", "verdict": "correct"}')
    True
    >>> parse_verdict("判定：不正确")
    False
    >>> parse_verdict("not correct") is None
    True

One rule: no wrong verdict on any text. A None costs a retry, a wrong verdict poisons training. So
the whole reply has to be of a form that is known; nothing is searched for. The forms:

- one flat JSON object with one verdict and perhaps a rationale, perhaps in one fence;
- a verdict word alone, or after a label as in `Verdict: correct`.

Before either there may be one closed `<think>` block, which is not read, and then prose, if it
neither speaks of verdicts nor contradicts the one that follows. After it there may be nothing: what
comes later can take a verdict back in words that no list holds. Nor is the rationale read: it
quotes answers, and an answer may quote a verdict.

No parser sees that a reply was cut off just after its verdict: check `finish_reason` as well.

Standard library only.
"""

import json
import re
from typing import Any

__all__ = ["CORRECT", "INCORRECT", "VERDICT_SCHEMA", "parse_verdict", "verdict_span"]

CORRECT = "correct"
INCORRECT = "incorrect"

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": [CORRECT, INCORRECT]}},
    "required": ["verdict"],
    "additionalProperties": False,
}
"""For `response_format`. No rationale: a constrained decoder that quotes `", "verdict": "correct"`
from an answer ends the rationale there, and the answer has given the verdict."""

_WORDS = dict.fromkeys((CORRECT, "正确", "对"), True)
_WORDS |= dict.fromkeys((INCORRECT, "wrong", "不正确", "错误", "错", "不对"), False)
_ANSWERS = _WORDS | dict.fromkeys(("true", "yes", "是"), True)
_ANSWERS |= dict.fromkeys(("false", "no", "否"), False)
_BOOLEANS = {"=true": True, "=false": False}  # without quotes

# What each key may say, its spaces, hyphens and underscores removed. {"verdict": true} does not say
# what is true, nor {"correct": "no"} whether "no" is the correct answer: neither is read.
_KEYS = dict.fromkeys(("iscorrect", "是否正确"), _ANSWERS | _BOOLEANS)
_KEYS |= {CORRECT: _BOOLEANS, "正确": _BOOLEANS}
_VERDICT_KEYS = "verdict judgement judgment finalverdict finaljudgement finaljudgment 判定 评判 结论 判定结果 评判结果 最终判定"
_KEYS |= dict.fromkeys(_VERDICT_KEYS.split(), _WORDS)
_RATIONALES = "rationale reason reasons reasoning explanation analysis thought thoughts justification comment comments 理由 原因 解释 分析 推理 说明 依据 评语".split()

# Lower case, ASCII width, simplified, no bold, no headings; one for one, so that offsets hold.
_FOLD = (
    {0x41 + i: 0x61 + i for i in range(26)}
    | {0xFF01 + i: ord(chr(0x21 + i).lower()) for i in range(94)}
    | str.maketrans("　*＊#＃’確錯誤對評結論", "     '确错误对评结论")
)

_WORD = re.compile(r"\s*([a-z]+|[一-鿿]+)(?:\s*[.!。])?\s*")
_FULL_STOPS = ".!。"
_STRING = (
    r'"([^"\\]*(?:\\.[^"\\]*)*)"'  # a raw newline in it is common, and leaves nothing in doubt
)
_VALUE = rf"(?:{_STRING}|([Tt]rue|[Ff]alse))"
_PAIR = re.compile(rf"\s*{_STRING}\s*:\s*{_VALUE}\s*([,}}])")
_FENCE = re.compile(r"```(?:json)?\s*\Z", re.IGNORECASE)
# A rationale that is the prompt's form, echoed.
_PLACEHOLDER = re.compile(r"\s*(?:[.…]+|<.*>|\[.*\]|(?:your|你的).*)\s*", re.DOTALL)

# A line that only announces a verdict consists of these, and a label holds one of the second kind.
_LEAD_WORDS = set("here here's is the my final so thus therefore sure okay ok json object".split())
_LABELS = set("verdict judgement judgment evaluation assessment conclusion 是否正确".split())
_LEAD_TOKEN = re.compile("是否正确|[a-z']+|[判评]定|评判|结论|[^\\s:,!]")
_LABELS |= {"判定", "评定", "评判", "结论"}
_LEAD_WORDS |= _LABELS | set("以下面这是我的最终综上所述因此故结果如为")

# Prose that gives a verdict, supposes one, addresses the judge (an echoed prompt) or quotes.
_SPEAKS = re.compile(
    r"""correct|verdict|judge?ment|accura|\b(?:wrong|right|true|false|yes|valid|invalid|accept|reject)
    |\b(?:pass(?:es|ed)?|if|unless|or|either|whether|would|should|could|must|might|may|suppose|assum\w+
        |you|your|reply|respond|such\ as|e\.g|examples?|format)\b
    |正确|准确|真|假|错|误|(?<![针比核相])对(?![比照于应])|是否|能否|可能|如果|若|或|应该|应当|必须|例如|比如|格式|请|你|您
    |[{}\[\]<>|`?]""",
    re.VERBOSE | re.ASCII,
)
_DENIES = re.compile(
    r"""n't\b|\b(?:no|not|none|never|cannot|neither|nor|without|unlike|instead|but|however|although|though)\b
    |\b(?:do|does|did|is|are)nt\b|\b(?:differ|mis-?match|fail|contradict|miss|error|mistake|conflict|inconsist
        |incompat|disagree|unequal|discrepan|distinct|incomplete|lack|omit|absent)
    |不|没|未|无|非|但|然而|缺|差|有别""",
    re.VERBOSE | re.ASCII,
)
_AFFIRMS = re.compile(
    "match|same|equal|equivalent|agree|identical|consistent|一致|相同|相等|等价|等于|吻合|符合|匹配"
)
# With no <think> of its own (the chat template opened it), a "thought" may be the reply itself, quoting
# a forged </think>: if it holds JSON, or a verdict where a reply would, or does not end its line.
_REPLIES = re.compile(rf"\"\s*:|(?:\A|[:\n])[^\S\n]*(?:{'|'.join(_WORDS)})")


def parse_verdict(text: str) -> bool | None:
    """Read the verdict in a judge's reply: True for correct, False for incorrect, None for none.

    None is an abstention, never a zero: whatever is ambiguous, contradictory, truncated, repeated,
    echoed from the prompt or in no known form. Linear in the text; raises on no string.
    """
    found = _find(text)
    return found[0] if found else None


def verdict_span(text: str) -> tuple[int, int] | None:
    """Where in `text` the word or boolean stands that `parse_verdict` read; None if it read none.

    The log-probabilities of the tokens that spell it say how sure the judge was.
    """
    found = _find(text)
    return found[1:] if found else None


def _find(text: str) -> tuple[bool, int, int] | None:
    """The verdict and its span."""
    start = _after_thinking(text)
    if start is None:
        return None
    brace = text.find("{", start)
    if brace < 0:
        return _find_word(text, start)
    found = _find_in_object(text, brace)
    if found is None:
        return None
    verdict, at, end, after = found
    before, rest = text[start:brace], text[after:].strip()
    fence = _FENCE.search(before) if rest == "```" else None
    if rest and not fence:
        return None
    before = before[: fence.start()] if fence else before
    return (verdict, at, end) if _agrees(before, verdict) else None


def _after_thinking(text: str) -> int | None:
    """Where the reply proper begins; None if the end of a thought may be forged."""
    close = text.find("</think>")
    opened = text.lstrip().startswith("<think>")
    if close < 0 or text.lstrip().startswith(("{", "`")):
        return 0  # a <think> that never ends is prose with a "<" in it: no verdict follows
    if text.count("</think>") != 1 or text.count("<think>") != opened:
        return None
    thought = text[:close].rstrip(" \t")
    if not opened and (thought[-1:] not in "\n" or _REPLIES.search(_fold(thought))):
        return None
    return close + len("</think>")


def _find_in_object(text: str, start: int) -> tuple[bool, int, int, int] | None:
    """The verdict of the flat object that begins at `start`, its span, and where the object ends."""
    found: tuple[bool, int, int] | None = None
    seen = set()
    at = start + 1
    while pair := _PAIR.match(text, at):
        key = re.sub(r"[\s_-]", "", _fold(_decoded(pair[1])))
        if key in seen:  # JSON allows it, and json.loads keeps the last
            return None
        seen.add(key)
        value = "" if pair[2] is None else _decoded(pair[2])
        word = _WORD.fullmatch(_fold(value))
        if key in _KEYS and found is None:
            verdict = _KEYS[key].get(word[1] if word else f"={pair[3]}".lower())
            if verdict is None:
                return None
            if word and value == pair[2]:
                found = verdict, pair.start(2) + word.start(1), pair.start(2) + word.end(1)
            else:
                found = verdict, *pair.span(2 if word else 3)  # escapes: all of the string
        elif key not in _RATIONALES or pair[2] is None:
            return None  # a second verdict, or a key that may contradict it
        elif _PLACEHOLDER.fullmatch(_fold(value)) or (word and word[1] in _ANSWERS):
            return None
        at = pair.end()
        if pair[4] == "}":
            return (*found, at) if found else None
    return None


def _find_word(text: str, start: int) -> tuple[bool, int, int] | None:
    """The verdict that is all there is from `start` on, but for its label and prose before."""
    plain = _fold(text[start:])
    end = len(plain.rstrip())
    line = plain.rfind("\n", 0, end) + 1
    at = max(line, plain.rfind(":", line, end) + 1)
    word = _WORD.fullmatch(plain, at, end)
    if word is None or word[1] not in _WORDS:
        return None
    if text.count("*", start) % 2 or text.count("**", start) % 2:
        return None  # bold that never ends: truncated
    if not _agrees(plain[:at], _WORDS[word[1]], labelled=True):
        return None
    return _WORDS[word[1]], start + word.start(1), start + word.end(1)


def _agrees(before: str, verdict: bool, labelled: bool = False) -> bool:
    """Whether what stands before a verdict lets it stand; `labelled` if its last line must name it."""
    plain = _fold(before)
    prose = plain.rstrip()
    if not prose:
        return True
    if prose[-1] not in _FULL_STOPS:
        if prose[-1] != ":" and "\n" not in plain[len(prose) :]:
            return False
        prose, _, lead = prose.rpartition("\n")
        words = set(_LEAD_TOKEN.findall(lead))
        if not words <= _LEAD_WORDS:
            return False
        if labelled and not words & _LABELS:
            return False
        # An unfinished sentence, such as "The response ends with:", would make it a quotation.
        prose = prose.rstrip()
        if prose and prose[-1] not in _FULL_STOPS:
            return False
    elif labelled:
        return False
    if _SPEAKS.search(prose):
        return False
    if _DENIES.search(prose):
        return not verdict
    return verdict or not _AFFIRMS.search(prose)


def _fold(text: str) -> str:
    return text.translate(_FOLD)


def _decoded(inner: str) -> str:
    """What a JSON string says, given what stands between its quotes; that itself if not sound."""
    try:
        return str(json.loads(f'"{inner}"', strict=False)) if "\\" in inner else inner
    except ValueError:
        return inner
