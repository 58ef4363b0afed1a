r"""Find what a response finally states as its answer: `####`, `\boxed{}`, "the answer is", 答案是.

How a response is read:

1. Thought is dropped: `<think>...</think>`, closed or not.
2. Statements of an answer are found: `####`, `\boxed{}`, `<answer>`, "the answer is", "答案是" and
   their variants; or the response is nothing but the answer.
3. Each statement is handed to the grader's own reader, which takes a value from it, or says that
   it commits to none.
4. The last statement counts. It is void when an equally formal one disagrees and nothing in
   between says that it was corrected, or when the text after it takes it back.

Every step looks at a window of fixed size or is a linear scan, so a megabyte of anything takes
milliseconds, on any thread. The words that decide are in tables and regular expressions at the
top of each part; extend them for your policy's habits.

Standard library only.
"""

import operator
import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from .numerals import normal

__all__ = ["BOX", "MOST_STATEMENTS", "WINDOW", "Reader", "Reading", "final_value"]

WINDOW = 300  # characters that are read of a statement, or around it
BOX = 700  # characters of a box or a tag that are read
MOST_STATEMENTS = 8  # of each kind that are looked at, from the end

T = TypeVar("T")


class Reading(NamedTuple, Generic[T]):
    """What a statement says: one value, or, with `value` None, that it commits to none."""

    value: T | None
    end: int


Reader = Callable[[str, int, str, int | None], Reading[T] | None]
"""`read(text, start, mode, stop)`: the statement at `start`, or None if it states nothing.

`mode` is "number" when the value must come at once, "sentence" when words may come first, and
"reply" for a Chinese 答：, a whole sentence whose last value is the answer. `stop` is where a closed
statement, such as a box, ends; None where it ends with its sentence.
"""


def final_value(
    response: str,
    read: Reader[T],
    bare: Callable[[str], T | None],
    same: Callable[[T, T], bool] = operator.eq,
) -> T | None:
    """Return the value that a text finally commits to, or None.

    Args:
        response: any text.
        read: reads one statement.
        bare: reads a text without any statement: nothing but the answer, or None.
        same: whether two statements agree.
    """
    text = _without_thought(response)
    statements: list[_Statement[T]] = []
    _formats(text, read, statements)
    _english(text, read, statements)
    if not text.isascii():
        _chinese_phrases(text, read, statements)
    if not statements:
        return bare(text)
    if len(statements) > 1:
        statements.sort(key=lambda statement: statement.start)
        statements = [s for s in statements if s.rank] or statements
    last = statements[-1]
    value, end = last.reading
    for earlier in reversed(statements[:-1]):
        other = earlier.reading.value
        if earlier.rank < last.rank or other is None or (value is not None and same(other, value)):
            continue
        between = text[max(earlier.reading.end, last.start - 2000) : last.start]
        if not _CORRECTION.search(normal(between)):
            return None
        break
    if len(text) - end < 3:  # no room for second thoughts
        return value
    after = normal(text[end : end + 1000])
    if _CUES.search(after):
        for m in reversed([*_RETRACTION.finditer(after)][-MOST_STATEMENTS:]):
            restated = read(text, end + m.end(), "number", None) if m["restated"] else None
            if restated or not m["restated"]:
                return restated.value if restated else None
    return value


class _Statement(NamedTuple, Generic[T]):
    start: int
    rank: int  # 0: a result; 1: an answer; 2: a format (####, a box, <answer>); 3: a final answer
    reading: Reading[T]


_ENGLISH = re.compile(
    r"""(?:answer|ans)(?:,?\s+(?:therefore|thus|then|here|in\s+\w+|(?:that\s+)?(?:we|i)\s+\w+),?(?=\s+(?:is|equals)\b))?
    (?:\s+(?:to|for|of)\s+(?:the|this|your)\s+(?:\w+\s+)?(?:question|problem|puzzle|exercise))?(?:\s*\([^()\n]{1,30}\))?[*_"'\s)\]}.]*
    (?: (?P<sentence> :[*_]* | -> | → | => | is[,:]?\s+that\b )
      | (?: (?:is|equals|comes\s+(?:out\s+)?to|works\s+out\s+to|turns\s+out\s+to\s+be|amounts\s+to|=|是|为)
          | (?:would|should|must|will|has\s+to|can\s+only)\s+(?:be|equal)) (?![a-z]) \s*:?
      | (?P<header>(?<=\n))
      | (?<=\s)(?=[$\\0-9]))""",
    re.VERBOSE,
)
_CHINESE = re.compile(
    r"""(?: 答案[】\]*_\s”"」》)]*(?:(?![是为即不未没否位]|[大小]于)[\u4e00-\u9fff]){0,6}(?:\([^()\n]{1,12}\))?["”\s]*(?:[:=→]|是:?|为:?|等于|即|如下[:\s]|(?=并?不是|并非))
      | 答案(?:[】*_\s]*(?:$|\n)|[】\s]*(?=[0-9$¥]))
      | 答[*\s]*(?P<reply>:)
      | 选择?[*\s]*:?(?=[\s($*]*(?:\\text\w*\{[\s(]*)?[a-e]\b)
      | 结果[*\s]*(?P<result>是:?|为:?|等于|[:=]))[*_\s]*""",
    re.VERBOSE,
)
_CHOSEN = re.compile(r"(?:故|应|所以|因此|答案|正确)$")
# Right before "answer" or "答案", these make it somebody else's, or only supposed.
_NOT_OURS = re.compile(
    r"""(?: \b(?:if|suppose|assume|assuming|say|whether|wrong|incorrect|previous|initial|first|old|reference|expected|sample
            |example|possible|potential|candidate|intermediate|partial|unless|impossible|his|her|their|student(?:['’]s)?|naive|tempting|common|alleged|model|gold|is|false|case|unclear|unlikely
            |true|(?<!no\s)doubt(?:ful)?)[\s_]+(?:the\s+|that\s+the\s+|an\s+)*(?:final\s+|correct\s+)?
      | (?<!\bi\s)(?<!\bwe\s)\b(?:think|thinks|thought|says?|said|claims?|claimed|believes?|guess(?:ed)?|argue[sd]?)
            \s+(?:that\s+)?(?:the|its|my)\s+(?:\w+\s+)?
      | (?:错误的?|可能的?|候选|中间|假定|除非|(?:老师|网上|书上)说?的?|小.(?:的|说)|第[一二三四五1-5]步的|原来的?|原|之前的?|参考|标准|如果|假如|假设|若|他的|她的|有人(?:说|认为)|题目[说中给的]*|提示:?|[某上]一?[题个]的
            |以为|不是|猜|学生的?|例题的?|[不没][^,。;]{0,6}(?:认为|说|觉得))[“"「']?(?:最终|正确)?
      | (?P<not_a_reply>[解问应报作回]))$""",
    re.VERBOSE,
)
# "#### 1. Find the total", and a text below: a Markdown heading.
_HEADING = re.compile(r"\s*[0-9]{1,2}[.)、]\s+\S[^\n]*\n\s*\S")
_CORRECTION = re.compile(
    r"""\b(?:wait|actually|oops|hold\s+on|hmm|correct(?:ion|ed)|however|but|mistake|error|wrong|incorrect|re-?check|re-?calculat\w+
          |re-?do|re-?consider\w*|double-?check\w*|let\s+me\s+check|verif\w+|not|on\s+second\s+thought|scratch\s+that|sorry|i\s+mean
          |rather|instead|no,|edit|revised?|updated?)
      | 不对|错|等等|等一下|更正|纠正|修正|重新|再算|抱歉|其实|实际上|检查|而是|改""",
    re.VERBOSE,
)
_CUES = re.compile(
    r"wait|oops|hold|scratch|second thought|correction|mistake|wrong|incorrect|not |n['’]t |disagree|error|meant|sorry|actually|rather|edit:|no,|should|made a|[ (,]or |\?|alternatively"
    r"|my bad|i get|i now get|does|;\s?\$?[0-9]|\n|错|误|不|无法|没有|等|正|重|撤|抱歉|应|或|改|其实|实际|对不起|可能|另|发现|再算"
)
_RETRACTION = re.compile(
    r"""(?P<restated>[。!,\n]\s{0,9}(?:(?:其实|实际上|对不起,?|等一?[等下],?)应?该?[是为]|改[为:]|[^。\n]{0,8}发现[^。\n]{0,12}?是|再算一[遍次],?得到?)
          | \bi\s+(?:now\s+)?get\b | \A\s?;(?=\s?\$?[0-9]) | \b(?:edit:|or\s+rather|no,(?:\s+it(?:['’]s|\s+is))?|should\s+(?:actually\s+)?(?:be|have\s+been))
          | 应该是|应为|应当是|(?:\A|[,。!\n—])\s{0,9}不,\s*是?(?=\s*[0-9]))
      | \A[^\n.!。]{0,40}?(?:(?<![没会])(?<!会有)(?<!没有)错|[?])
      | \A[^\n]{0,40}?(?:但不正确|无法(?:给出|确定|得出|判断|求出)|没有得[到出]|不是正确答案|也(?:有)?可能是|另一个答案|my\s+bad)
      | (?:doesn['’]t|does\s+not)\s+(?:seem|look)\s+right
      | \A[.\s]{0,9}\n\s{0,9}(?:[-*•]\s)?\$?[0-9][0-9,.]*\s*(?:\n|\Z)
      | \A[\s.,;*)$]*(?:or|alternatively|或者?)\W+\$?[0-9]
      | (?:\A|[.!?,;:\n—(。])\s{0,9}(?:oh|hmm|but|no)?,?\s?(?:wait|oops|hold\s+on|scratch\s+that|on\s+second\s+thought|correction
          |sorry|actually)\b
      | \bi\s+(?:made\s+an?\s+(?:\w+\s+)?(?:mistake|error)|was\s+wrong|meant|disagree)\b
      | \b(?:that|this|which|it|answer|result)(?:(?:['’]s|\s+is|\s+was)\s+(?:wrong|incorrect|not\s+(?:right|correct)|a\s+mistake)
          |\s+can(?:not|['’]t)\s+be\s+(?:right|correct|true))
      | (?<![里有何])不对[,。!;]|(?<![没会])错了|是错的|(?:答案|结果|这)(?:是|都)?(?:错|有误|不正确|不对)|错误示范|等一下|更正|算错|搞错|重新(?:计)?算|重算|说错|撤回
      | (?:\A|[。!,\n—])\s{0,9}(?:等等|抱歉|不,)""",
    re.VERBOSE,
)


_SUSPECT = re.compile(r'["`“「『]|<!--|\[//|nswer|NSWER|答案')  # before a format: see `_disowned`
_JSON_KEY = re.compile(r'"[\w ]*$')  # {"final_answer": 72} quotes its own key
# Around a box: what makes its number part of a longer one, a limit, a denial or one of several.
_BOX_QUALIFIED = re.compile(
    r"""(?: [0-9] | (?<!-)-\$? | (?<![a-z]{2})(?<![-=])[<>]\s* | [≤≥≠±]\s* | \\[dt]?frac\s*\{ | \\(?:neq?|pm|[gl](?:e|eq|eqslant|t))\b\s*
      | (?:\b(?:not|never|cannot)|n['’]t)(?:\s+(?:be|equal|equal\s+to|exactly|simply))?[\s$(\\]*
      | [}0-9][\s$)\\,]*(?:\bor\b|或者?)[\s$(\\]*
      | \^\{?\s* | /\s* | \}\{\s* | \$\s*-\s* | [\w)}]\s*[-+*]\s* | \\(?:sqrt(?:\[\w\])?|ln|log|sin|cos|tan|times|cdot)\s*[{(]?\s*
      | \b(?:more|less|fewer|greater|smaller|larger)\s+than[\s$(\\]*
      | (?:不是|并非|不等于|[大小]于|超过|不足|不到|[多少]于)[\s$(\\]*)$""",
    re.VERBOSE,
)
# Most boxes stand between plain words, "makes $18$ dollars": none of those above and below.
_PLAIN_WORD = re.compile(
    r"(?<![\\\w])(?!not|never|can|be\b|equal|to\b|exact|simpl|than|or\b)[A-Za-z]{2,} \$?$"
)
_PLAIN_NEXT = re.compile(
    r"\$?(?: (?!million|billion|thousand|hundred|or\b|is\b|isn)[a-z]{2,}|\.?\s*\Z)"
)
_BOX_CONTINUED = re.compile(
    r"""\$?[ ]?[0-9万亿千百] | [.,][0-9] | \s*[\^/]\s*[0-9{] | \s*[-+*×/^]\s*(?:[0-9\\({]|[a-z]\b) | !\s?\$ | [a-z](?![a-z])
      | \s*\\(?:sqrt|pi|d?frac|cdot|times|div|ln|log|sin|cos|tan)\b
      | [\s$)\\\]]*(?:(?:million|billion|thousand|hundred|or\s+\S{0,8}[0-9]|is\s+(?:wrong|incorrect|not)|isn['’]t)\b
          | 点[0-9] | 元[0-9] | .?[多余](?![出还加]) | .?半(?![价数]) | 以[上下内] | 或者?\S{0,3}[0-9] | (?:是|这)?(?:错|不对)
          | [^\n,.;:。!]{0,4}[吗?])""",
    re.VERBOSE,
)
_BRACE = re.compile(r"(?<!\\)[{}]")
_PHRASE = re.compile(r"(?:answer|答案)[^.?!。]{0,20}$")


def _occurrences(text: str, *needles: str) -> list[int]:
    """Where each needle occurs: at most the last `MOST_STATEMENTS` of each."""
    found: list[int] = []
    for needle in needles:
        at, most = text.rfind(needle), len(found) + MOST_STATEMENTS
        while at >= 0 and len(found) < most:
            found.append(at)
            at = text.rfind(needle, 0, at)
    return found


def _line_before(text: str, at: int) -> str:
    return normal(text[max(text.rfind("\n", max(at - WINDOW, 0), at) + 1, at - WINDOW) : at])


def _quoted(before: str) -> bool:
    """True if what follows `before` on its line stands inside a quotation or a comment."""
    return (
        before.count('"') % 2 == 1
        or before.count("`") % 2 == 1
        or any(before.count(mark[0]) > before.count(mark[1]) for mark in ("“”", "「」", "『』"))
        or "<!--" in before
        or before.startswith("[//]:")
    )


def _closing_brace(text: str, start: int) -> int:
    """Where the brace that was opened just before `start` closes; 0 if not within the window."""
    depth = 1
    for m in _BRACE.finditer(text, start, start + BOX):
        depth += 1 if m[0] == "{" else -1
        if not depth:
            return m.start()
    return 0


def _formats(text: str, read: Reader[T], found: list[_Statement[T]]) -> None:
    r"""`#### 72` and `\boxed{72}`."""
    for at in _occurrences(text, *(("####",) if text.isascii() else ("####", "＃＃＃＃"))):
        if not _HEADING.match(text, at + 4, at + WINDOW) and not _disowned(text, at):
            if reading := read(text, at + 4, "number", None):
                found.append(_Statement(at, 2, reading))
    for at in _occurrences(text, "boxed{") if "boxed{" in text else ():
        if _disowned(text, at):
            continue
        stop = _closing_brace(text, at + 6)
        reading = read(text, at + 6, "sentence", stop) if stop else Reading[T](None, at + 6)
        if reading:
            before = text[max(at - 40, 0) : at].removesuffix("\\")
            after = text[stop + 1 : stop + 41]
            if (not _PLAIN_NEXT.match(after) and _BOX_CONTINUED.match(normal(after))) or (
                not _PLAIN_WORD.search(before[-12:]) and _BOX_QUALIFIED.search(normal(before))
            ):
                reading = Reading[T](None, reading.end)
            found.append(_Statement(at, 2, Reading(reading.value, max(stop, at) + 1)))


def _disowned(text: str, at: int) -> bool:
    """True if a format is quoted, or is the answer of a phrase that is not the writer's own."""
    if not at or text[at - 1] == "\n":
        return False
    start = max(at - WINDOW, 0)
    before = text[max(text.rfind("\n", start, at), start) : at]
    if not _SUSPECT.search(before):
        return False
    before = normal(before.lstrip("\n"))
    phrase = _PHRASE.search(before)
    return _quoted(before) or (
        phrase is not None and _NOT_OURS.search(before[: phrase.start()]) is not None
    )


def _english(text: str, read: Reader[T], found: list[_Statement[T]]) -> None:
    """The answer is 72, **Answer:** 72, <answer>72</answer>, so 72 is the answer."""
    if not ("nswer" in text or "NSWER" in text or "Ans" in text or "ans:" in text or "A:" in text):
        return
    words = [at - 1 for at in _occurrences(text, "nswer", "NSWER")]
    words += [at for at in _occurrences(text, "Ans", "ans:") if text[at + 3 : at + 4] != "w"]
    for at in words:
        if text[max(at - 7, 0) : at].endswith(("<", "<final_")) and text[at + 6 : at + 7] == ">":
            stop = text.find("</", at, at + BOX)
            if stop >= 0 and (reading := read(text, at + 7, "sentence", stop)):
                found.append(_Statement(at, 2, reading))
            continue
        before = _line_before(text, at)
        if before[-1:].isalpha():
            continue
        if backward := re.search(r"\b(?:is|as)\s+(?:the|our|my)\s+(?:\w+\s+)?$", before[-40:]):
            stop = at - len(before[-40:]) + backward.start()
            start = at - len(before.rpartition(". ")[2])
            if re.match(r"answer\W*(?:\n|$)", normal(text[at : at + 20])) and not _quoted(before):
                if reading := read(text, start, "sentence", stop):
                    found.append(_Statement(at, 1, Reading(reading.value, at + 6)))
            continue
        m = _ENGLISH.match(normal(text[at : at + WINDOW]))
        if (
            not m
            or _quoted(_JSON_KEY.sub("", before) if '"' in m[0] else before)
            or _NOT_OURS.search(before[-80:])
        ):
            continue
        final = re.search(r"\bfinal[\s_]+(?:\w+\s+)?$", before[-40:]) is not None
        if m["header"] is not None and not final and before.strip(" #*"):
            continue
        if reading := read(
            text,
            at + m.end(),
            "sentence" if m["sentence"] or m["header"] is not None else "number",
            None,
        ):
            found.append(_Statement(at, 3 if final else 1, reading))
    starts = [at + 1 for at in _occurrences(text, "\nA:")]
    for at in [0, *starts] if text.startswith("A:") else starts:
        if reading := read(text, at + 2, "sentence", None):
            found.append(_Statement(at, 1, reading))


def _chinese_phrases(text: str, read: Reader[T], found: list[_Statement[T]]) -> None:
    """答案是72, 【答案】72, 答：一共72个, 结果是72."""
    results = [at - 1 for at in _occurrences(text, "果") if text[at - 1 : at] in ("结", "結")]
    choices = [at for at in _occurrences(text, "选") if _CHOSEN.search(text, max(at - 4, 0), at)]
    for at in _occurrences(text, "答") + results + choices:
        m = _CHINESE.match(normal(text[at : at + WINDOW]))
        before = _line_before(text, at)
        if not m or _quoted(_JSON_KEY.sub("", before) if '"' in m[0] else before):
            continue
        foreign = _NOT_OURS.search(before[-60:])
        if foreign and (foreign["not_a_reply"] is None or m["reply"]):
            continue
        rank = 0 if m["result"] else 3 if before.endswith(("最终", "最后", "最终的")) else 1
        if reading := read(text, at + m.end(), "reply" if m["reply"] else "sentence", None):
            found.append(_Statement(at, rank, reading))


# Reasoning models wrap their thought in one of these.
_THOUGHT = (
    "<think>", "<thinking>", "<thought>", "<reasoning>", "<analysis>", "<seed:think>", "[think]", "◁think▷",
)  # fmt: skip
_TAG = re.compile(r"<[/tTrRaAsS]")
_THOUGHT_END = tuple(tag[0] + "/" + tag[1:] for tag in _THOUGHT)


def _first(text: str, tags: tuple[str, ...], start: int = 0) -> int:
    """Where the first of the tags stands; the end of the text if none does."""
    return min((at for tag in tags if (at := text.find(tag, start)) >= 0), default=len(text))


def _without_thought(text: str) -> str:
    """Drop `<think>...</think>`, what follows an unclosed `<think>`, what precedes a stray end."""
    if not _TAG.search(text) and "THINK]" not in text and (text.isascii() or "◁" not in text):
        return text
    lower = text.lower() if "İ" not in text else text  # as long as the text
    opened, closed = _first(lower, _THOUGHT), _first(lower, _THOUGHT_END)
    if closed < len(text):
        start = max(lower.rfind(tag) + len(tag) for tag in _THOUGHT_END if tag in lower)
        after = text[start : _first(lower, _THOUGHT, start)]
        if after.strip() or closed < opened:
            return after
    return text[:opened]
