r"""Numbers as people write them, read exactly: 1,234.50, 1.2e3, ½, 3.5 million, 一百二十, 3万5千, 二分之一.

    >>> [read_number(text) for text in ("1,234.50", "½", "一百二", "1.2亿")]
    [Fraction(2469, 2), Fraction(1, 2), Fraction(120, 1), Fraction(120000000, 1)]
    >>> [read_number(text) for text in ("12,34", "七八十", "1.2.3")]
    [None, None, None]

The one reader of numbers. `NUMBER` finds one in text that went through `text.plain`; `value` says what a
match of it is, or that it is malformed. Fractions, signs and percent signs are the grammar's, not a number's.

Standard library only.
"""

import re
from fractions import Fraction

__all__ = ["NUMBER", "SCALES", "VULGAR", "chinese_number", "read_number", "value"]

MOST_DIGITS = 1300  # of a number; what has more means nothing

SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
VULGAR = {
    c: Fraction(v)
    for c, v in zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅛", "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 1/8".split(), strict=True
    )
}
_DIGITS = {
    c: n
    for n, row in enumerate("零〇 一壹 二贰两 三叁 四肆 五伍 六陆 七柒 八捌 九玖".split())
    for c in row
}
_UNITS = {
    c: 10**n
    for n, row in ((1, "十拾"), (2, "百佰"), (3, "千仟"), (4, "万"), (8, "亿"))
    for c in row
}

_GAP = r"(?:(?:\\!)?,(?:\\!\s?)?|\{,\}|\\[,;:!]\s?|[\u00a0\u2009\u202f])"  # between groups of three
_GROUPED = rf"[0-9]{{1,3}}(?:{_GAP}[0-9]{{3}})+(?![0-9])"
_ARABIC = rf"(?:(?:{_GROUPED}|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
# 3千克 is 3 kg, so a unit of measure takes its 千 back.
_CHINESE = rf"(?:[{''.join(_DIGITS)}{''.join(_UNITS).replace('千', '')}]|千(?![克米瓦卡]))"
_RUN = rf"(?:{_ARABIC}\s*(?=[百千万亿]))?{_CHINESE}(?:{_ARABIC}|{_CHINESE})*(?:点[0-9{''.join(_DIGITS)}]+)?"
_FRACTION = rf"(?:(?P<whole>{_RUN}|[0-9]+)又)?(?P<low>{_RUN}|[0-9]+)分之(?P<top>{_RUN}|{_ARABIC})"
_POWER = r"[eE](?P<exponent>[-+]?[0-9]{1,4})(?![0-9A-Za-z.])"
_SCALE = rf"[\s$-]{{0,3}}(?P<scale>(?i:{'|'.join(SCALES)}))\b"
NUMBER = (
    rf"{_FRACTION}|(?P<chinese>{_RUN})|(?P<arabic>{_ARABIC})(?:{_POWER})?(?:{_SCALE})?"
    rf"|(?P<vulgar>[{''.join(VULGAR)}])"
)
_NUMBER = re.compile(NUMBER)
_PART = re.compile(rf"{_ARABIC}|\S")
_APART = re.compile(_GAP)


def read_number(text: str) -> Fraction | None:
    """Return the value of a text that is one number and nothing else; None if it is not."""
    m = _NUMBER.fullmatch(text)
    return value(m) if m else None


def value(m: re.Match[str]) -> Fraction | None:
    """Return the value of a match of `NUMBER`; None if it is malformed or has too many digits."""
    if m["vulgar"]:
        return VULGAR[m["vulgar"]]
    if m["chinese"]:
        return chinese_number(m["chinese"])
    if m["low"]:
        whole = chinese_number(m["whole"]) if m["whole"] else Fraction(0)
        top = chinese_number(m["top"])
        low = Fraction(1) if m["low"] == "百" else chinese_number(m["low"])  # 百分之二十五 is 25%
        return whole + top / low if whole is not None and top is not None and low else None
    number = _decimal(m["arabic"])
    power = int(m["exponent"] or 0) + SCALES.get((m["scale"] or "").lower(), 0)
    if number is None or not power:
        return number
    return number * Fraction(10) ** power if abs(power) < MOST_DIGITS else None


def chinese_number(text: str) -> Fraction | None:
    """Read 一百零五, 3万5千, 三点五, 一百二 (120), 二〇二四; None for what is no single number, as 七八十."""
    if not text:
        return None
    if len(text) > 2 and set(text) <= _DIGITS.keys() and {"零", "〇"} & set(text):
        return Fraction("".join(str(_DIGITS[c]) for c in text))  # digit by digit
    whole, _, decimals = text.partition("点")
    total = myriads = section = Fraction(0)  # of 亿, of 万, below
    digit: Fraction | None = None
    unit = 0  # the last one seen
    for part in _PART.findall(whole):
        if part in _UNITS:
            if digit is None and not section and not (part in "十拾" and not unit):
                if not (part == "亿" and myriads):
                    return None  # only 十 may do without a digit: 十五, 十万零十; and 万亿
            unit = _UNITS[part]
            if unit < 10**4:
                section += (1 if digit is None else digit) * unit
            elif part == "万":
                myriads, section = (section + (digit or 0)) * unit, Fraction(0)
            else:
                total += (myriads + section + (digit or 0)) * unit
                myriads = section = Fraction(0)
            digit = None
        elif digit is not None:
            return None
        elif part in "零〇" and (section or myriads or total):
            unit = 0
        else:
            digit = Fraction(_DIGITS[part]) if part in _DIGITS else _decimal(part)
            if digit is None:
                return None
    if digit is not None and unit >= 100 and digit < 10:
        digit *= unit // 10  # 一百二 is 120; with 零 between, unit is 0
    total += myriads + section + (digit or 0)
    if decimals:
        total += Fraction("0." + "".join(str(_DIGITS.get(c, c)) for c in decimals))
    return total


def _decimal(text: str) -> Fraction | None:
    digits = text if text.isdigit() else _APART.sub("", text)
    if len(digits) > MOST_DIGITS:
        return None
    whole, _, decimals = digits.partition(".")
    return (
        Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
        if decimals
        else Fraction(int(whole))
    )
