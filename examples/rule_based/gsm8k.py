r"""Reward GSM8K-style answers by rule: does the response commit to the reference's number?

    >>> grade("She sells 9 eggs a day, so she makes 9 * 2 = 18 dollars.\n#### 18", "#### 18").score
    1.0
    >>> grade("所以答案是七十二元。", "72").score
    1.0
    >>> grade("The answer is 17, 18 or 19.", "18").reason
    <Reason.NO_ANSWER: 'no_answer'>

The last number of a text is never taken for its answer. `statements` finds what the response
states as its answer and which statement counts; here each is read token by token. It holds a value
if it commits to exactly one number; a list, a range, an inequality, a negation or an unfinished sum
holds none.

Numbers are exact and compared by value: 1,234 = 1234.0 = １２３４ = 一千二百三十四. Units and currency
are ignored. So is a percent sign (GSM8K's references carry none): 25% equals 25, not 0.25.

Standard library only. Source of the task and of `####`: Cobbe et al. 2021, "Training Verifiers to
Solve Math Word Problems". Signature of `gsm8k_reward_fn`: AReaL 1.0.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from ..shared.outcome import Outcome, Reason
from .numerals import CHINESE_DIGIT, DIGITS, NUMBER, SCALES, Number, decimal, normal, number
from .statements import WINDOW, Reading, final_value

__all__ = ["extract_answer", "grade", "gsm8k_reward_fn", "read_number", "read_statement"]

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
    answer = read_number(response)
    if answer is None:
        return _NO_ANSWER
    if answer != expected:
        return Outcome(0.0, Reason.WRONG, f"{_short(answer)} is not {_short(expected)}")
    return _CORRECT


def extract_answer(response: str) -> str | None:
    """Return the final committed answer as a plain number ("72"; -2.5 is "-5/2"), or None."""
    answer = read_number(response)
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


# --- One statement ---------------------------------------------------------------------------

# Letters that may stand right behind a number: 72km, but not 72x.
_UNIT_WORDS = frozenset(
    "km m cm mm ft in yd mi kg g mg lb lbs oz l ml kl h hr hrs min mins s sec secs ms mph kph kmh"
    " am pm usd rmb cny eur gbp yuan gb mb tb w kw kwh pcs ct cts st nd rd th".split()
)
# Words behind a number that make it another number.
_VARIABLES = frozenset("b d e i j k n o p q r t u v w x y z ab xy dozen dozens pi".split())
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
  | (?P<end>\.(?=[\s*"')\]}}$]|$) | [。?;\n吗] | !(?!\s*(?:\$|\\[)\]])) | <\|)
    # Words that look like numerals.
  | (?P<lexical>\bi\.e\. | 一[共起样定般些下直旦旁边致目] | 五一 | 一个(?=[\u4e00-\u9fff]) | 第(?:{CHINESE_DIGIT}|[0-9])+ | 万一 | 十分
      | [唯统同每任某]一 | 进一步 | [三四五六八]角形 | [0-9个一两三四五]+位数
      | (?:{CHINESE_DIGIT}{{1,3}}|[0-9]{{1,2}})(?:月份?|年级)(?=[^0-9\n]{{0,14}}[0-9]) | 打[0-9](?:\.[0-9])?折(?=[^0-9\n]{{0,14}}[0-9]))
    # What follows is denied; or is put in place of what was denied.
  | (?P<negation>\b(?:not|never|cannot|no|neither|nor|without|except|any|anything(?:\sbut)?|false|null|none|unknown|unclear|unsure|undetermined|impossible|insufficient)\b | e\.g\.
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
      | \bout\sof\s(?=[0-9]) | \bin\s(?:hexadecimal|hex|octal|binary)\b | \b(?:plus|base|odd|ish|unless|maybe|perhaps|wrong|incorrect|thirds|halves|quarters|fourths|fifths|sixths|eighths|tenths|hundredths|lakh|crore|quadrillion|times\s(?:the|as|more))\b | 打(?!折) | 以[上下内外] | 是错 | 之[间内] | 开外 | 上下
      | (?:[二八十六]+|[0-9]+)?进制 | [多余来](?=[个岁元人天块名斤只本页]) | [多余几] | .?半 | 的(?:整数)?(?:倍|因|约|平方|立方))
    # Another number may follow.
  | (?P<either>\b(?:and/or|or|versus|vs|otherwise)\b | 或者? | 还是 | 要么 | 也[可许])
  | (?P<join>\b(?:and|to|through|till|until)\b | [,、&~—‒‐…|] | –(?![0-9]) | (?<=[0-9a-z])–
      | -(?!\\?[$€£¥₹]?(?:[0-9.]|\\[dt]?frac|[½¼¾])) | \.\.\. | \\(?:sim|ldots|dots|cdots|mid|vee)\b
      | 和 | 以?及 | 与 | [至到])
  | (?P<equals>={{1,3}} | ≈ | ≡ | [→⇒] | [-=]> | \\(?:approx|equiv|to|implies|(?:right|Right|long)arrow)\b)
  | (?P<number>{NUMBER})
  | (?P<open>(?<=[\s\u4e00-\u9fff])\( | \((?=[^0-9-]|[0-9]+[\u4e00-\u9fff])) | (?P<close>\))
    # Spaces, quotation marks, Markdown, LaTeX, HTML, currency: no part of what is said.
  | (?P<skip>\s+ | ["'“”‘’「」『』`{{}}\[\]] | (?<![0-9a-z])\( | /(?=\s?[a-z\u3400-\u9fff]) | [°℃¢:] (?!\s?[0-9])
      | \*\* | \*(?=\s*$) | (?<![\w)'"])\* | \*(?![\s\d]) | _(?![0-9{{(]) | (?<![0-9a-z])_ | </?[a-z]+/?>
      | \^\s*\{{?\\circ\}}?\s*[cf]?\b | \\circ\b | \\?% | \\(?:left|right)[()\[\]] | \\[$(),;:!\[\]\ ]
      | \\(?:text|textbf|textit|mathrm|mathbf|mbox|boxed|fbox|left|right|displaystyle|bf|rm|quad|qquad|degree)\b
      | [$€£¥₹] | \b(?:usd|rmb|cny|us|hk|eur|gbp|rs)\b\.? | (?:usd|rmb|us|hk|rs)(?=\s?[$€£¥₹0-9]))
    # Arithmetic that was not worked out.
  | (?P<operator>\b(?:sqrt|(?:square|cube)\sroot(?:\sof)?|sin|cos|tan|log|ln|(?:half|opposite|reciprocal|square|cube|double|triple)\sof|twice)\b | (?<=[a-z])_(?=\{{?[0-9]) | \b(?:(?:divided|multiplied)\sby | squared | cubed | factorial | percent\sof)\b | [!+×*÷^<>≤≥±∓√π²³⁰-⁹₀-₉_/()‰] | :(?=\s?[0-9]) | \\[a-z]+ | 根号 | [廿卅]
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
            if token.text in _VARIABLES or token.text in SCALES:
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


def _side(tokens: list[_Token], mode: str) -> Reading[Number] | None:
    """Read one side of an equation, or a clause without one; None if it states no number."""
    numbers = [t for t in tokens if t.kind == "number"]
    if not numbers:
        return None
    nothing = Reading[Number](None, numbers[-1].end)
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
        arabic = [t for t in numbers if not set(t.text) & set(DIGITS)] or numbers
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
    return Reading(chosen.value, chosen.end)


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


def read_statement(
    text: str, start: int, mode: str = "number", stop: int | None = None
) -> Reading[Number] | None:
    """Read the clause at `start`; None if it states no number.

    Args:
        mode: "number" takes a number at once; "sentence" lets words come first; "reply" is a
            Chinese 答：, a whole sentence whose last number is the answer.
        stop: where a closed statement, such as a box, ends; a clause ends with its sentence.
    """
    limit = start + WINDOW if stop is None else stop
    m = _SIMPLE.match(text, start, limit)
    if m and (stop is None or not text[m.end() : stop].strip()):
        return Reading(int(m[1]) if m[1] else decimal(m[2]), m.end())
    window = normal(text[start:limit])
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
                return Reading[Number](None, start + m.end()) if asked else None
            else:
                break
        if kind != "skip":
            whole = kind == "number" and (stop is not None or m.end() < WINDOW)
            value = number(m) if whole else None
            tokens.append(_Token(kind, m[0], start + m.start(), start + m.end(), value))
    sides: list[list[_Token]] = [[]]
    for token in _without_asides(tokens):
        if token.kind == "equals":
            sides.append([])
        else:
            sides[-1].append(token)
    if len(sides) == 1:
        return _side(sides[0], mode)
    if any(token.kind == "negation" for token in sides[0]) and not any(
        token.kind in ("number", "instead") for token in sides[0]
    ):
        return Reading[Number](None, start + len(window))  # no solution, since x = 3 ...
    readings = [_side(side, "sentence") for side in sides]
    stated = [r for r in readings if r]
    values = {r.value for r in stated} - {None}
    if not stated:
        return None
    committed = len(values) == 1 and any(
        r and r.value is not None for r in (readings[0], readings[-1])
    )
    return Reading(values.pop() if committed else None, stated[-1].end)


def _bare(text: str) -> Number | None:
    """The value of a text that is nothing but a number, its currency and its unit."""
    text = normal(text.strip()) if len(text) < 1000 else ""
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
    reading = read_statement(text, 0)
    return reading.value if reading else None


def read_number(text: str) -> Number | None:
    """Return the number that a text finally commits to, exactly; or None."""
    return final_value(text, read_statement, _bare)


def _read_reference(reference: str) -> Number | None:
    solution = reference.rfind("####")
    if m := _SIMPLE.fullmatch(reference, solution + 4 if solution >= 0 else 0):
        return int(m[1]) if m[1] else decimal(m[2])
    return read_number(reference[solution:] if solution >= 0 else reference)


def _short(value: Number) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
