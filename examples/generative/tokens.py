r"""Text as tokens that compare by value: words, numbers, dates, Chinese characters, signs.

    >>> key(tokens("The Eiffel Tower, 8 May 1945")) == key(tokens("eiffel tower — 1945年5月8日"))
    True
    >>> [token.text for token in tokens("C++, O- or x ≠ -5, one thousand")]
    ['c', '+', '+', 'o', '-', 'or', 'x', '≠', '-5', '1000']

Case, width, diacritics, quotation marks, hyphens within words, Markdown and what is invisible do
not count, nor does "the". Every sign does, and a minus belongs to its number. A date is year,
month, day, in this order. Standard library only.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from ..shared.numerals import chinese_number
from ..shared.text import folded, plain

__all__ = ["Token", "key", "tokens"]


class Token(NamedTuple):
    """`text` is what compares; `before` is the punctuation in front."""

    text: str
    kind: str  # "word", "number", "cjk", "sign"
    raw: str
    before: str = ""


_CJK = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
_MONTH += "sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE = rf"""(?P<y1>[12]\d{{3}})(?P<s>[-/.])(?P<m1>\d\d?)(?P=s)(?P<d1>{_DAY})(?!\d)
  | (?P<d2>{_DAY})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m2>{_MONTH})\b(?:\.?,?\s(?P<y2>[12]\d{{3}})\b)?
  | (?P<m3>{_MONTH})\b\.?\s(?:(?P<d3>{_DAY})(?:st|nd|rd|th)?\b(?:,?\s(?P<y3>[12]\d{{3}})\b)?|(?P<y4>[12]\d{{3}})\b)"""
_NUMBER = r"(?:(?<![0-9A-Za-z)\].])-)?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
_WORD = rf"[^\W\d_{_CJK}]\.(?:[^\W\d_{_CJK}]\.)+ | [^\W_{_CJK}]+(?:'[^\W_{_CJK}]+)*"
_MARK = r"""[\s.,;:()\[\]{}'"`…·、。《》「」『』〈〉【】“”—]+ | (?<![0-9])!+ | (?<!\S)[-*•]+(?!\S) | (?<=[^\W\d_])-(?=[^\W_])"""
_TOKEN = re.compile(
    rf"""(?P<date>(?<![^\W_])(?:{_DATE})) | (?P<number>{_NUMBER}(?![0-9a-z]))
      | (?P<cjk>[{_CJK}]) | (?P<word>{_WORD}) | (?P<mark>{_MARK}) | (?P<sign>.)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(
    r"\*\*|^\s*#{1,6}\s|(?<![\w*])\*(?=\S)([^*\n]{1,500})(?<=\S)\*", re.MULTILINE
)
_SPELLING = {"&": "and", "%": "percent", "$": "dollar", "£": "pound", "€": "euro"}

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_ONES += " fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {w: Fraction(n) for n, w in enumerate(_ONES.split())}
_VALUES |= {w: Fraction(10 * n) for n, w in enumerate(_TENS.split(), 2)}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_DIGITS = "零一二三四五六七八九"
_NUMERAL = re.compile(f"[{_DIGITS}〇两十百万亿]|千(?![克米瓦])")  # 三千米 is 3 km


def tokens(text: str) -> list[Token]:
    """Read the tokens of a text; linear in its length."""
    found: list[Token] = []
    gap = ""
    for m in _TOKEN.finditer(_MARKDOWN.sub(lambda m: m[1] or "", plain(text))):
        kind, raw = m.lastgroup or "", m[0]
        parts = [raw]
        if kind == "mark":
            gap += raw
            continue
        if m["date"]:
            day, year = m["d1"] or m["d2"] or m["d3"], m["y1"] or m["y2"] or m["y3"] or m["y4"]
            month = m["m1"] or _MONTHS.index((m["m2"] or m["m3"])[:3].lower()) + 1
            kind, parts = (
                "number",
                [year or "", f"month {int(month)}", f"day {int(day)}" if day else ""],
            )
        elif kind == "word":
            word, owner, _ = folded(raw).replace(".", "").partition("'s")
            parts = [word.replace("'", ""), owner]
        elif kind == "number":
            whole, _, decimals = raw.replace(",", "").partition(".")
            parts = [f"{whole}.{decimals}" if decimals.strip("0") else whole]  # 3.10 is not 3.1
        elif raw in _SPELLING:
            kind, parts = "word", [_SPELLING[raw]]
        for part in filter(None, parts):
            found.append(Token(part, kind, raw, gap))
            gap = ""
    return _joined(found)


def key(read: Iterable[Token]) -> str:
    """What is compared: words are joined, so "Spider-Man" is "Spiderman"; numbers stay apart."""
    return "".join(f"\0{t.text}\0" if t.kind in ("number", "sign") else t.text for t in read)


def _joined(read: list[Token]) -> list[Token]:
    """Join spelt numbers and Chinese dates, put a currency behind its amount, drop "the"."""
    joined: list[Token] = []
    i, gap = 0, ""
    while i < len(read):
        token, i = _number(read, i)
        token = token._replace(before=gap + token.before)
        gap = ""
        last = joined[-1] if joined and not token.before else Token("", "", "")
        if token.text == "the" and len(read) > 1:
            gap = token.before + (token.raw if token.raw[0] == "T" else "")  # ". The"
            continue
        if token.text in "年月日号" and re.fullmatch("[0-9]{1,4}", last.text):
            unit = {"年": "", "月": "month ", "日": "day ", "号": "day "}[token.text]
            joined[-1] = last._replace(text=f"{unit}{int(last.text)}")
        elif last.raw in ("$", "£", "€") and token.kind == "number":
            joined[-1:] = [token._replace(before=last.before), last._replace(before="")]
        else:
            joined.append(token)
    return joined


def _number(read: list[Token], i: int) -> tuple[Token, int]:
    """The token at `i`, or the number that begins there, and where the next one begins."""
    first, end = read[i], i + (read[i].kind == "number")
    while (
        end < min(len(read), i + 24)
        and _NUMERAL.match("".join(t.text for t in read[end : end + 2]))
        and (end == i or not read[end].before)
    ):
        end += 1
    text = "".join(t.text for t in read[i:end]).replace("〇", "零")
    if text and (text != first.text or text in _DIGITS + "两十"):
        one_by_one = len(text) > 2 and set(text) <= set(_DIGITS)  # 一九四五
        digits = "".join(str(_DIGITS.index(c)) for c in text) if one_by_one else ""
        value = Fraction(digits) if digits else chinese_number(text)
        if value is None:  # 七八十 is one token, and no number
            return first._replace(text=text, kind="cjk"), end
        return first._replace(text=str(value), kind="number"), end
    following = read[i + 1].text if i + 1 < len(read) else ""
    value = _VALUES.get(first.text)
    end = i + 1
    if first.kind == "number" and following in _SCALES and len(first.text) < 15:  # 3.5 million
        value = Fraction(first.text)
    elif value is not None and value >= 20 and 0 < _VALUES.get(following, 0) < 10:
        value, end = value + _VALUES[following], i + 2
    while value is not None and end < len(read) and read[end].text in _SCALES:
        value, end = value * _SCALES[read[end].text], end + 1
    return (
        (first, i + 1) if value is None else (first._replace(text=str(value), kind="number"), end)
    )
