r"""What a response states as its answer: one value, or nothing.

    >>> find("9 * 2 = 18, so she makes $18 a day. The answer is **18**.").number
    Fraction(18, 1)
    >>> find(r"By Vieta, \boxed{x = -5 \text{ or } x = 5}").value.name
    'list'
    >>> find("The answer is at least 17.")
    Answer(text='at least 17', value=None, too_complex='')
    >>> find(r"First \boxed{7}; on second thought \boxed{}.") is None
    True

The reference is not looked at: a response has one answer, whatever is compared with it.

1. Thought is dropped (`said`).
2. *Where*: the rows of `FORMS` say how an answer is stated. The last statement counts.
3. *What*: a statement is a value if the grammar (`expression`) reads all of it, or it is a few plain words. A
   closed form, such as a box, holds what is between its marks and nothing that stands around it; if that is no
   value, the response states nothing. A phrase holds what follows to the end of its sentence; if that is no
   value, it was no statement. Plain words count only if no value is stated.

Standard library only.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from ..shared.text import plain, said
from .expression import read
from .forms import FORMS, Form, statements
from .scanner import SPACE
from .sentence import result
from .trees import Node, Op, TooComplex, Unreadable, named

__all__ = ["Answer", "as_text", "find", "is_placeholder", "read_value"]

MOST_CHARACTERS = 100_000  # that are looked at, from the end
LONGEST_BARE = 300  # of a response that is nothing but its answer
LONGEST_WORDS = 60  # of an answer in words


class Answer(NamedTuple):
    """What a response or a reference states.

    Args:
        text: it, without what only decorates.
        value: it, read; None if it is plain words, or `too_complex`.
        too_complex: why it was refused; "" if it was not.
    """

    text: str
    value: Node | None
    too_complex: str = ""

    @property
    def number(self) -> Fraction | None:
        """The exact number that it is, x = 18 and 18 eggs included; None if it is none."""
        value = None if self.value is None else named(self.value)
        return value if isinstance(value, Fraction) else None

    @property
    def in_words(self) -> bool:
        """Whether it is a few plain words: "east", "June 20"."""
        return (
            self.value is None
            and not self.too_complex
            and _FEW_WORDS.fullmatch(self.text) is not None
        )


def find(response: str, forms: Sequence[Form] = FORMS) -> Answer | None:
    """Return what a response states as its answer, or None if it states nothing.

    Args:
        response: any string.
        forms: the ways to state an answer; see `forms.Form`.
    """
    text = plain(said(response)[-MOST_CHARACTERS:])
    words: Answer | None = None
    for form, stated in statements(text, forms):
        whole = form.closes != "" and form.mark != "####"
        answer = None if stated is None else read_value(stated, whole, form.sentence)
        if _settles(form, stated, answer):
            return answer
        words = words or answer
    return words or (_bare(text) if len(text) <= LONGEST_BARE else None)


def _settles(form: Form, stated: str | None, answer: Answer | None) -> bool:
    """A value settles what is stated; so does a closed form without one, but for a heading."""
    if answer and not answer.in_words:
        return True
    if form.mark == "####" and stated and _WORD.search(stated):  # "#### Step 1: add"
        return is_placeholder(stated)
    return form.closes != ""


def _bare(text: str) -> Answer | None:
    """A response that is nothing but its answer; a sentence, with its verb, is none."""
    answer = None if _NO_VALUE.fullmatch(text) else read_value(text)
    return None if answer and answer.value is not None and _COPULA.search(text) else answer


# --- What -------------------------------------------------------------------------------------


def _any(words: str) -> str:
    """A pattern for any word of a table."""
    return "|".join(words.split())


# Words that may stand before a value and say nothing about it.
_LEAD_ENGLISH = _any(
    r"the our my a of final correct answers?\s+[—–-]{1,2}(?=\s) answers? ans\.? is are be it its given by equals? equal to just exactly simply only"
    r" precisely about approximately approx\.? roughly around in total value so therefore thus hence then now indeed actually"
    r" clearly definitely certainly also both best this\s+gives max(?:imum)? min(?:imum)? not\s+[^,.;]{1,20}?,?\s+but(?:\s+rather)?"
)
_LEAD_CHINESE = _any(
    r"最终 正确 故 所以 因此 解得 [【\[]答案[】\]] 答案 答 是 为 即 等于 一共 总共 共 总计 合计 约 大约 大概 就是 应该 应 正好 恰好 刚好 所求"
    r" 人民币 港币 平均 正(?!负) 选项? 选择 每[\u4e00-\u9fff]{1,3}(?=\s*[0-9]) [最极][大小]值 ¥ ≈ \\approx"
)
_CURRENCIES = _any(r"rmb usd us(?=\s*\$) hk(?=\s*\$) eur gbp cny rs\.?")
_LEAD = re.compile(
    rf"[\s*_:,=]*(?:(?:(?:{_LEAD_ENGLISH})(?![a-z0-9(])|(?:{_CURRENCIES})(?![a-z])|{_LEAD_CHINESE})[\s*_,:=]*)+",
    re.IGNORECASE,
)
# A clause that explains is left out, and so is one behind a comma or a dash that holds no other value.
_EXPLAINS = _any(
    r"because since which so after using that\s+is by\s+\w+ing as\s+(?:required|desired|needed)"
)
_CLAUSE_OPENS = _any(
    "the this that it he she they we each both note remember since because as in for"
)
_EXPLAINED = re.compile(
    rf"\s*,?\s*(?:\b(?:{_EXPLAINS})\b|i\.e\.?|因为|由于|也就是|即(?=\S*[\u4e00-\u9fff=])|而不是|而非)"
    rf"|,\s*(?:not\s|about|roughly|不是|比|其中|共|每)|(?:\s[—–-]{{1,2}}|;)\s*(?=(?:{_CLAUSE_OPENS})\b|[\u4e00-\u9fff]{{2}})(?!.*答案)"
    r"|\s*[,;](?!.*(?:\d|\bor\b|\beither\b|或|也|[\\^_$=<>]))",
    re.IGNORECASE,
)
# A phrase may be a range or a bullet, where a box holds a difference or a sign.
_NO_VALUE = re.compile(r"\s*\d+(?:\.\d+)?\s*-\s*\d+(?:\.\d+)?\s*|\s*[-+]\s+\d.*")
_COPULA = re.compile(r"\b(?:is|are|was|were|be)\b|[是为]", re.IGNORECASE)
# A letter with the text of its option behind it, but not "A or B", "A is wrong", "A + 1".
_BARE = r"(?P<bare>[A-J])(?=\s*(?:[.):：,，、]|选项|项|\Z|\((?:[a-z]{3}|[\u4e00-\u9fff])|-\s*[a-z]|[\u4e00-\u9fff]{2}))"
_NO_REMARK = r"(?!(?:is|or|and|not|isn't|nor|but|wrong|false|no|maybe|perhaps|incorrect)\b|[是或不和错排与]|[+*/^=<>|_'])"
_CHOICE = re.compile(
    rf"(?:option|choice|选项?)?\s*(?:{_BARE}|\((?P<bracketed>[A-J])\)(?!\s*\())\s*(?:选项|项)?"
    rf"(?P<marks>[\s.):：,，、(-]*+){_NO_REMARK}(?P<remark>(?:(?!(?<![A-Za-z])[A-J](?![A-Za-z])).)*)",
    re.DOTALL | re.IGNORECASE,
)
_SIMPLE = re.compile(r"[\s*_]*\$?(-?[0-9]{1,15})(?:\.0{1,9})?\$?[\s*_.]*")
_EMPHASIS = re.compile(
    r"\A\s*[-•]\s+(?=\*\*)|(?<![A-Za-z0-9)])(?:\*\*+|__+)|(?:\*\*+|__+)(?![A-Za-z0-9(])|`+"
    r"|</?(?:b|strong|em|i|u)>|[\u2600-\u27bf\U0001f300-\U0001faff]|…+|——|\A\.{3,}"
)
_ENDING = re.compile(r"(?:(?<!\\)[.。,;！])+\Z")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}")
_SHOWS = re.compile(r"[^\W_]|\\[a-z]")
_FEW_WORDS = re.compile(r"(?=.{1,80}\Z)[^\\{}^$=<>|+*]*[^\W\d_][^\\{}^$=<>|+*]*", re.DOTALL)
_NUMBERS = r"(?:\\math(?:bb|bf)\s*\{?[NZR]\}?|[ℤℕℝZNR])"
_DOMAIN = re.compile(
    rf"(?:\\[ ,;]|[,(\s])*(?:\\text\{{[^{{}}]*\}}\s*)?\(?[a-z]\s*(?:\\in|∈)\s*{_NUMBERS}\)?\s*\Z"
)
_SYNONYMS = {
    r"\mathbb{R}": ("all real numbers", "all reals", "全体实数", "一切实数"),
    r"\emptyset": ("no solution", "no solutions", "empty set", "空集", "无解"),
}
_SYNONYM = {words: symbol for symbol, names in _SYNONYMS.items() for words in names}
# What stands where there is no answer.
_PLACEHOLDERS = frozenset(
    """answer,answers,answer not found,no answer,no answer provided,no answer given,no answer available,not available,not found
    ,notfound,not provided,not given,not specified,not applicable,unavailable,unanswered,no solution provided,solution omitted
    ,solution not provided,proof,proof omitted,proof below,prove,proved,proven,qed,q.e.d,as shown,omitted,missing,none,null,nil
    ,nan,na,n/a,unk,unknown,undetermined,tbd,answers vary,varies,it depends,open-ended,无,无答案,没有答案,无参考答案,暂无,暂无答案,暂缺
    ,未知,未提供,不详,待定,无法确定,不确定,答案不确定,合理即可,证明,证毕,得证,如图,如图所示,主观题,开放题""".replace(
        "\n    ", ""
    ).split(",")
)
_NOT_HERE = re.compile(
    r"see\s.*|[\u4e00-\u9fff]{0,6}略去?|.{0,4}[参详]?见.{0,6}|.{0,4}不唯一.{0,8}|开放.{0,4}|证明如.*|.{0,6}即可|\?+|\.{2,}",
    re.IGNORECASE,
)


def is_placeholder(text: str) -> bool:
    """Whether a text says that there is no answer: nan, proof, 略, 见解析, "See the solution."."""
    text = as_text(SPACE.sub(" ", text)).strip("()[]{}（）")
    text = re.sub(r"\A(?:答案|答|answer)\s*[:：]\s*", "", text, flags=re.IGNORECASE)
    if text.casefold() in _PLACEHOLDERS or not _SHOWS.search(text):
        return True
    return _NOT_HERE.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def read_value(text: str, whole: bool = True, sentence: bool = False) -> Answer | None:
    """Read a statement: a value, or a few plain words; None if it is neither.

    Args:
        text: what is stated, plain.
        whole: whether all of it is the answer; a clause that explains may follow elsewhere.
        sentence: whether words may come before the value.
    """
    if m := _SIMPLE.fullmatch(text):
        return Answer(m[1], Fraction(int(m[1])))
    text = _ENDING.sub("", _EMPHASIS.sub("", text).strip(' \t\n"*_:=,')).strip()
    if is_placeholder(text) or (not whole and _NO_VALUE.fullmatch(text)):
        return None
    answer = _read_parts(text) or _chosen(text) or _read(text, whole)
    if not answer and not whole and (explained := _EXPLAINED.search(text)):
        stated = text[: explained.start()]
        answer = None if len(stated) < 2 and stated.isalpha() else _read(stated, whole)
    if not answer and sentence and (rest := result(text)):
        answer = read_value(rest, whole=False)
        answer = answer if answer and answer.number is not None else None
    if not answer:
        answer = _chosen(text, comma=True)
    if answer:
        return answer
    words = as_text(text if whole else _EXPLAINED.split(text, maxsplit=1)[0])
    words = words if len(words) > 1 else as_text(text)  # "A, wrong" chooses nothing
    return Answer(words, None) if len(words) <= LONGEST_WORDS and _LETTER.search(words) else None


def _chosen(text: str, comma: bool = False) -> Answer | None:
    """A letter with the text of its option behind it: (C) 12, "C: the enzyme"."""
    text = as_text(text)
    lead = _LEAD.match(text)
    for source in (text, text[lead.end() :]) if lead else (text,):
        m = _CHOICE.fullmatch(source)
        if m and (m["remark"] or comma) and (comma or not set(m["marks"]) & set(",，、")):
            letter = m["bracketed"] or m["bare"]
            return Answer(text, Op("choice", (letter,))) if letter.isupper() else None
    return None


def _read_parts(text: str) -> Answer | None:
    """Numbered parts, as a list."""
    try:
        parts = tuple(map(read, _numbered(SPACE.sub(" ", _WRAPPERS.sub(r"\1", text)))))
    except ValueError:
        return None
    return Answer(as_text(text), Op("list", parts)) if parts else None


def _read(text: str, whole: bool) -> Answer | None:
    """A text that the grammar reads whole, with or without the words before it."""
    if domain := _DOMAIN.search(text[-60:]):  # k\pi, k \in \mathbb{Z}
        text = text[: len(text) - len(domain[0])] or text
    bare = _WRAPPERS.sub(r" \1 ", text) if "\\text" in text else text
    lead = _LEAD.match(bare)
    for source in (text, bare[lead.end() :]) if lead and lead.end() else (text,):
        if not whole and _NO_VALUE.fullmatch(source):
            return None
        short = as_text(source)
        try:
            return Answer(short, read(_SYNONYM.get(short.casefold(), source)))
        except Unreadable:
            continue
        except TooComplex as error:
            return Answer(short, None, str(error))
    return None


_ROMAN = ("i", "ii", "iii", "iv", "v", "vi")
_NUMBERING = (
    (re.compile(r"\(\s*([1-9])\s*\)"), "123456789"),
    (re.compile(r"(?:\A|(?<=[\s;,.]))([1-9])(?:[.):]\s|、|:(?=\S))"), "123456789"),
    (re.compile(r"([①-⑨])"), "①②③④⑤⑥⑦⑧⑨"),
    (re.compile(r"([⑴-⑼])"), "⑴⑵⑶⑷⑸⑹⑺⑻⑼"),
    (re.compile(r"\(([a-h])\)|(?:\A|(?<=[\s;,.]))([a-h])\)", re.IGNORECASE), "abcdefgh"),
    (
        re.compile(r"\((i{1,3}|iv|v|vi)\)|(?:\A|(?<=[\s;,.]))(i{1,3}|iv|v|vi)[.)]", re.IGNORECASE),
        _ROMAN,
    ),
    (re.compile(r"[(第]([一二三四五六])[)问小]+"), "一二三四五六"),
    (re.compile(r"(?:part|question|【?小问)\s*([1-9])\s*[:】.]*", re.IGNORECASE), "123456789"),
)


def _numbered(text: str) -> list[str]:
    """The parts of (1) 7; (2) 8; none if there are not at least two, in order."""
    for pattern, order in _NUMBERING:
        marks = list(pattern.finditer(text))
        names = [next(name for name in m.groups() if name).lower() for m in marks]
        if (
            len(marks) > 1
            and not text[: marks[0].start()].strip(" $")
            and names == list(order[: len(marks)])
        ):
            ends = [m.start() for m in marks[1:]] + [len(text)]
            parts = [
                text[m.end() : end].strip(" ,;.。、:\n$")
                for m, end in zip(marks, ends, strict=True)
            ]
            if all(parts):
                return parts
    return []


_WRAPPERS = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf)?|math(?:rm|bf|it|sf)|mbox|boxed|fbox)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"\\(?:(?:left|right|displaystyle)(?![A-Za-z])|[,;:! ()\[\]])|[$~`]")
_SPACES = re.compile(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z0-9])|\s+")


def as_text(fragment: str) -> str:
    r"""Drop dollar signs, \left, \text{...} around words, and spaces that mean nothing."""
    text = fragment
    if "\\" in text:
        text = _DECORATION.sub(" ", _WRAPPERS.sub(r" \1 ", _WRAPPERS.sub(r" \1 ", text)))
        text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _SPACES.sub(lambda m: " " if _between(m) else "", text.replace("$", " "))
    return _ENDING.sub("", text.strip(' *_"')).strip()


def _between(m: re.Match[str]) -> bool:
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    return before.isalnum() and after.isalnum()
