"""Numbers as people write them, read exactly: 1,234.50, 3/4, 2 1/2, 1.2e3, \\frac{1}{2}, 一百二十.

`NUMBER` is a regular expression (verbose, for text that went through `normal`); `number` turns a
match of it into its exact value. Nothing is evaluated, and nothing backtracks.

Standard library only.
"""

import re
from fractions import Fraction

__all__ = [
    "CHINESE_DIGIT",
    "DIGITS",
    "NORMAL",
    "NUMBER",
    "SCALES",
    "VULGAR",
    "Number",
    "decimal",
    "normal",
    "number",
]

Number = int | Fraction


DIGITS = {
    c: n
    for n, row in enumerate("零〇 一壹 二贰两 三叁 四肆 五伍 六陆 七柒 八捌 九玖".split())
    for c in row
}
_UNITS = {
    c: 10**n
    for n, row in ((1, "十拾"), (2, "百佰"), (3, "千仟"), (4, "万"), (8, "亿"))
    for c in row
}
SCALES = {"k": 3, "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
VULGAR = {
    c: Fraction(v)
    for c, v in zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅛", "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 1/8".split(), strict=True
    )
}
NORMAL = (
    {0xFF01 + i: 0x21 + i for i in range(94)}
    | {0x3000: " ", 0x2212: "-", 0xFE63: "-", 0x2044: "/", 0xFFE5: "¥"}
    | str.maketrans(
        "為個萬億兩點負錯對應該於餘幾還從過間結後", "为个万亿两点负错对应该于余几还从过间结后"
    )
)
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_GAP = (
    r"(?:(?:\\!)?,(?:\\!)?|\{,\}|\\[,;:!]|[\u00a0\u2009\u202f])"  # between groups of three digits
)
_ARABIC = rf"(?:[0-9](?:{_GAP}?[0-9]|\.(?=[0-9]))*|\.[0-9]+)"
CHINESE_DIGIT = (
    rf"(?:[{''.join(DIGITS)}{''.join(_UNITS).replace('千', '')}]|千(?![克米瓦卡]))"  # 3千克 is 3 kg
)
_CN_RUN = rf"(?:(?:{_ARABIC}\s*(?=[百千万亿]))?{CHINESE_DIGIT}(?:[0-9]|{CHINESE_DIGIT})*(?:点[0-9{''.join(DIGITS)}]+)?)"
_PLAIN = re.compile(rf"[0-9]+(?:\.[0-9]+)?|[0-9]{{1,3}}(?:{_GAP}[0-9]{{3}})+(?:\.[0-9]+)?|\.[0-9]+")
NUMBER = rf"""
    (?P<sign>(?:[-负]|(?<![0-9a-z)}}])\+|(?<![0-9a-z])–|零下|minus\s|negative\s)?) (?:\\?[$€£¥₹])? (?:
        (?:(?P<latex_whole>[0-9]+)\$?\s*又?\s*\$?)?\\[dt]?frac\s*
            (?:\{{\s*(?P<latex_top>-?[0-9]+)\s*\}}|(?P<top1>[0-9]))\s*(?:\{{\s*(?P<latex_low>[0-9]+)\s*\}}|(?P<low1>[0-9]))
      | (?:(?P<cn_whole>{_CN_RUN}|[0-9]+)又)?(?P<cn_low>{_CN_RUN}|[0-9]+)分之(?P<cn_top>{_CN_RUN}|{_ARABIC})
      | (?P<chinese>{_CN_RUN})
      | (?P<vulgar_alone>[{"".join(VULGAR)}])
      | (?P<arabic>{_ARABIC})
        (?: (?:\s+(?:and\s+)?|\s*又\s*)(?P<top>[0-9]+)/(?P<low>[0-9]+) | \s*/\s*(?P<over>[0-9]+) | \s?(?P<vulgar>[{"".join(VULGAR)}])
          | (?P<half>\s+and\s+a\s+half)
          | e(?P<exponent>[-+]?[0-9]{{1,3}})(?![0-9])
          | \s*(?:\\times|\\cdot|[×x*])\s*10\s*(?:\^\s*\{{?\s*(?P<power>-?[0-9]{{1,3}})(?:\s*\}})?|(?P<raised>[⁻⁰¹²³⁴-⁹]+))
        )?
        (?:[\s-]*(?P<scale>{"|".join(SCALES)})\b)?
    ) (?:\s*\\?%)?
"""


def decimal(text: str) -> Number | None:
    """Read "1,234.50"; None for malformed grouping such as "12,34" or for two points."""
    if not _PLAIN.fullmatch(text):
        return None
    whole, _, decimals = text.partition(".")
    digits = "".join(c for c in whole if c.isdigit())
    if not decimals.strip("0"):
        return int(digits or "0")
    return Fraction(int(digits + decimals), 10 ** len(decimals))


def _chinese(text: str) -> Fraction | None:
    """Read "一百零五", "3万", "三点五", "一百二" (120); None for what is no single number, such as "七八十"."""
    if len(text) > 2 and set(text) <= set(DIGITS) and {"零", "〇"} & set(text):
        return Fraction("".join(str(DIGITS[c]) for c in text))  # digit by digit: 二〇二四
    whole, _, decimals = text.partition("点")
    total = section = Fraction(0)
    digit: Number | None = None
    unit = 0  # the last one seen
    for part in re.findall(rf"{_ARABIC}|\S", whole):
        if part in _UNITS:
            if digit is None and not section and not (part in "十拾" and unit == 0):
                return None  # only 十 may do without a digit: 十五, 十万零十
            unit = _UNITS[part]
            if unit < 10**4:
                section, digit = section + (1 if digit is None else digit) * unit, None
            else:
                total, section, digit = total + (section + (digit or 0)) * unit, Fraction(0), None
        elif digit is not None:
            return None
        elif part in "零〇" and (section or total):
            unit = 0
        else:
            digit = Fraction(DIGITS[part]) if part in DIGITS else decimal(part)
            if digit is None:
                return None
    if digit is not None and unit >= 100:
        digit *= unit // 10  # 一百二 is 120; with 零 between, unit is 0
    total += section + (digit or 0)
    if decimals:
        total += Fraction("0." + "".join(str(DIGITS.get(c, c)) for c in decimals))
    return total


def number(m: re.Match[str]) -> Fraction | None:
    """The exact value of a match of `NUMBER`; None if malformed."""
    whole: Number | None = 0
    top: Number | None = None
    low: Number | None = None
    if m["chinese"]:
        whole = _chinese(m["chinese"])
    elif m["arabic"]:
        whole = decimal(m["arabic"])
        if m["over"]:
            whole, top, low = 0, whole, int(m["over"])
        elif m["top"]:
            top, low = int(m["top"]), int(m["low"])
        elif m["vulgar"]:
            top, low = VULGAR[m["vulgar"]], 1
        elif m["half"]:
            top, low = 1, 2
    elif m["vulgar_alone"]:
        whole = VULGAR[m["vulgar_alone"]]
    elif m["cn_low"]:
        whole = _chinese(m["cn_whole"]) if m["cn_whole"] else whole
        top = _chinese(m["cn_top"])
        low = _chinese(m["cn_low"]) if m["cn_low"] != "百" else 1  # 百分之二十五 is 25%
    else:
        whole = int(m["latex_whole"] or 0)
        top, low = int(m["latex_top"] or m["top1"]), int(m["latex_low"] or m["low1"])
    if whole is None or (low is not None and (top is None or not low)):
        return None
    value = whole + (Fraction(top) / low if top is not None and low is not None else Fraction(0))
    power = m["exponent"] or m["power"] or (m["raised"] or "0").translate(SUPERSCRIPTS)
    if not re.fullmatch("-?[0-9]{1,3}", power.lstrip("+")):
        return None
    value *= Fraction(10) ** (int(power) + SCALES.get(m["scale"] or "", 0))
    return -value if m["sign"] and m["sign"] != "+" else value


def normal(text: str) -> str:
    """Lower case, ASCII digits and punctuation, simplified Chinese; as long as `text` was."""
    lower = text.lower() if "İ" not in text else text
    return lower if lower.isascii() else lower.translate(NORMAL)
