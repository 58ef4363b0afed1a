r"""Where an answer is stated: a table of forms, English and Chinese side by side.

    >>> next(statements("She makes 9 * 2 = 18. So the answer is 18.")).form.name
    'the answer is'
    >>> tag = Form("result", "<result>", r"<result>", closes="</", before="")
    >>> next(statements("<result>18</result>", (*FORMS, tag))).text
    '18'

To add a phrase is to add a row. Standard library only.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["FORMS", "Form", "Statement", "statements"]

WINDOW = 300  # characters that are read of a phrase
BOX = 700  # characters that are read of a closed form
TAIL = 200  # characters at the end, where nearly all answers stand
LONGEST_MARK = 12  # characters
MOST_STATEMENTS = 12  # of each mark that are looked at, from the end

# A phrase begins its clause; between the two, only these words. So "the student's answer is 18",
# "if the answer is 18" and "I doubt that the answer is 18" state nothing.
_LEAD = (
    "so|thus|therefore|hence|then|and|now|finally|lastly|overall|gives?|yields?|means?|that|we|i|am|are|confident"
    "|sure|certain|conclude|find|get|see|have|is|the|our|my|final|correct|right|best|two|real|integer|general|all|possible|exact|required|desired"
    "|numerical|simplified|meant|mean|actual|corrected|updated|revised|new|short|only|complete|full"
)
_LEAD_CHINESE = (
    "所以|因此|因而|故|则|那么|于是|从而|由此|综上所述|综上|总之|最终|最后|正确|准确|本题|此题|该题|这道题|题目"
    r"|第\S{1,4}[题问]|经..|符合条件|我?算[出得]来?|计算|我们?|得到?|可得|可知|知|解得|即|的|更正后?|修正后?|所求|方程|函数|定义|值|本题应|应该?"
)
# A clause begins behind punctuation, but for a quotation mark, or with one of these.
_CLAUSE = (
    r"\A|[^\w\s\"'`“”‘’「『>]|\n|\b(?:so|and|but|thus|hence|therefore)\b|\b(?:clear|no\s+doubt|to\s+see|follows|means|shows?|implies)\s+that\b"
    r"|所以|因此|得到|得出|可知|则"
)
BEGINS = (
    rf"(?:{_CLAUSE})\s*"
    rf"(?:(?:{_LEAD})[\s,:*_]+|(?:{_LEAD_CHINESE})[,:\s*_]*|[*_#]+\s*){{0,9}}\Z"
)


class Form(NamedTuple):
    """A way to state an answer. Patterns are regular expressions over text in lower case.

    Args:
        name: for whoever reads the table.
        mark: what occurs in every such statement, literally; it is looked for first.
        opens: a pattern that begins at the mark. The statement is what follows.
        closes: the pattern that ends a closed form; "}" for the matching brace. A phrase has
            none: it ends with its sentence.
        rank: a form of rank 0 counts only if it ends the response, and nothing of rank 1 is there.
        sentence: whether words may come before the value, as in "Answer: she makes 18 dollars".
        before: a pattern for what stands before the mark, in the same 80 characters.
        backward: the statement is what stands before, in the same sentence: "18 is the answer".
    """

    name: str
    mark: str
    opens: str
    closes: str = ""
    rank: int = 1
    sentence: bool = False
    before: str = BEGINS
    backward: bool = False


class Statement(NamedTuple):
    """A statement that was found: its form, and the text that it holds; None if it never closes."""

    form: Form
    text: str | None


_IS = (
    r"(?:(?:would|should|must|will|has\s+to)\s+)?(?:is|are|was|be|=|equals?|comes\s+(?:out\s+)?to"
    r"|works\s+out\s+to|turns\s+out\s+to\s+be|amounts\s+to)(?![a-z])\s*:?"
)
_TO = r"(?:\s+(?:to|for|of)\s+(?:the|this|your)\s+(?:\w+\s+)?(?:question|problem|puzzle|exercise)|\s+in\s+\w+|\s+(?:that\s+)?(?:we|i)\s+\w+)?"
_OF = r"(?:\s+(?:to|of|for)\s+(?:(?:the|this|a)\s+)?(?:\w+\s+)?\w+)?"
_UNIT = r"(?:\s*\([^()\n]{1,30}\))?"  # Answer (in dollars): 18
_MARKS = r"[*_\"')\]}】》」\s]*+"
_ENDS = r"(?=\W*(?:\n|\Z))"

FORMS = (
    Form("hashes", "####", r"####", closes=r"\n|\Z", before=""),
    Form("box", "box", r"(?:boxed|(?<=\\f)box)\s*\{", closes="}", before=""),
    Form("tag", "ans", r"answer>", closes="</", before=r"<(?:final_)?\Z"),
    Form("json text", "ans", r'answer"\s*:\s*"', closes=r'"', before=r'"(?:final[_ ])?\Z'),
    Form("json", "ans", r'answer"\s*:', closes=r"[,}\n]|\Z", before=r'"(?:final[_ ])?\Z'),
    Form("the answer is that", "ans", rf"answer{_TO}\s+is[,:]?\s+that\b", sentence=True),
    Form("the answer is", "ans", rf"answers?{_TO}{_UNIT}[*_\s]*(?:,\s*\w+,\s*)?{_IS}"),
    Form("answer:", "ans", rf"answers?{_TO}{_UNIT}{_MARKS}(?::|->|→|⇒|=>|=|[—–-]{{1,2}}\s)", sentence=True),
    Form("ans", "ans", r"ans(?:\.?\s*[:=]|\.?(?=\s*\$?[0-9]))", sentence=True),
    Form("a heading", "ans", r"answer[*_\s]*\n", sentence=True, before=r"(?:[#*]\s*|\n|\A)(?:final\s+)?\Z"),
    Form("18 is the answer", "ans", rf"answer{_ENDS}", before=r"\s(?:is|as)\s+(?:the|our|my)\s+(?:\w+\s+)?\Z",
         backward=True),
    Form("the correct option is", "option", rf"options?\s*(?:{_IS}|:)"),
    Form("the correct choice is", "choice", rf"choices?\s*(?:{_IS}|:)"),
    *(
        Form("I choose", mark, rf"{mark}\b(?:\s+option)?", before=r"(?:\A|[\n.!?,;:])\s*(?:so|therefore|thus|hence)?,?\s*(?:i|we)(?:\s+will|\s+would|'ll|'d)?\s+\Z")
        for mark in ("choose", "pick", "select", "go with")
    ),
    Form("option C is correct", "correct", rf"correct(?:\s+(?:option|choice|answer))?{_ENDS}",
         before=r"(?<![a-z0-9'][a-j])(?<=[a-j)])\s+(?:is|are)\s+(?:the\s+)?\Z", backward=True),
    Form("A:", "a:", r"a:", sentence=True, before=r"(?:\A|\n)\Z"),
    Form("json 答案", "答案", r'答案"\s*:\s*"', closes=r'"', before=r'"\Z'),
    Form("json 答案", "答案", r'答案"\s*:', closes=r"[,}\n]|\Z", before=r'"\Z'),
    Form("答案是", "答案", rf"答案{_UNIT}{_MARKS}(?:并?不是[^,。]{{1,12}},而)?(?:就|正|便|应该?|无疑)?(?::|=|→|是:?|为:?|即|等于|选择?|[—–-]{{1,2}}\s|如下[:\s])", sentence=True),
    Form("【答案】", "答案", r"答案(?:[】\]]|[*_\s]*(?=[0-9$¥(a-j\n]))", sentence=True),
    Form("答：", "答", r"答[*\s]*:", sentence=True, before=r"(?:\A|[\n。.;,*])\s*\Z"),
    Form("故选", "选", r"选择?[*\s]*:?(?=[\s($*\\a-z{]*[a-j])"),
    Form("正确的是", "正确", r"正确(?:的选项|的?答案|的|选项)(?:是|为|:)"),
    Form("错误的是", "错误", r"错误(?:的选项|的|选项)(?:是|为|:)"),
    Form("解为", "解", r"解集?(?:是:?|为:?|:)", before=r"(?:\A|[\n。.,;])\s*(?:(?:所以|因此|故|则|原|方程|不等式|组|的)[,\s]*)*\Z", rank=0),
    Form("取值范围是", "取值范围", r"取值范围(?:是:?|为:?|:)", before=r"", rank=0),
    *(
        Form("the solutions are", mark, rf"{mark}(?:\s+set)?{_OF}(?:\s+{_IS}|\s*:)", rank=0)
        for mark in ("solutions", "solution", "roots", "zeros", "values", "domain", "range")
    ),
    *(Form("根为", mark, mark, rank=0) for mark in ("根是", "根为", "解得", "域是", "域为", "区间是", "区间为")),
    Form("结果是", "结果", r"结果[*\s]*(?:是:?|为:?|等于|[:=])", rank=0),
    *(
        Form("conclusion", word, word + (r"(?![a-z])" if word.isascii() else ""), rank=0, sentence=True, before=r"(?:\A|[\n.!?。！？])\s*\Z")
        for word in ("so", "thus", "hence", "therefore", "in total", "in conclusion", "in summary", "altogether", "所以", "因此", "故", "综上")
    ),
    *(
        Form("so x =", word, word + (r"(?![a-z])" if word.isascii() else "") + r"(?=[^\n.。]{1,40}=)", rank=0,
             before=r"(?:\A|[^\w\s]|\n)\s*\Z")
        for word in ("so", "thus", "hence", "therefore", "所以", "因此", "故")
    ),
    Form("a last bracket", "[", r"\[(?=[^\[\],\n]{1,80}\](?:\s*(?:cm|m|units?|degrees?|°))?\W*\Z)", closes=r"\]", rank=0,
         before=r"(?:\A|\n)[^\[\]\n]*\Z"),
)  # fmt: skip


def statements(text: str, forms: Sequence[Form] = FORMS) -> Iterator[Statement]:
    """Find the statements in a text, the last one first; then those of rank 0, the last one first.

    Args:
        text: plain, and without thought.
        forms: the ways to state an answer.
    """
    lower = text.lower()
    tail = max(len(text) - TAIL, 0)
    if forms is FORMS:  # what is looked up for every response
        stated, concluded = _TABLES[text.isascii()]
    else:
        stated, concluded = _tables(tuple(forms), text.isascii())
    yield from _found(text, lower, stated, tail, len(text))
    if tail:
        yield from _found(text, lower, stated, 0, tail)
    yield from _found(text, lower, concluded, tail, len(text))


_Table = dict[str, list["_Row"]]


def _found(text: str, lower: str, rows: _Table, first: int, last: int) -> Iterator[Statement]:
    """The statements whose marks begin from `first` on and before `last`, the last one first."""
    found: list[tuple[int, str]] = []
    window = lower[first : last + LONGEST_MARK]
    for mark in [mark for mark in rows if mark in window]:
        beyond, most = len(mark) - 1, len(found) + MOST_STATEMENTS
        at = lower.rfind(mark, first, last + beyond)
        while at >= 0 and len(found) < most:
            found.append((at, mark))
            at = lower.rfind(mark, first, at + beyond)
    if len(found) > 1:
        found.sort(reverse=True)
    for at, mark in found:
        for row in rows[mark]:
            if statement := row.read(text, lower, at):
                yield statement
                break


class _Row:
    """A form, compiled."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.opens = re.compile(form.opens)
        self.before = re.compile(form.before) if form.before else None
        self.closes = re.compile(form.closes) if form.closes not in ("", "}") else None

    def read(self, text: str, lower: str, at: int) -> Statement | None:
        """The statement at a mark; None if there is none."""
        opened = self.opens.match(lower, at)
        if not opened:
            return None
        start = max(at - 80, 0)
        before = self.before.search(lower, start, at) if self.before else None
        if self.before and (not before or (before.start() == start > 0)):
            return None
        if self.form.backward and before:
            end = before.start()
            return Statement(self.form, text[_sentence_start(text, end) : end])
        begin = opened.end()
        if self.form.closes == "}":
            end = _closing_brace(text, begin)
        elif self.closes:
            closed = self.closes.search(text, begin, begin + BOX)
            end = closed.start() if closed else -1
        else:
            end = _sentence_end(text, begin)
            if text[end : end + 1] == "?":  # asked, not stated
                return None
        if not self.form.rank and _SAYS.search(text, max(end, begin)):
            return None
        return Statement(self.form, text[begin:end] if end >= 0 else None)


@lru_cache(maxsize=16)
def _tables(forms: tuple[Form, ...], ascii_only: bool) -> tuple[_Table, _Table]:
    """The rows of each mark, of rank 1 and of rank 0."""
    tables: tuple[_Table, _Table] = ({}, {})
    for form in forms:
        if ascii_only and not form.mark.isascii():
            continue
        tables[1 - form.rank].setdefault(form.mark, []).append(_Row(form))
    return tables


_TABLES = {ascii_only: _tables(FORMS, ascii_only) for ascii_only in (True, False)}
_SAYS = re.compile(r"\w")
_BRACE = re.compile(r"(?<!\\)[{}]")
_END = re.compile(
    r"(?<!\.)(?<![Rr]s)\.(?=[\s*_\"')$]|\\[\])]|\Z)|(?<!\\)!(?=\s|\Z)(?!\s*(?:[$]|\\[)\]]))|[。！？?\n]|</|<\|"
)
_SPACE = re.compile(r"(?:[\s*_:$]|\\[\[(])*")


def _closing_brace(text: str, start: int) -> int:
    """Where the brace that was opened just before `start` closes; -1 if not within `BOX`."""
    depth = 1
    for m in _BRACE.finditer(text, start, start + BOX):
        depth += 1 if m[0] == "{" else -1
        if not depth:
            return m.start()
    return -1


def _sentence_end(text: str, start: int) -> int:
    """Where the sentence ends that goes on at `start`, perhaps on the next line."""
    space = _SPACE.match(text, start)
    m = _END.search(text, space.end() if space else start, start + WINDOW)
    end = m.start() if m else min(len(text), start + WINDOW)
    if "}" in text[start:end]:
        depth = 0
        for brace in _BRACE.finditer(text, start, end):
            depth += 1 if brace[0] == "{" else -1
            if depth < 0:  # it closes a box around the phrase
                return brace.start()
    return end


def _sentence_start(text: str, end: int) -> int:
    """Where the sentence begins that goes on to `end`."""
    start = max(end - WINDOW, 0)
    return max((m.end() for m in _END.finditer(text, start, end)), default=start)
