r"""What may stand behind a value and does not count: 5 cm^2, 60 km/h, 9 chickens, 18 dollars a day, 72个发夹.

    >>> text = "18 dollars a day when x = 5"
    >>> text[unit_end(text, 2):]
    ' when x = 5'
    >>> unit_end("18 or 19", 2), unit_end("72个以上", 2)
    (2, 3)

A unit is any few words but those that mean something to the grammar: they are in `RESERVED`, as the keywords
of a programming language are. The same goes for Chinese characters.

Standard library only.
"""

import re

__all__ = ["RESERVED", "UPRIGHT", "is_quantity", "is_unit", "is_word", "unit_end"]

UPRIGHT = "\ue000"  # marks a short word that LaTeX sets upright: the m of 5\text{ m} is no symbol

RESERVED = frozenset(
    "not no never none nor neither without cannot except unless"
    " if when whenever where provided given attained obtained reached achieved while whether or either and but than least most maybe perhaps possibly"
    " is are was were be that which because since as so to by out up"
    " plus minus divided choose mod modulo base root factorial half halves third thirds quarter quarters"
    " fourth fifth sixth seventh eighth ninth tenth eleventh twelfth twentieth hundredth thousandth millionth"
    " fourths fifths sixths sevenths eighths ninths tenths elevenths twelfths twentieths hundredths thousandths"
    " hundred thousand million billion trillion quadrillion dozen dozens lakh crore"
    " doubled tripled halved tens off short debt something unknown probably possibly likely unsure otherwise else tops"
    " less fail fails odd ish below above under zero minimum maximum max min extraneous reject rejected"
    " binary octal hex hexadecimal wrong incorrect false answer"
    " sqrt cbrt pi sin cos tan cot sec csc sinh cosh tanh asin acos atan arcsin arccos arctan ln log lg exp".split()
)
_RESERVED_CHINESE = "不没无未非或和与且及并是为等约到至比吗呢么多余几半来以之左右上下内外间错舍加减乘除的数共兆打成折起封头许吧假否一二两三四五六七八九十百千万亿零"
# They join the words of a unit, never begin it, and a number may follow: 18 eggs over 2 days.
_JOINTS = frozenset("of in for on at over with from after during across along among".split())
_DISTRIBUTIVE = frozenset("a an per each every".split())
_NEVER_FIRST = _JOINTS | {"squared", "cubed"}
_ABBREVIATIONS = frozenset(
    "km cm mm dm ft yd mi kg mg lb lbs oz ml hr hrs min mins sec secs mph kph kmh usd rmb cny eur gbp"
    " am pm sq cu deg rad hz kw kwh gb mb tb pcs cc gal yr yrs pt qt mol atm pa kpa cts ct ms st nd rd th".split()
)
_IN_TEXT = frozenset("m s g h l n j w v k c".split())
_WORDS = frozenset(  # of two or three letters that are no product of symbols
    "of to in on at by so per the yes all any one two six ten day men hen cat dog egg box bag car year".split()
)

_SHORT = _WORDS | _JOINTS | _DISTRIBUTIVE

# Words that name what is asked for: "the total cost = 18", 最大值为4.
_QUANTITIES = frozenset(
    "the a of its x total final sum difference product quotient mean median mode range average value area volume length width"
    " height depth perimeter circumference radius diameter distance speed velocity time age number count cost price profit"
    " loss probability slope intercept angle side ratio percentage amount result solution maximum minimum max min largest"
    " smallest greatest determinant rank limit degree order edge weight mass temperature rate interest tax change remainder"
    " variance population score".split()
)
_QUANTITY_CHINESE = re.compile(
    r"(?:(?![不没无未非增])[\u4e00-\u9fff]{1,6}的)?(?:[最极][大小高低多少]|总|平均)?"
    r"(?:值|面积|体积|周长|[长宽高深]度?|边长|半径|直径|距离|速度|时间|年龄|人数|[个次项总余]数|总[价和]|单价|价格|利润|成本|收入|概率|斜率|截距|角度"
    r"|[和差积商]|平均数|中位数|众数|方差|公差|公比|答案|结果|最大值|最小值)[a-z]?"
)

_SPACE = r"(?:\s|~|\$|\\[,;:! )\]])*"
_POWER = r"(?:\s*\^\s*\{?\s*-?[0-9]\s*\}?)?"
_WORD = re.compile(
    rf"(?P<gap>{_SPACE}(?P<slash>[/·]|\\cdot|\\times)?{_SPACE})(?P<word>{UPRIGHT}?[A-Za-z]+(?:['’.-][A-Za-z]+)*['’]?){_POWER}"
)
_NUMBER = re.compile(rf"{_SPACE}\$?[0-9][0-9,.]*(?=\s|$)")
_SIGN = re.compile(
    rf"{_SPACE}(?:\\?[%$€£¥¢℃℉]|\\degree(?:\s*[CF]\b)?|\\percent|\^\s*\{{?\s*\\(?:circ|degree)\s*\}}?)"
)
_CHINESE = re.compile(
    rf"{_SPACE}[/每]?\s*(?:千(?=[克米瓦卡])|(?![{_RESERVED_CHINESE}])[\u4e00-\u9fff]){{1,12}}{_POWER}"
)
_METRE = re.compile(r"m\s*\^\s*\{?[23]\}?")
_QUANTITY = re.compile(r"\s+(?:in\s+(?:total|all)|of\s+(?:them|the|these|those|her|his|their))\b")
MOST_WORDS = 10


def is_unit(word: str) -> bool:
    """Whether a run of letters is a unit's abbreviation, such as km."""
    name = word.lower().rstrip(".")
    return name in _ABBREVIATIONS if word[0] != UPRIGHT else name[1:] in _ABBREVIATIONS | _IN_TEXT


def is_word(word: str) -> bool:
    """Whether a run of letters is a word or a unit, and no product of symbols."""
    word = word.removeprefix(UPRIGHT)
    name = word.lower()
    return (
        len(word) > 3
        or name in _ABBREVIATIONS
        or name in RESERVED
        or (len(word) > 1 and name in _SHORT)
    )


def is_quantity(name: str) -> bool:
    """Whether words name what is asked for, as those before "=" may."""
    words = name.lower().split()
    return _QUANTITY_CHINESE.fullmatch(name) is not None or (
        bool(words) and all(word in _QUANTITIES for word in words)
    )


def unit_end(text: str, at: int, nouns: bool = True) -> int:
    """Return where the unit that stands at `at` ends; `at` itself if none does.

    Args:
        nouns: whether any few words will do; behind a symbol only an abbreviation does.
    """
    end = at
    while m := _SIGN.match(text, end) or _CHINESE.match(text, end):
        end = m.end()
    return _words_end(text, end, nouns)


def _words_end(text: str, at: int, nouns: bool) -> int:
    end = here = at
    joined = False  # the last word joins, and something has to follow
    for i in range(MOST_WORDS):
        number = _NUMBER.match(text, here) if joined else None
        m = _WORD.match(text, number.end() if number else here)
        if not m:
            break
        word = m["word"].removeprefix(UPRIGHT).lower()
        joins = word in _JOINTS | _DISTRIBUTIVE
        known = is_unit(m["word"]) or _METRE.fullmatch(m[0].strip()) is not None
        known = known or (m["slash"] is not None and word in _IN_TEXT)  # km/h
        if word in RESERVED or word.endswith(("n't", "n’t")) or not (nouns or known):
            break
        if not (known or joins) and (len(word) < 3 or not m["gap"]):
            break
        if i == 0 and word in _NEVER_FIRST and not _QUANTITY.match(text, here):
            break
        here = m.end()
        joined = joins
        if not joined or word == "each":
            end = here
    while m := _SIGN.match(text, end):
        end = m.end()
    return end
