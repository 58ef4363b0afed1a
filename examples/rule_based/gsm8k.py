r"""Reward GSM8K-style answers by rule: does the response commit to the reference's number?

    >>> grade("She sells 9 eggs a day, so she makes 9 * 2 = 18 dollars.\n#### 18", "#### 18").score
    1.0
    >>> grade("所以答案是七十二元。", "72").score
    1.0
    >>> grade("The answer is 17, 18 or 19.", "18").reason
    <Reason.NO_ANSWER: 'no_answer'>

How a response is read:

1. Thought is dropped: `<think>...</think>`, closed or not.
2. Statements of an answer are found: `####`, `\boxed{}`, `<answer>`, "the answer is", "答案是" and
   their variants; or the response is nothing but the answer. The last number of a text is never
   taken for its answer.
3. Each statement is read token by token. It holds a value if it commits to exactly one number; a
   list, a range, an inequality, a negation or an unfinished sum holds none.
4. The last statement counts. It is void when an equally formal one disagrees and nothing in
   between says that it was corrected, or when the text after it takes it back.

Numbers are exact and compared by value: 1,234 = 1234.0 = １２３４ = 一千二百三十四. Units and currency
are ignored. So is a percent sign (GSM8K's references carry none): 25% equals 25, not 0.25.

Every step looks at a window of fixed size or is a linear scan, so a megabyte of anything takes
milliseconds, on any thread. The words that decide are in tables and regular expressions at the
top of each part; extend them for your policy's habits.

Standard library only. Source of the task and of `####`: Cobbe et al. 2021, "Training Verifiers to
Solve Math Word Problems". Signature of `gsm8k_reward_fn`: AReaL 1.0.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from ..outcome import Outcome, Reason

__all__ = ["extract_answer", "grade", "gsm8k_reward_fn"]

Number = int | Fraction
WINDOW = 300  # characters of a statement that are read; no committed number is longer
MOST_STATEMENTS = 16  # of each kind that are looked at, from the end

# Immutable, and most outcomes are one of these.
_CORRECT = Outcome(1.0, Reason.CORRECT)
_NO_ANSWER = Outcome(0.0, Reason.NO_ANSWER)


def grade(response: str, reference: str) -> Outcome:
    """Score 1.0 if the response's final committed answer is the reference's number.

    Args:
        response: what the policy wrote; any string.
        reference: a number ("18", "1,234", "3/4"), or a worked solution that ends in
            "#### 18".

    Returns:
        `correct` (1.0), `wrong` or `no_answer` (0.0); or the abstention `bad_reference`,
        when the reference is no string or holds no number.
    """
    expected = _read_reference(reference) if isinstance(reference, str) else None
    if expected is None:
        detail = f"no number in the reference {str(reference)[-60:]!r}"
        return Outcome(None, Reason.BAD_REFERENCE, detail)
    answer = _read(response)
    if answer is None:
        return _NO_ANSWER
    if answer != expected:
        return Outcome(0.0, Reason.WRONG, f"{_short(answer)} is not {_short(expected)}")
    return _CORRECT


def extract_answer(response: str) -> str | None:
    """Return the final committed answer as a plain number ("72"; -2.5 is "-5/2"), or None."""
    answer = _read(response)
    return None if answer is None else str(answer)


def gsm8k_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | float,
    **kwargs: Any,
) -> float:
    """AReaL's reward signature: one completion in, one float out.

    Args:
        prompt, prompt_ids, completion_ids: not used; AReaL passes them.
        completions: the text of one completion, in spite of the plural.
        answer: GSM8K's column of that name.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken. AReaL drops the trajectory instead of training
            on a made-up zero.
    """
    reference = str(answer) if isinstance(answer, int | float) else answer
    return grade(completions, reference).require_score()


# --- Numbers ---------------------------------------------------------------------------------


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
_SCALES = {"k": 3, "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_VULGAR = {
    c: Fraction(v)
    for c, v in zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅛", "1/2 1/3 2/3 1/4 3/4 1/5 2/5 3/5 4/5 1/6 1/8".split(), strict=True
    )
}
_NORMAL = (
    {0xFF01 + i: 0x21 + i for i in range(94)}
    | {0x3000: " ", 0x2212: "-", 0xFE63: "-", 0x2044: "/", 0xFFE5: "¥"}
    | str.maketrans(
        "為個萬億兩點負錯對應該於餘幾還從過間結後", "为个万亿两点负错对应该于余几还从过间结后"
    )
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_GAP = (
    r"(?:(?:\\!)?,(?:\\!)?|\{,\}|\\[,;:!]|[\u00a0\u2009\u202f])"  # between groups of three digits
)
_ARABIC = rf"(?:[0-9](?:{_GAP}?[0-9]|\.(?=[0-9]))*|\.[0-9]+)"
_CN = rf"(?:[{''.join(_DIGITS)}{''.join(_UNITS).replace('千', '')}]|千(?![克米瓦卡]))"  # 3千克 is 3 kg
_CN_RUN = (
    rf"(?:(?:{_ARABIC}\s*(?=[百千万亿]))?{_CN}(?:[0-9]|{_CN})*(?:点[0-9{''.join(_DIGITS)}]+)?)"
)
_PLAIN = re.compile(rf"[0-9]+(?:\.[0-9]+)?|[0-9]{{1,3}}(?:{_GAP}[0-9]{{3}})+(?:\.[0-9]+)?|\.[0-9]+")
_NUMBER = rf"""
    (?P<sign>(?:[-+负]|(?<![0-9a-z])–|零下|minus\s|negative\s)?) (?:\\?[$€£¥₹])? (?:
        (?:(?P<latex_whole>[0-9]+)\$?\s*又?\s*\$?)?\\[dt]?frac\s*
            (?:\{{\s*(?P<latex_top>-?[0-9]+)\s*\}}|(?P<top1>[0-9]))\s*(?:\{{\s*(?P<latex_low>[0-9]+)\s*\}}|(?P<low1>[0-9]))
      | (?:(?P<cn_whole>{_CN_RUN}|[0-9]+)又)?(?P<cn_low>{_CN_RUN}|[0-9]+)分之(?P<cn_top>{_CN_RUN}|{_ARABIC})
      | (?P<chinese>{_CN_RUN})
      | (?P<vulgar_alone>[{"".join(_VULGAR)}])
      | (?P<arabic>{_ARABIC})
        (?: (?:\s+(?:and\s+)?|\s*又\s*)(?P<top>[0-9]+)/(?P<low>[0-9]+) | \s*/\s*(?P<over>[0-9]+) | \s?(?P<vulgar>[{"".join(_VULGAR)}])
          | (?P<half>\s+and\s+a\s+half)
          | e(?P<exponent>[-+]?[0-9]{{1,3}})(?![0-9])
          | \s*(?:\\times|\\cdot|[×x*])\s*10\s*(?:\^\s*\{{?\s*(?P<power>-?[0-9]{{1,3}})(?:\s*\}})?|(?P<raised>[⁻⁰¹²³⁴-⁹]+))
        )?
        (?:[\s-]*(?P<scale>{"|".join(_SCALES)})\b)?
    ) (?:\s*\\?%)?
"""


def _decimal(text: str) -> Number | None:
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
    if len(text) > 2 and set(text) <= set(_DIGITS) and {"零", "〇"} & set(text):
        return Fraction("".join(str(_DIGITS[c]) for c in text))  # digit by digit: 二〇二四
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
            digit = Fraction(_DIGITS[part]) if part in _DIGITS else _decimal(part)
            if digit is None:
                return None
    if digit is not None and unit >= 100:
        digit *= unit // 10  # 一百二 is 120; with 零 between, unit is 0
    total += section + (digit or 0)
    if decimals:
        total += Fraction("0." + "".join(str(_DIGITS.get(c, c)) for c in decimals))
    return total


def _number(m: re.Match[str]) -> Fraction | None:
    """The exact value of a match of `_NUMBER`; None if malformed."""
    whole: Number | None = 0
    top: Number | None = None
    low: Number | None = None
    if m["chinese"]:
        whole = _chinese(m["chinese"])
    elif m["arabic"]:
        whole = _decimal(m["arabic"])
        if m["over"]:
            whole, top, low = 0, whole, int(m["over"])
        elif m["top"]:
            top, low = int(m["top"]), int(m["low"])
        elif m["vulgar"]:
            top, low = _VULGAR[m["vulgar"]], 1
        elif m["half"]:
            top, low = 1, 2
    elif m["vulgar_alone"]:
        whole = _VULGAR[m["vulgar_alone"]]
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
    power = m["exponent"] or m["power"] or (m["raised"] or "0").translate(_SUPERSCRIPTS)
    if not re.fullmatch("-?[0-9]{1,3}", power.lstrip("+")):
        return None
    value *= Fraction(10) ** (int(power) + _SCALES.get(m["scale"] or "", 0))
    return -value if m["sign"] and m["sign"] != "+" else value


# --- One statement ---------------------------------------------------------------------------

# Letters that may stand right behind a number: 72km, but not 72x.
_UNIT_WORDS = frozenset(
    "km m cm mm ft in yd mi kg g mg lb lbs oz l ml kl h hr hrs min mins s sec secs ms mph kph kmh"
    " am pm usd rmb cny eur gbp yuan gb mb tb w kw kwh pcs ct cts st nd rd th".split()
)
# Words behind a number that make it another number.
_VARIABLES = frozenset("x y z n k t dozen dozens pi".split())
# Words between "or" and the second number of a list.
_HEDGES = frozenset("maybe perhaps possibly even rather 是 能 以".split())
# Words that may stand between "the answer is" and its number.
_FILLERS = frozenset(
    "is be to the a an of equal equals exactly therefore thus hence then so simply just indeed"
    " about approximately roughly around probably only precisely actually clearly definitely"
    " certainly now total sum amount value number final answer option , : … ... — –"
    " 是 为 即 约 大 概 共 一 总 计 合 应 该 就 正 好 等 于 恰 确 实 当 然 最 终 人 民 币 的"
    " 数 量 值 结 果 答 案 一共 平 均".split()
)
# What leads to the result in a sentence with several numbers: 买3件，一共要付288元; "in 3 days she makes 18".
_RESULT_WORDS = frozenset("共 总 计 需 要 付 剩 得 为 是 花 赚 一共".split())

_RESULT_VERBS = frozenset(
    "makes make has have earns earn pays pay needs need is are costs cost gets get spends spend".split()
)

_TOKEN = re.compile(
    rf"""
    (?P<bullet>(?<=\n)[-*•]\s)
    # The clause ends.
  | (?P<end>\.(?=[\s*"')\]}}$]|$) | [。!?;\n吗] | <\|)
    # Words that look like numerals.
  | (?P<lexical>一[共起样定般些下直旦旁边致目] | 五一 | 一个(?=[\u4e00-\u9fff]) | 第(?:{_CN}|[0-9])+ | 万一 | 十分
      | [唯统同每任某]一 | 进一步 | [三四五六八]角形 | [0-9个一两三四五]+位数
      | (?:{_CN}{{1,3}}|[0-9]{{1,2}})(?:月份?|年级)(?=[^0-9\n]{{0,14}}[0-9]) | 打[0-9](?:\.[0-9])?折(?=[^0-9\n]{{0,14}}[0-9]))
    # What follows is denied; or is put in place of what was denied.
  | (?P<negation>\b(?:not|never|cannot|no|neither|nor|without|any|anything(?:\sbut)?|false|null|none|unknown|unclear|unsure|undetermined|impossible|insufficient)\b | e\.g\.
      | [a-z]+n['’]t\b | 并?不是 | 并非 | 绝非 | 不[会能等可止仅] | 没有 | 未知 | 不知道? | 不清楚 | 无法 | 否 | [个十百千]位 | 除(?!以|[^,。]{{0,8}}外) | \\neq?\b | ≠)
  | (?P<instead>\b(?:but|rather|instead)\b | 而是)
    # The number is only a limit; said before it, or behind it.
  | (?P<bound>\b(?:at\s(?:least|most) | up\sto | exceed(?:s|ing)? | between | within | from | almost | nearly | some
        | (?:more|less|fewer|greater|higher|lower|larger|smaller)\sthan(?:\sor\sequal\sto)?
        | over | under | above | below | (?:minimum|maximum)(?:\sof)?)\b
      | [<>~]= | [大小]于(?:或?等于)? | 超过 | 多于 | 少于 | 高于 | 低于 | 不[到足] | 至[少多] | 最[多少] | 不[少低高大小多]于 | 介于 | 比(?=[0-9]) | 从 | 近
      | 数(?=[十百千万]))
  | (?P<beyond>\b(?:or|and)\s(?:more|less|fewer|so|above|below|under|over|higher|lower|greater|up)\b
      | \band\s(?:an?|one|two|three|five|ten|twenty|thirty|forty|fifty)\s(?:half|third|quarters?|fourths?|fifths?|cents?|minutes?|inch(?:es)?)\b
      | \bout\sof\s(?=[0-9]) | \bin\s(?:hexadecimal|hex|octal|binary)\b | \b(?:plus|base|odd|ish|unless|times\s(?:the|as|more))\b | 打(?!折) | 以[上下内外] | 之[间内] | 开外 | 上下
      | (?:[二八十六]+|[0-9]+)?进制 | [多余来](?=[个岁元人天块名斤只本页]) | [多余几] | .?半 | 的(?:整数)?(?:倍|因|约|平方|立方))
    # Another number may follow.
  | (?P<either>\b(?:and/or|or|versus|vs|otherwise)\b | 或者? | 还是 | 要么 | 也[可许])
  | (?P<join>\b(?:and|to|through|till|until)\b | [,、&~—‒‐…|] | –(?![0-9]) | (?<=[0-9a-z])–
      | -(?!\\?[$€£¥₹]?(?:[0-9.]|\\[dt]?frac|[½¼¾])) | \.\.\. | \\(?:sim|ldots|dots|cdots|mid|vee)\b
      | 和 | 以?及 | 与 | [至到])
  | (?P<equals>={{1,3}} | ≈ | ≡ | [→⇒] | [-=]> | \\(?:approx|equiv|to|implies|(?:right|Right|long)arrow)\b)
  | (?P<number>{_NUMBER})
  | (?P<open>(?<=[\s\u4e00-\u9fff])\( | \((?=[^0-9-]|[0-9]+[\u4e00-\u9fff])) | (?P<close>\))
    # Spaces, quotation marks, Markdown, LaTeX, HTML, currency: no part of what is said.
  | (?P<skip>\s+ | ["'“”‘’「」『』`{{}}\[\]] | (?<![0-9a-z])\( | /(?=\s?[a-z\u3400-\u9fff]) | [°℃¢:] (?!\s?[0-9])
      | \*\* | \*(?=\s*$) | (?<![\w)'"])\* | \*(?![\s\d]) | _(?![0-9{{(]) | (?<![0-9])_ | </?[a-z]+/?>
      | \^\s*\{{?\\circ\}}?\s*[cf]?\b | \\circ\b | \\?% | \\(?:left|right)[()\[\]] | \\[$(),;:!\[\]\ ]
      | \\(?:text|textbf|textit|mathrm|mathbf|mbox|boxed|fbox|left|right|displaystyle|bf|rm|quad|qquad|degree)\b
      | [$€£¥₹] | \b(?:usd|rmb|cny|us|hk|eur|gbp|rs)\b\.? | (?:usd|rmb|us|hk|rs)(?=\s?[$€£¥₹0-9]))
    # Arithmetic that was not worked out.
  | (?P<operator>\b(?:(?:divided|multiplied)\sby | squared | cubed | factorial | percent\sof)\b | [+×*÷^<>≤≥±∓√π²³⁰-⁹₀-₉_/()‰] | :(?=\s?[0-9]) | \\[a-z]+ | 根号 | [廿卅]
      | 再?[乘除加减][以上去]? | 倍的)
  | (?P<word>[a-zà-ÿ]+[0-9]*(?:['’-][a-z]+)? | [\u3400-\u9fff])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Most real answers are a plain number, and need no tokens.
_SIMPLE = re.compile(
    r"[ ]{0,8}(?:\\?\$)?(?:(-?[0-9]{1,15})(?:\.0{1,15})?|([0-9,.]{0,39}[0-9]))\.?(?=\n|\Z)"
)
_TEXT_MACRO = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{")


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int
    value: Number | None  # of a well-formed number


class _Reading(NamedTuple):
    """What a statement says: one value, or, with `value` None, that it commits to none."""

    value: Number | None
    end: int


def _stands_alone(number: _Token, tokens: list[_Token]) -> bool:
    """True if what follows a number leaves it alone: units and remarks, no second number."""
    words = 0
    joined = either = apart = False
    previous = number
    for token in tokens:
        if token.kind == "number":
            near = words <= (1 if previous.text.isascii() else 3)
            if either or joined or (near and not apart and token.value != number.value):
                return False
        elif token.kind in ("word", "lexical"):
            if token.text in _VARIABLES or token.text in _SCALES:
                return False
            if token.start == number.end and token.text.isascii() and token.text not in _UNIT_WORDS:
                return False
            words += 1
            if token.text not in _HEDGES:
                apart = apart or joined
                joined = either = False
        elif token.kind == "either":
            either = True
        elif token.kind == "join":
            joined = words <= 3
        elif token.kind == "beyond" or (token.kind == "bound" and (joined or not words)):
            if words <= 3:
                return False
        elif token.kind == "bound":
            apart = True  # 18 eggs over 2 days
        elif token.kind in ("negation", "instead"):
            return True
        elif token.kind == "operator":
            if previous.kind == "word" and token.text in "^²³":
                words += 2  # m², cm^3
            elif not apart and (words <= 1 or token.text[0].isalpha()):
                return False
        previous = token
    return True


def _apart(tokens: list[_Token], first: _Token, second: _Token) -> bool:
    """True if a comma or the like stands between two tokens."""
    return any(t.kind == "join" for t in tokens[tokens.index(first) : tokens.index(second)])


def _side(tokens: list[_Token], mode: str) -> _Reading | None:
    """Read one side of an equation, or a clause without one; None if it states no number."""
    numbers = [t for t in tokens if t.kind == "number"]
    if not numbers:
        return None
    nothing = _Reading(None, numbers[-1].end)
    lead = tokens[: tokens.index(numbers[0])]
    since = max((i for i, t in enumerate(lead) if t.kind == "instead"), default=-1) + 1
    if mode == "reply":  # 没有参加的有18人: what is denied describes, and denies nothing
        harmless = [
            i + 1
            for i, t in enumerate(lead)
            if t.text == "的"
            or (t.text == "," and i and lead[i - 1].kind == "negation")  # 不能，还差18元
        ]
        since = max(since, *harmless, 0)
    if any(t.kind == "negation" or "进制" in t.text for t in lead[since:]):
        behind = tokens[len(lead) :]
        for i, token in enumerate(behind):
            if token.kind == "instead":  # "not 71 but 72" states 72
                return _side(behind[i + 1 :], mode)
        return nothing
    leads = all(t.text in _FILLERS for t in lead[since:])
    if not leads and mode == "number":
        return nothing if lead and lead[-1].kind in ("bound", "operator", "join") else None
    chosen = numbers[0]
    if mode != "number":
        arabic = [t for t in numbers if not set(t.text) & set(_DIGITS)] or numbers
        if len(arabic) > 1 and (mode == "reply" or not leads):
            pairs = pairwise(tokens)
            stated = [t for verb, t in pairs if t in arabic and verb.text in _RESULT_VERBS]
            between = tokens[tokens.index(arabic[-2]) + 1 : tokens.index(arabic[-1])]
            if len(stated) == 1:
                chosen = stated[0]
            elif any(t.text in _RESULT_WORDS for t in between):
                chosen = arabic[-1]
            else:
                return nothing
        elif not leads or (chosen not in arabic and not _apart(tokens, chosen, arabic[0])):
            chosen = arabic[0]
    at = tokens.index(chosen)
    before = tokens[at - 1] if at else None
    if before and before.kind in ("operator", "bound", "join", "either", "beyond"):
        rest = before.text in ("多", "余") and (at == 1 or tokens[at - 2].kind == "word")  # 剩余18
        if before.text not in _FILLERS and not rest:
            return nothing
    if chosen.value is None or not _stands_alone(chosen, tokens[at + 1 :]):
        return nothing
    return _Reading(chosen.value, chosen.end)


def _without_asides(tokens: list[_Token]) -> Iterator[_Token]:
    """Drop what stands in brackets behind a number; but not "(or 73)", "(base 8)", "(73)"."""
    number: _Token | None = None
    aside = False
    for i, token in enumerate(tokens):
        if token.kind == "close":
            aside = False
        elif token.kind == "open":
            inside = [t.kind for t in tokens[i + 1 : i + 3]]
            another = (
                inside == ["number", "close"] and number and tokens[i + 1].value != number.value
            )
            aside = (
                number is not None and not another and inside[:1] not in (["either"], ["beyond"])
            )
        elif not aside:
            number = token if token.kind == "number" else number
            yield token


def _clause(
    text: str, start: int, mode: str = "number", stop: int | None = None
) -> _Reading | None:
    """Read the clause at `start`; None if it states no number.

    Args:
        mode: "number" takes a number at once; "sentence" lets words come first; "reply" is a
            Chinese 答：, a whole sentence whose last number is the answer.
        stop: where a closed statement, such as a box, ends; a clause ends with its sentence.
    """
    limit = start + WINDOW if stop is None else stop
    m = _SIMPLE.match(text, start, limit)
    if m and (stop is None or not text[m.end() : stop].strip()):
        return _Reading(int(m[1]) if m[1] else _decimal(m[2]), m.end())
    window = _normal(text[start:limit])
    window = _TEXT_MACRO.sub(lambda m: " " * len(m[0]), window)
    tokens: list[_Token] = []
    for m in _TOKEN.finditer(window):
        kind = "skip" if m.lastgroup == "bullet" else m.lastgroup or "other"
        if kind == "end":
            if stop is not None and m[0] not in "?吗":
                kind = "operator" if m[0] == "!" else "skip"
            elif m[0] == "\n" and not tokens:
                kind = "skip"
            elif m[0] in "?吗":  # asked, not answered
                asked = any(t.kind == "number" for t in tokens)
                return _Reading(None, start + m.end()) if asked else None
            else:
                break
        if kind != "skip":
            whole = kind == "number" and (stop is not None or m.end() < WINDOW)
            value = _number(m) if whole else None
            tokens.append(_Token(kind, m[0], start + m.start(), start + m.end(), value))
    sides: list[list[_Token]] = [[]]
    for token in _without_asides(tokens):
        if token.kind == "equals":
            sides.append([])
        else:
            sides[-1].append(token)
    if len(sides) == 1:
        return _side(sides[0], mode)
    readings = [_side(side, "sentence") for side in sides]
    stated = [r for r in readings if r]
    values = {r.value for r in stated} - {None}
    if not stated:
        return None
    committed = len(values) == 1 and any(
        r and r.value is not None for r in (readings[0], readings[-1])
    )
    return _Reading(values.pop() if committed else None, stated[-1].end)


def _bare(text: str) -> Number | None:
    """The value of a text that is nothing but a number, its currency and its unit."""
    text = _normal(text.strip()) if len(text) < 1000 else ""
    if len(text) > 60 or "<" in text:
        return None
    tokens = [m for m in _TOKEN.finditer(text) if m.lastgroup not in ("skip", "open", "close")]
    if tokens and tokens[-1].lastgroup == "end" and tokens[-1][0] not in "?吗":
        tokens.pop()
    while tokens and tokens[0].lastgroup in ("word", "lexical") and tokens[0][0] in _FILLERS:
        del tokens[0]  # 一共18元
    kinds = [m.lastgroup for m in tokens]
    if kinds[:1] != ["number"] or set(kinds[1:]) - {"word"} or len(kinds) > 7:
        return None
    if any(m[0] in ("is", "was", "are", "were", "if", "是", "不", "吗", "对") for m in tokens):
        return None
    reading = _clause(text, 0)
    return reading.value if reading else None


# --- The final statement ---------------------------------------------------------------------


class _Statement(NamedTuple):
    start: int
    rank: int  # 0: a result; 1: an answer; 2: a format (####, a box, <answer>); 3: a final answer
    reading: _Reading


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
      | 结果[*\s]*(?P<result>是:?|为:?|等于|[:=]))[*_\s]*""",
    re.VERBOSE,
)
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
    r"|my bad|i get|i now get|does|;\s?\$?[0-9]|\n|错|误|不|等|正|重|撤|抱歉|应|或|改|其实|实际|对不起|可能|另|发现|再算"
)
_RETRACTION = re.compile(
    r"""(?P<restated>[。!,\n]\s{0,9}(?:(?:其实|实际上|对不起,?|等一?[等下],?)应?该?[是为]|改[为:]|[^。\n]{0,8}发现[^。\n]{0,12}?是|再算一[遍次],?得到?)
          | \bi\s+(?:now\s+)?get\b | \A\s?;(?=\s?\$?[0-9]) | \b(?:edit:|or\s+rather|no,(?:\s+it(?:['’]s|\s+is))?|should\s+(?:actually\s+)?(?:be|have\s+been))
          | 应该是|应为|应当是|(?:\A|[,。!\n—])\s{0,9}不,\s*是?(?=\s*[0-9]))
      | \A[^\n.!。]{0,40}?(?:(?<![没会])(?<!会有)(?<!没有)错|[?])
      | \A[^\n]{0,40}?(?:但不正确|不是正确答案|也(?:有)?可能是|另一个答案|my\s+bad)
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
    r"""\$?[ ]?[0-9万亿千百] | [.,][0-9] | \s*[\^/]\s*[0-9{] | \s*[+*×]\s*[0-9]
      | [\s$)\\\]]*(?:(?:million|billion|thousand|hundred|or\s+\S{0,8}[0-9]|is\s+(?:wrong|incorrect|not)|isn['’]t)\b
          | 点[0-9] | 元[0-9] | .?[多余](?![出还加]) | .?半(?![价数]) | 以[上下内] | 或者?\S{0,3}[0-9] | (?:是|这)?(?:错|不对)
          | [^\n,.;:。!]{0,4}[吗?])""",
    re.VERBOSE,
)
_PHRASE = re.compile(r"(?:answer|答案)[^.?!。]{0,20}$")


def _normal(text: str) -> str:
    """Lower case, ASCII digits and punctuation, simplified Chinese; as long as `text` was."""
    lower = text.lower() if "İ" not in text else text
    return lower if lower.isascii() else lower.translate(_NORMAL)


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
    return _normal(text[max(text.rfind("\n", max(at - WINDOW, 0), at) + 1, at - WINDOW) : at])


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
    stop = text.find("}", start, start + WINDOW)
    while stop >= 0 and text.count("{", start, stop) > text.count("}", start, stop):
        stop = text.find("}", stop + 1, start + WINDOW)
    return max(stop, 0)


def _formats(text: str, found: list[_Statement]) -> None:
    r"""`#### 72` and `\boxed{72}`."""
    for at in _occurrences(text, *(("####",) if text.isascii() else ("####", "＃＃＃＃"))):
        if not _HEADING.match(text, at + 4, at + WINDOW) and not _disowned(text, at):
            if reading := _clause(text, at + 4):
                found.append(_Statement(at, 2, reading))
    for at in _occurrences(text, "boxed{") if "boxed{" in text else ():
        if _disowned(text, at):
            continue
        stop = _closing_brace(text, at + 6)
        reading = _clause(text, at + 6, "sentence", stop) if stop else _Reading(None, at + 6)
        if reading:
            before = text[max(at - 40, 0) : at].removesuffix("\\")
            after = text[stop + 1 : stop + 41]
            if (not _PLAIN_NEXT.match(after) and _BOX_CONTINUED.match(_normal(after))) or (
                not _PLAIN_WORD.search(before[-12:]) and _BOX_QUALIFIED.search(_normal(before))
            ):
                reading = _Reading(None, reading.end)
            found.append(_Statement(at, 2, _Reading(reading.value, max(stop, at) + 1)))


def _disowned(text: str, at: int) -> bool:
    """True if a format is quoted, or is the answer of a phrase that is not the writer's own."""
    if not at or text[at - 1] == "\n":
        return False
    start = max(at - WINDOW, 0)
    before = text[max(text.rfind("\n", start, at), start) : at]
    if not _SUSPECT.search(before):
        return False
    before = _normal(before.lstrip("\n"))
    phrase = _PHRASE.search(before)
    return _quoted(before) or (
        phrase is not None and _NOT_OURS.search(before[: phrase.start()]) is not None
    )


def _english(text: str, found: list[_Statement]) -> None:
    """The answer is 72, **Answer:** 72, <answer>72</answer>, so 72 is the answer."""
    if not ("nswer" in text or "NSWER" in text or "Ans" in text or "ans:" in text or "A:" in text):
        return
    words = [at - 1 for at in _occurrences(text, "nswer", "NSWER")]
    words += [at for at in _occurrences(text, "Ans", "ans:") if text[at + 3 : at + 4] != "w"]
    for at in words:
        if text[max(at - 7, 0) : at].endswith(("<", "<final_")) and text[at + 6 : at + 7] == ">":
            stop = text.find("</", at, at + WINDOW)
            if stop >= 0 and (reading := _clause(text, at + 7, "sentence", stop)):
                found.append(_Statement(at, 2, reading))
            continue
        before = _line_before(text, at)
        if before[-1:].isalpha():
            continue
        if backward := re.search(r"\b(?:is|as)\s+(?:the|our|my)\s+(?:\w+\s+)?$", before[-40:]):
            stop = at - len(before[-40:]) + backward.start()
            start = at - len(before.rpartition(". ")[2])
            if re.match(r"answer\W*(?:\n|$)", _normal(text[at : at + 20])) and not _quoted(before):
                if reading := _clause(text, start, "sentence", stop):
                    found.append(_Statement(at, 1, _Reading(reading.value, at + 6)))
            continue
        m = _ENGLISH.match(_normal(text[at : at + WINDOW]))
        if (
            not m
            or _quoted(_JSON_KEY.sub("", before) if '"' in m[0] else before)
            or _NOT_OURS.search(before[-80:])
        ):
            continue
        final = re.search(r"\bfinal[\s_]+(?:\w+\s+)?$", before[-40:]) is not None
        if m["header"] is not None and not final and before.strip(" #*"):
            continue
        if reading := _clause(
            text, at + m.end(), "sentence" if m["sentence"] or m["header"] is not None else "number"
        ):
            found.append(_Statement(at, 3 if final else 1, reading))
    starts = [at + 1 for at in _occurrences(text, "\nA:")]
    for at in [0, *starts] if text.startswith("A:") else starts:
        if reading := _clause(text, at + 2, "sentence"):
            found.append(_Statement(at, 1, reading))


def _chinese_phrases(text: str, found: list[_Statement]) -> None:
    """答案是72, 【答案】72, 答：一共72个, 结果是72."""
    results = [at - 1 for at in _occurrences(text, "果") if text[at - 1 : at] in ("结", "結")]
    for at in _occurrences(text, "答") + results:
        m = _CHINESE.match(_normal(text[at : at + WINDOW]))
        before = _line_before(text, at)
        if not m or _quoted(_JSON_KEY.sub("", before) if '"' in m[0] else before):
            continue
        foreign = _NOT_OURS.search(before[-60:])
        if foreign and (foreign["not_a_reply"] is None or m["reply"]):
            continue
        rank = 0 if m["result"] else 3 if before.endswith(("最终", "最后", "最终的")) else 1
        if reading := _clause(text, at + m.end(), "reply" if m["reply"] else "sentence"):
            found.append(_Statement(at, rank, reading))


def _read(response: str) -> Number | None:
    """The value that a text finally commits to, or None."""
    text = _without_thought(response)
    statements: list[_Statement] = []
    _formats(text, statements)
    _english(text, statements)
    if not text.isascii():
        _chinese_phrases(text, statements)
    if not statements:
        return _bare(text)
    if len(statements) > 1:
        statements.sort(key=lambda statement: statement.start)
        statements = [s for s in statements if s.rank] or statements
    last = statements[-1]
    for earlier in reversed(statements[:-1]):
        if earlier.rank >= last.rank and earlier.reading.value not in (None, last.reading.value):
            if not _CORRECTION.search(
                _normal(text[max(earlier.reading.end, last.start - 2000) : last.start])
            ):
                return None
            break
    value, end = last.reading
    if len(text) - end < 3:  # no room for second thoughts
        return value
    after = _normal(text[end : end + 1000])
    if _CUES.search(after):
        for m in reversed([*_RETRACTION.finditer(after)][-MOST_STATEMENTS:]):
            restated = _clause(text, end + m.end()) if m["restated"] else None
            if restated or not m["restated"]:
                return restated.value if restated else None
    return value


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


def _read_reference(reference: str) -> Number | None:
    solution = reference.rfind("####")
    if m := _SIMPLE.fullmatch(reference, solution + 4 if solution >= 0 else 0):
        return int(m[1]) if m[1] else _decimal(m[2])
    return _read(reference[solution:] if solution >= 0 else reference)


def _short(value: Number) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
