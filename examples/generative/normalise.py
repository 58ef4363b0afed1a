r"""Short answers as tokens that compare by value: words, numbers, dates, CJK characters.

    >>> words("The Eiffel Tower, 8 May 1945").key == words("eiffel tower — 1945年5月8日").key
    True
    >>> words("１,000 metres").key == words("One Thousand metres").key
    True
    >>> words("172").find(words("72"))
    []

Case, width, diacritics, hyphens, apostrophes, quotation marks and invisible characters do not
count; nor does "the". A number is one token and holds its value. A date becomes year, month, day,
so a year is found inside it. Words are compared without the spaces between them, but a match begins
and ends where tokens do: "Spider-Man" is "Spiderman", and "art" is not in "Mozart". `core` takes
away what only leads to an answer, such as "the answer is".

Standard library only.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

__all__ = ["LEAD", "Token", "Words", "core", "shown", "visible", "words"]

# Characters that show nothing: controls, soft hyphen, joiners, Hangul fillers, bidirectional marks,
# variation selectors, tags, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]+"
)
# NFKC would turn 10² into 102, and 12½ into 121/2.
_RAISED = re.compile(r"(?<=\d)([⁰¹²³⁴-⁹]+|[¼-¾⅐-⅞])")
_MARKS = str.maketrans(
    dict.fromkeys("‘’ʼʻ`´′", "'")
    | dict.fromkeys("“”„″«»", '"')
    | dict.fromkeys("–−‒‐‑", "-")
    | {"—": " - ", "―": " - ", "⁄": "/"}
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"}
)
_CJK = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


def shown(text: str) -> str:
    """Remove characters that show nothing, and nothing else."""
    return _INVISIBLE.sub("", text)


def visible(text: str) -> str:
    """Remove what shows nothing; one width, one kind of quotation mark and of dash."""
    if text.isascii() and text.isprintable():
        return text
    text = _RAISED.sub(lambda m: f" ^{m[0]} ", _INVISIBLE.sub("", text))
    # Twice, because NFKC may itself write what shows nothing.
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_MARKS)


class Token(NamedTuple):
    text: str
    kind: str  # "word", "number" or "cjk"
    raw: str
    start: int
    end: int


@dataclass(frozen=True)
class Words:
    """The tokens of a text. `key` is what is compared: equal keys are equal answers."""

    text: str
    tokens: list[Token]
    key: str = field(init=False)
    _index: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        index, parts, at = {0: 0}, [], 0
        for i, token in enumerate(self.tokens):
            part = f"\0{token.text}\0" if token.kind == "number" else token.text
            parts.append(part)
            at += len(part)
            index[at] = i + 1
        object.__setattr__(self, "key", "".join(parts))
        object.__setattr__(self, "_index", index)

    def find(self, other: "Words") -> list[tuple[int, int]]:
        """Where the tokens of `other` occur, as (first, last + 1); at most 50 places."""
        found: list[tuple[int, int]] = []
        at = self.key.find(other.key) if other.key else -1
        while at >= 0 and len(found) < 50:
            first, last = self._index.get(at), self._index.get(at + len(other.key))
            if first is not None and last is not None:
                found.append((first, last))
            at = self.key.find(other.key, at + 1)
        return found

    def gap(self, i: int) -> str:
        """What stands before token `i`, without "the": spaces and punctuation."""
        start = self.tokens[i - 1].end if i > 0 else 0
        return _THE.sub(
            "", self.text[start : self.tokens[i].start if i < len(self.tokens) else None]
        )


_THE = re.compile(r"\bthe\s?", re.IGNORECASE)

LEAD = re.compile(
    r"""
    [\W_]{0,20}(?:(?:so|thus|therefore|hence|okay|ok|sure|well|因此|所以|综上所述|综上)[\s,:，]{1,3})?
    (?: (?:(?:the|my)\s)?(?:(?:final|correct|short|exact)\s)?
        answer(?:\s(?:to|for)\s(?:the|this|your)\squestion)?(?:\s?(?:is|was)\b|[*_\s]{0,4}[:=])
      | (?:it|this|that|he|she|they|these|those)(?:\s(?:is|was|are|were)\b|'s|'re)
      | (?:最终|正确)?答案[*_\s]{0,4}(?:应该)?(?:就?是|为|:) | [它他她这那]?们?(?:就?是|叫做?)
      | 答[*_\s]{0,4}: | a[*_\s]{0,4}: | (?=boxed\{) )
    [\W_]{0,20}(?:boxed\{(?:\\text\{)?)?""",
    re.VERBOSE | re.IGNORECASE,
)


def core(read: Words) -> Words:
    """What is left when "the answer is", "it is", 答案是 are taken away."""
    lead = LEAD.match(read.text)
    return words(read.text[lead.end() :]) if lead else read


# --- Numbers and dates ------------------------------------------------------------------------

_SMALL = {
    word: n
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
} | {
    word: 10 * n
    for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SCALES = {"hundred": 100, "dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALES |= {"trillion": 10**12, "bn": 10**9}
_ORDINALS = {
    word: f"{n}{'st' if n == 1 else 'nd' if n == 2 else 'rd' if n == 3 else 'th'}"
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
        "twentieth".split(),
        1,
    )
}
_DIGITS = {c: n for n, row in enumerate("零〇 一 二两 三 四 五 六 七 八 九".split()) for c in row}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_CURRENCIES = ("$", "£", "€")
_MONTHS = {
    name: n // 2 + 1
    for n, name in enumerate(
        "january jan february feb march mar april apr may may june jun july jul august aug "
        "september sep october oct november nov december dec".split()
    )
} | {"sept": 9}
_ROMAN = re.compile(r"(?=[ivx]{2})(x{0,3})(ix|iv|v?i{0,3})")
_SPELLING = {
    "&": "and", "%": "percent", "kilometer": "km", "kilometre": "km", "kilometers": "km", "kilometres": "km", "meter": "metre",
    "meters": "metres", "kilogram": "kg", "kilograms": "kg", "colour": "color", "harbour": "harbor", "centre": "center",
    "theatre": "theater", "grey": "gray", "mount": "mt", "saint": "st", "$": "dollars", "£": "pounds", "€": "euros",
}  # fmt: skip

_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_TOKEN = re.compile(
    rf"""
    (?P<date> (?<!\d)(?P<y1>[12]\d{{3}})(?P<sep>[-/.])(?P<m1>0?[1-9]|1[0-2])(?P=sep)(?P<d1>{_DAY})(?![\d]|[-/.]\d)
      | (?<!\d)(?P<y2>\d{{3,4}})\s?年\s?(?P<m2>0?[1-9]|1[0-2])\s?月(?:份|\s?(?P<d2>{_DAY})\s?[日号])?
      | (?<!\d)(?P<m5>[1-9]|1[0-2])月(?P<d5>{_DAY})[日号]
      | (?<![^\W_])(?P<m3>{_MONTH})\.?\s(?:the\s)?(?:(?P<d3>{_DAY})(?:st|nd|rd|th)?(?![\d:.,]*\d)(?:,?\s(?:of\s)?(?P<y3>[12]\d{{3}})\b)?|(?P<y6>[12]\d{{3}})\b)
      | (?<!\d)(?P<d4>{_DAY})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m4>{_MONTH})(?![^\W_])(?:\.?,?\s(?P<y4>[12]\d{{3}})\b)?)
    | (?P<ordinal>\d{{1,6}}(?:st|nd|rd|th|s)\b)
    | (?P<number>(?:(?<![\w)\].])-)?(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?|(?<!\d)\.\d+)
    | (?P<cjk>[{_CJK}])
    | (?P<sign>[%$£€&])
    | (?P<word>[^\W\d_{_CJK}](?:[^\W_{_CJK}]|[\u0300-\u036f])*)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def words(text: str) -> Words:
    """Read the tokens of a text; linear in its length."""
    text = visible(text)
    return Words(text, _with_numbers(_raw_tokens(text), text))


def _fold(word: str) -> str:
    folded = word.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded.translate(_LETTERS))
        folded = "".join(c for c in folded if not unicodedata.combining(c)) or word
    if m := _ROMAN.fullmatch(folded):
        tens, ones = m[1], m[2]
        value = 10 * len(tens) + (
            {"ix": 9, "iv": 4}.get(ones) or 5 * ("v" in ones) + ones.count("i")
        )
        return str(value)
    return _SPELLING.get(folded, folded)


def _raw_tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    for m in _TOKEN.finditer(text):
        kind, raw = m.lastgroup or "", m[0]
        if kind == "date" or m["date"]:
            year = m["y1"] or m["y2"] or m["y3"] or m["y4"] or m["y6"]
            month = m["m1"] or m["m2"] or m["m3"] or m["m4"] or m["m5"]
            day = m["d1"] or m["d2"] or m["d3"] or m["d4"] or m["d5"]
            named = _MONTHS.get(month.casefold())
            parts = [
                str(int(year)) if year else "",
                f"month {named or int(month)}",
                f"day {int(day)}" if day else "",
            ]
            tokens += [Token(p, "number", raw, m.start(), m.end()) for p in parts if p]
        elif kind == "number":
            tokens.append(Token(_plain(raw), "number", raw, m.start(), m.end()))
        elif kind == "ordinal":
            tokens.append(Token(raw.casefold(), "number", raw, m.start(), m.end()))
        elif kind == "cjk":
            tokens.append(Token(raw, "cjk", raw, m.start(), m.end()))
        else:
            folded = _fold(raw)
            number = folded.isdigit() and not raw.isdigit()
            tokens.append(Token(folded, "number" if number else "word", raw, m.start(), m.end()))
    return tokens


def _plain(digits: str) -> str:
    """ "1,000.50" is "1000.5"; leading zeros stay: 007 is not 7."""
    whole, point, decimals = digits.replace(",", "").partition(".")
    decimals = decimals.rstrip("0") if point else ""
    whole = (
        "".join(c if c in "-/:^" else str(unicodedata.digit(c)) for c in whole)
        if not whole.isascii()
        else whole
    )
    return (whole or "0") + (f".{decimals}" if decimals else "")


def _with_numbers(raw: list[Token], text: str) -> list[Token]:
    """Join the tokens of spelt numbers, put a currency behind its number, and drop "the"."""
    tokens: list[Token] = []
    currency: Token | None = None
    i = 0
    while i < len(raw):
        token, used = _number(raw, i, text) or (raw[i], 1)
        i += used
        if token.raw in _CURRENCIES and i < len(raw) and raw[i].start == token.end:
            currency = token
            continue
        if token.text == "the" and i < len(raw):
            continue
        if (
            token.text == "年"
            and tokens
            and tokens[-1].end == token.start
            and re.fullmatch(r"[12]\d{3}", tokens[-1].text)
        ):
            tokens[-1] = tokens[-1]._replace(end=token.end)  # 1945年 is 1945
            continue
        if tokens and token.kind == tokens[-1].kind == "number":
            between = text[tokens[-1].end : token.start]
            if between in ("/", ":", ".", "-", " ^"):  # 3/4 is not 3-4, and neither is 3 4
                token = token._replace(text=between.strip() + token.text)
        tokens.append(token)
        if currency:
            tokens.append(currency._replace(start=token.end, end=token.end))
            currency = None
    return tokens


def _number(raw: list[Token], i: int, text: str) -> tuple[Token, int] | None:
    """The number that begins at token `i` and how many tokens it takes; None if there is none."""
    first = raw[i]
    if first.text in _ORDINALS:
        return first._replace(text=_ORDINALS[first.text], kind="number"), 1
    used, value = _chinese(raw, i) if _starts_chinese(raw, i) else _english(raw, i, text)
    if not used:
        return None
    end = raw[i + used - 1].end
    return Token(_plain(f"{value:f}"), "number", text[first.start : end], first.start, end), used


def _english(raw: list[Token], i: int, text: str) -> tuple[int, Decimal]:
    """Read "twenty-one", "one hundred and five", "3.5 million", "a dozen"."""
    first = raw[i]
    total = section = Decimal(0)
    j = i
    if first.kind == "number":
        if not _readable(first.text) or i + 1 == len(raw) or raw[i + 1].text not in _SCALES:
            return 0, total
        section, j = Decimal(first.text), i + 1
    elif first.text in ("a", "an") and i + 1 < len(raw) and raw[i + 1].text in _SCALES:
        if len(raw[i + 1].text) <= 2:  # a "bn"
            return 0, total
        section, j = Decimal(1), i + 1
    last = 100  # what a small number may still be added below: twenty, but then at most nine
    while j < len(raw) and (j == i or text[raw[j - 1].end : raw[j].start].strip(" -") == ""):
        word = raw[j].text if raw[j].kind == "word" else ""
        if word in _SMALL and _SMALL[word] < last:
            value = _SMALL[word]
            section += value
            last = 10 if value >= 20 else 0
        elif word in _SCALES and section:
            if _SCALES[word] <= 100:
                section *= _SCALES[word]
            else:
                total, section = total + section * _SCALES[word], Decimal(0)
            last = 100
        elif (
            word == "and"
            and j > i
            and raw[j - 1].text in _SCALES
            and j + 1 < len(raw)
            and raw[j + 1].text in _SMALL
        ):
            pass
        else:
            break
        j += 1
    return j - i, total + section


def _starts_chinese(raw: list[Token], i: int) -> bool:
    if raw[i].kind == "number":
        return i + 1 < len(raw) and raw[i + 1].text in _UNITS and _readable(raw[i].text)
    return raw[i].text in _DIGITS or raw[i].text == "十"


def _readable(text: str) -> bool:
    return len(text) <= 18 and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None


def _chinese(raw: list[Token], i: int) -> tuple[int, Decimal]:
    """Read "一百二十", "3.5万", "二〇二四"."""
    total = section = Decimal(0)
    digit: Decimal | None = None
    run = ""
    j = i
    while j < len(raw) and j - i < 24 and (j == i or raw[j].start == raw[j - 1].end):
        text = raw[j].text
        if text in _UNITS:
            unit = _UNITS[text]
            if unit < 10**4:
                section, digit = section + (1 if digit is None else digit) * unit, None
            else:
                total, section, digit = total + (section + (digit or 0)) * unit, Decimal(0), None
        elif text in _DIGITS:
            run += str(_DIGITS[text])
            digit = Decimal(_DIGITS[text])
        elif j == i and raw[j].kind == "number":
            digit = Decimal(text)
        else:
            break
        j += 1
    if len(run) == j - i > 1:  # digit by digit
        return j - i, Decimal(run)
    return j - i, total + section + (digit or 0)
