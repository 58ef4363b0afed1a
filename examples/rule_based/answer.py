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
from .trees import Node, Op, TooComplex, Unreadable, named
from .units import RESERVED

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
    r"the our my a of final correct answers? ans\.? is are be it its given by equals? equal to just exactly simply only"
    r" precisely about approximately approx\.? roughly around in total value so therefore thus hence then now indeed actually"
    r" clearly definitely certainly also max(?:imum)? min(?:imum)? not\s+[^,.;]{1,20}?,?\s+but(?:\s+rather)?"
)
_LEAD_CHINESE = _any(
    r"最终 正确 [【\[]答案[】\]] 答案 答 是 为 即 等于 一共 总共 共 总计 合计 约 大约 大概 就是 应该 应 正好 恰好 刚好 所求"
    r" 人民币 港币 平均 正(?!负) 选项? 选择 每[\u4e00-\u9fff]{1,3}(?=\s*[0-9]) [最极][大小]值 ¥ ≈ \\approx"
)
_CURRENCIES = _any(r"rmb usd us(?=\s*\$) hk(?=\s*\$) eur gbp cny rs\.?")
_LEAD = re.compile(
    rf"[\s*_:,=]*(?:(?:(?:{_LEAD_ENGLISH})(?![a-z0-9(])|(?:{_CURRENCIES})(?![a-z])|{_LEAD_CHINESE})[\s*_,:=]*)+",
    re.IGNORECASE,
)
# A clause that explains is left out, and so is one behind a comma or a dash that holds no other value.
_BECAUSE = re.compile(r"\s*,?\s*(?:\b(?:because|since)\b|因为|由于)", re.IGNORECASE)
_EXPLAINS = _any(
    r"because since which so after using that\s+is by\s+\w+ing as\s+(?:required|desired|needed)"
)
_EXPLAINED = re.compile(
    rf"\s*,?\s*(?:\b(?:{_EXPLAINS})\b|i\.e\.?|因为|由于|也就是|即(?=\S*[\u4e00-\u9fff=])|而不是|而非)"
    r"|,\s*(?:not|about|roughly|不是|比|其中|共|每)|\s[—–-]{1,2}\s(?=[A-Za-z\u4e00-\u9fff]{2})"
    r"|;\s*(?!or\b|and\b|.*(?:answer|答案))(?=[A-Za-z\u4e00-\u9fff]{2})|\s*[,;](?!.*(?:\d|\bor\b|\beither\b|或|[\\^_$=<>]))",
    re.IGNORECASE,
)
# A phrase may be a range or a bullet, where a box holds a difference or a sign.
_NO_VALUE = re.compile(r"\s*\d+(?:\.\d+)?\s*-\s*\d+(?:\.\d+)?\s*|\s*[-+]\s+\d.*")
# In a sentence the value is the one number that stands right behind one of these.
_VERBS = _any(
    r"is are was were be equals? has have had makes? made earns? earned pays? paid costs? needs? gets? got gives? spends?"
    r" spent saves? saved sells? sold takes? took runs? ran eats? ate reads? buys? bought receives? received travels?"
    r" traveled totals? weighs? uses? used contains? leaves? left lasts? requires? produces?"
)
_VERBS_CHINESE = r"(?<![没不未非无])(?:(?<![少多])有|[是为共计得了出剩余付差找回行卖赚花用即要]|得到)|(?<![没不未非无最至])[多少]"
_ABOUT = r"(?:(?:exactly|only|about|approximately|a\s+total\s+of|约|大约)\s*)?"
_BOUNDS = "over under above below nearly almost beyond exceed exceeds exceeding less more fewer greater like negative twice double"
_NUMBER = (
    r"[-+]?\s*\\?[$¥€£]*\s*(?:[0-9]|\\[dt]?frac)"
    r"|[一二两三四五六七八九十百千万亿][一二三四五六七八九十百千万亿零点]*[^\s样起些定般直]"
)
_VERB = re.compile(
    rf"(?:(?<!not\s)(?<!never\s)(?<!n't\s)\b(?:{_VERBS})\s+|{_VERBS_CHINESE}|(?<![<>!])=)\s*{_ABOUT}(?={_NUMBER})",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"-?\$?[0-9][0-9,]*(?:\.[0-9]+)?")
# Where the only number of a sentence stands behind one of these, it is not the result.
_CHANGES = (RESERVED | frozenset(_BOUNDS.split())) - frozenset(
    "is are was were be that which since because so to by out up and".split()
)
# Behind a preposition a number is a circumstance, but for "a total of 18".
_RESULT = re.compile(
    r"[A-Za-z\s,'’-]*?(?<!\bof)(?<!\bto)(?<!\bin)(?<!\bby)(?<!\bon)(?<!\bat)(?<!\bfor)(?<!\bfrom)(?<!\bwith)(?<!\bafter)\s"
    r"|[A-Za-z\s,'’-]*\b(?:total|sum|profit|cost|amount|average|loss|gain|number)\s+of\s",
    re.IGNORECASE,
)
_PHRASE = re.compile(r"\s+(?:on|for|in|at|from|with|to|after|during)\b\D*\Z")  # of $18 on eggs
_COPULA = re.compile(r"\b(?:is|are|was|were|be)\b|[是为]", re.IGNORECASE)
# A letter with the text of its option behind it, but not "A or B", "A is wrong", "A + 1".
_LETTER_OF = r"(?P<bare>[A-J])(?=\s*(?:[.):：,，、]|选项|项|\Z|\((?=[a-z]{3})))|\((?P<bracketed>[A-J])\)(?!\s*\()"
_NO_REMARK = r"(?!(?:is|or|and|not|isn't)\b|[是或不和错])(?![A-J]\b|[-+*/^=<>|_'])"
_CHOICE = re.compile(
    rf"(?:option|choice|选项?)?\s*(?:{_LETTER_OF})\s*(?:选项|项)?(?P<marks>[\s.):：,，、]*+){_NO_REMARK}(?P<remark>.*)",
    re.DOTALL,
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
    "answer,answers,answer not found,no answer,no answer provided,no answer given,no answer available,not available,not found,"
    "notfound,not provided,no solution provided,solution omitted,solution not provided,proof,proof omitted,prove,proven,qed,q.e.d,"
    "omitted,missing,none,null,nan,na,n/a,unknown,undetermined,tbd,暂无,无答案,暂无答案,未知,无法确定,不确定,答案不确定,答案不唯一,开放题".split(
        ","
    )
)
_NOT_HERE = re.compile(
    r"(?i:see\s).*|[\u4e00-\u9fff]{0,6}略|.{0,4}[参详]?见.{0,6}|.{0,4}不唯一|开放.{0,4}|\?+|\.{2,}"
)


def is_placeholder(text: str) -> bool:
    """Whether a text says that there is no answer: nan, proof, 略, 见解析, "See the solution."."""
    text = as_text(SPACE.sub(" ", text))
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
    text = _ENDING.sub("", _EMPHASIS.sub("", text).strip(' \t\n"*_:')).strip()
    if is_placeholder(text) or (not whole and _NO_VALUE.fullmatch(text)):
        return None
    answer = _chosen(text) or _read(text, whole)
    if not answer and not whole and (explained := _EXPLAINED.search(text)):
        answer = _read(text[: explained.start()], whole)
    if not answer and sentence:
        answer = _in_sentence(text)
    if not answer:
        answer = _chosen(text, comma=True)
    if answer:
        return answer
    words = as_text(text)
    return Answer(words, None) if len(words) <= LONGEST_WORDS and _LETTER.search(words) else None


def _in_sentence(text: str) -> Answer | None:
    """The one number behind a verb, or the only one there is: "In 3 days she makes 18 dollars"."""
    because = _BECAUSE.search(text)
    text = text[: because.start()] if because else text
    places = [m.end() for m in _VERB.finditer(text)]
    if not places and text.isascii():
        places = [m.start() for m in _FIGURE.finditer(text)]
        before = text[: places[0]] if places else ""
        if not _CHANGES.isdisjoint(before.lower().split()) or not _RESULT.fullmatch(before):
            return None
    rest = _PHRASE.sub("", text[places[0] :]) if len(places) == 1 else ""
    answer = read_value(rest, whole=False)
    return answer if answer and answer.number is not None else None


def _chosen(text: str, comma: bool = False) -> Answer | None:
    """A letter with the text of its option behind it: (C) 12, "C: the enzyme"."""
    text = as_text(text)
    m = _CHOICE.fullmatch(text)
    if not m or not (m["remark"] or comma) or (not comma and set(m["marks"]) & set(",，、")):
        return None
    return Answer(text, Op("choice", (m["bracketed"] or m["bare"],)))


def _read(text: str, whole: bool) -> Answer | None:
    """A text that the grammar reads whole, with or without the words before it."""
    if domain := _DOMAIN.search(text[-60:]):  # k\pi, k \in \mathbb{Z}
        text = text[: len(text) - len(domain[0])] or text
    lead = _LEAD.match(text)
    for source in (text, text[lead.end() :]) if lead and lead.end() else (text,):
        if not whole and _NO_VALUE.fullmatch(source):
            return None
        short = as_text(source)
        try:
            if parts := _numbered(source):
                return Answer(short, Op("list", tuple(map(read, parts))))
            return Answer(short, read(_SYNONYM.get(short.casefold(), source)))
        except Unreadable:
            continue
        except TooComplex as error:
            return Answer(short, None, str(error))
    return None


_NUMBERING = (
    (re.compile(r"\(\s*([1-9])\s*\)"), "123456789"),
    (re.compile(r"(?:\A|(?<=[\s;,.]))([1-9])(?:[.)]\s|、)"), "123456789"),
    (re.compile(r"([①-⑨])"), "①②③④⑤⑥⑦⑧⑨"),
    (re.compile(r"\(([a-h])\)"), "abcdefgh"),
    (re.compile(r"\((i{1,3}|iv|v|vi)\)"), ("i", "ii", "iii", "iv", "v", "vi")),
)


def _numbered(text: str) -> list[str]:
    """The parts of (1) 7; (2) 8; none if there are not at least two, in order."""
    for pattern, order in _NUMBERING:
        start, *pieces = pattern.split(text)
        marks, parts = pieces[::2], [part.strip(" ,;.。、\n$") for part in pieces[1::2]]
        if len(marks) > 1 and not start.strip(" $") and marks == list(order[: len(marks)]):
            if all(parts):
                return parts
    return []


_WRAPPERS = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf)?|math(?:rm|bf|it|sf)|mbox|boxed|fbox)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"\\(?:left|right|displaystyle|[,;:! ()\[\]])(?![A-Za-z])|[$~`]")
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
