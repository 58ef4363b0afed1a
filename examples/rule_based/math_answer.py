r"""Reward mathematical answers by rule: is the response's final answer equal to the reference?

    >>> grade(r"So the area is $\boxed{\frac{\sqrt{2}}{2}}$.", r"\frac{1}{\sqrt{2}}").score
    1.0
    >>> grade(r"The answer is $x = 3$ or $x = -2$.", "-2, 3").score
    1.0
    >>> grade(r"\boxed{9^{9^{9}}}", "18").reason
    <Reason.TOO_COMPLEX: 'too_complex'>

Numbers, fractions, roots, polynomials, functions, tuples, sets, intervals, matrices, equations, choices
and short texts, in LaTeX or in plain text; references in LaTeX, with dollar signs or without.

1. `statements` finds what the response finally states; `expression` reads it into a tree (`trees`).
2. Cheap answers first: equal text, equal trees, exact numbers, different values at a few points.
3. What is left, mostly right answers in another form, passes `symbolic.guard` and is compared in a
   process that can be killed: polynomials and fractions by math-verify, roots and functions to a
   hundred digits.

The whole answer is compared, structure first: a list, a tuple, an interval or an equation never equals one
of its elements. Units, degrees, currency and percent signs are ignored on both sides, so 25\% equals 25 and
not 0.25. Decimals are exact: 0.33 is not 1/3. Symbols are real numbers.

A response that would cost too much to verify is known from its text alone and scores 0.0, `too_complex`.

Needs math-verify (0.9). Signature of `math_answer_reward_fn`: AReaL 1.0.
"""

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from ..shared.outcome import Abstained, Outcome, Reason
from . import gsm8k
from .expression import read
from .statements import WINDOW, Reader, Reading, final_value
from .symbolic import differ, equal, guard, ratio
from .trees import CONTAINERS, Node, Op, TooComplex, add, divide, multiply, negative

__all__ = ["Answer", "compare", "find_answer", "grade", "math_answer_reward_fn", "read_reference"]

_CORRECT = Outcome(1.0, Reason.CORRECT)
_NO_ANSWER = Outcome(0.0, Reason.NO_ANSWER)


class Answer(NamedTuple):
    """What a response or a reference states.

    Args:
        text: it, without what only decorates.
        tree: it, read; None if it is plain words or `too_complex`.
        too_complex: why it was refused; "" if it was not.
    """

    text: str
    tree: Node | None
    too_complex: str = ""

    @property
    def in_words(self) -> bool:
        """Whether it is a few plain words: "east", "June 20"."""
        few = re.fullmatch(r"[^\\{}^$=<>|+*]*[^\W\d_][^\\{}^$=<>|+*]*", self.text)
        return self.tree is None and few is not None and len(self.text) <= 80


def grade(response: str, reference: str) -> Outcome:
    """Score 1.0 if the response's final answer equals the reference, in whatever form.

    Args:
        response: what the policy wrote; any string.
        reference: an answer, such as `2\\sqrt{221}`, `$[2, 5)$` or `\\text{(C)}`; or a
            worked solution that ends in `\\boxed{...}` or `#### ...`.

    Returns:
        `correct` (1.0); `wrong`, `no_answer` or `too_complex` (0.0); or an abstention:
        `bad_reference`, and, if the helper process fails, `timed_out` or `worker_died`.
    """
    gold = read_reference(reference) if isinstance(reference, str) else None
    if gold is None:
        return Outcome(None, Reason.BAD_REFERENCE, f"no answer in {str(reference)[-60:]!r}")
    if isinstance(gold.tree, Fraction):  # most are numbers, and most answers to them too
        number = gsm8k.read_number(response)
        if number == gold.tree:
            return _CORRECT
    answer = find_answer(response, words=gold.tree is None or isinstance(gold.tree, str))
    if gold.tree is None and not gold.in_words and (not answer or answer.text != gold.text):
        detail = gold.too_complex or f"cannot read {_short(gold.text)}"
        return Outcome(None, Reason.BAD_REFERENCE, detail)
    return _NO_ANSWER if answer is None else compare(answer, gold)


def math_answer_reward_fn(
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
        answer: the column of that name, as in MATH-500.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken, or the verification failed. AReaL drops the
            trajectory instead of training on a made-up zero.
    """
    reference = str(answer) if isinstance(answer, int | float) else answer
    return grade(completions, reference).require_score()


# --- Comparing -------------------------------------------------------------------------------


def compare(answer: Answer, gold: Answer) -> Outcome:
    """Compare a stated answer with a reference that was read, cheapest test first."""
    if answer.text == gold.text:
        return _CORRECT
    if answer.too_complex:
        return Outcome(0.0, Reason.TOO_COMPLEX, answer.too_complex)
    detail = f"{_short(answer.text)} is not {_short(gold.text)}"
    wrong = Outcome(0.0, Reason.WRONG, detail)
    if letters := _letters(gold.text):
        return _CORRECT if _letters(answer.text, remarks=True) == letters else wrong
    if gold.in_words and _words(answer.text) == _words(gold.text):
        return _CORRECT
    if answer.tree is None or gold.tree is None:
        return wrong
    if _is_word(answer.text) or _is_word(gold.text):  # no product of letters: the same letters
        return wrong
    try:
        pairs = _pairs(gold.tree, answer.tree)
    except TooComplex as error:
        return Outcome(0.0, Reason.TOO_COMPLEX, str(error))
    if pairs is None:
        return wrong
    try:
        for expected, _ in pairs:
            guard(expected)
    except TooComplex as error:
        return Outcome(None, Reason.BAD_REFERENCE, f"too costly to compare with: {error}")
    try:
        guard(*(node for pair in pairs for node in pair))
        return _CORRECT if not pairs or equal(pairs) else wrong
    except TooComplex as error:
        return Outcome(0.0, Reason.TOO_COMPLEX, str(error))
    except Abstained as abstained:
        return abstained.outcome


Pairs = list[tuple[Node, Node]]


def _pairs(gold: Node, answer: Node) -> Pairs | None:
    """The pairs of expressions that must be equal for the two to be; None if they are not."""
    if gold == answer:
        return []
    gold, answer = _unwrapped(gold, answer), _unwrapped(answer, gold, liberal=True)
    if gold == answer:
        return []
    kind = gold.name if isinstance(gold, Op) and gold.name in CONTAINERS else ""
    other = answer.name if isinstance(answer, Op) and answer.name in CONTAINERS else ""
    if kind != other and {kind, other} != {"list", "set"}:
        return None
    if not (kind and isinstance(gold, Op) and isinstance(answer, Op)):
        if isinstance(gold, Fraction) and isinstance(answer, Fraction):
            return None
        ours, theirs = _symbols(gold), _symbols(answer)
        if {"infty", "emptyset"} & (ours | theirs):
            return None
        if ("log" in ours) != ("log" in theirs):  # the base is not said: 10, or e
            bases = (divide(Fraction(1), Op("ln", (Fraction(10),))), Fraction(1))
            tries = (_pairs(_replaced(gold, unit), _replaced(answer, unit)) for unit in bases)
            return next((found for found in tries if found is not None), None)
        return None if differ(gold, answer) else [(gold, answer)]
    if kind in ("=", "!=", "<", "<="):
        return _relation(gold, answer)
    if len(gold.args) != len(answer.args):
        return None
    if kind == "base":
        return None
    if kind == "list" and _names(gold) and not _names(answer):  # x = 1, y = 2 is not 2, 1
        answer = Op(
            "list", tuple(Op("=", pair) for pair in zip(_names(gold), answer.args, strict=True))
        )
    if kind in ("list", "set", "union"):
        return _unordered(gold.args, answer.args)
    if kind == "tuple" and gold.args[0] != answer.args[0]:
        return None
    found: Pairs = []
    for a, b in zip(gold.args, answer.args, strict=True):
        pairs = _pairs(a, b)
        if pairs is None:
            return None
        found += pairs
    return found


def _unwrapped(node: Node, other: Node, liberal: bool = False) -> Node:
    """Drop what only the one side says: `x =`, `x in`, braces of a single element, names of a tuple.

    `liberal` is for answers: what is asked for may be called x + y there, or A^{-1}.
    """
    if not isinstance(node, Op):
        return node
    kind = other.name if isinstance(other, Op) else ""
    if node.name in ("list", "set") and len(node.args) == 1:
        return _unwrapped(node.args[0], other, liberal)
    if node.name == "list" and kind in ("tuple", "matrix") and (names := _names(node)):
        values = {
            name: part.args[1]
            for name, part in zip(names, node.args, strict=True)
            if isinstance(part, Op)
        }
        return _unwrapped(Op("tuple", ("()", *(values[name] for name in sorted(names)))), other)
    if node.name == "matrix" and kind == "tuple":  # a column is a vector
        rows = [row.args for row in node.args if isinstance(row, Op)]
        if all(len(row) == 1 for row in rows):
            return Op("tuple", ("()", *(row[0] for row in rows)))
    if node.name == "ratio" and kind != "ratio" and len(node.args) == 2:
        return divide(node.args[0], node.args[1])
    if node.name == "in" and kind != "in":
        return _unwrapped(node.args[1], other)
    if node.name == "=" and kind != "=":
        if _is_name(node.args[0], liberal):
            return node.args[1]
        if not _symbols(node.args[0]) and _is_name(node.args[1]):
            return node.args[0]
    return node


def _names(node: Op) -> list[str]:
    """The different names in x = 1, y = 2; none if it is no such list."""
    parts = [part for part in node.args if isinstance(part, Op) and part.name == "="]
    names = [part.args[0] for part in parts if isinstance(part.args[0], str)]
    return names if len(names) == len(node.args) == len(set(names)) else []


def _is_name(node: Node, liberal: bool = False) -> bool:
    r"""What stands for an unknown: x, AB, f(x), (x, y); if liberal, x + y, A^{-1}, \cos A; never 2x + 3."""
    if isinstance(node, str):
        return node not in ("pi", "e", "infty")
    if isinstance(node, Fraction):
        return False
    if node.name in ("*", "tuple"):
        return all(_is_name(part) for part in node.args[node.name == "tuple" :])
    if node.name in ("^", "root") and liberal:
        return _is_name(node.args[0])
    return liberal and node.name not in CONTAINERS and all(_is_name(a, True) for a in node.args)


def _replaced(node: Node, unit: Node) -> Node:
    """With the unknown base of \\log made known."""
    if node == "log":
        return unit
    if not isinstance(node, Op):
        return node
    args = [_replaced(arg, unit) for arg in node.args]
    combine = {"+": add, "*": multiply}.get(node.name)
    return combine(*args) if combine else Op(node.name, tuple(args))


def _relation(gold: Op, answer: Op) -> Pairs | None:
    """Equations and inequalities: all on one side, up to a factor."""
    if gold.name != answer.name:
        return None
    if gold.args[0] == answer.args[0]:
        return _pairs(gold.args[1], answer.args[1])
    if CONTAINERS & {n.name for n in (*gold.args, *answer.args) if isinstance(n, Op)}:
        return None
    if "infty" in _symbols(gold) | _symbols(answer):
        return None
    ours, theirs = (add(side.args[0], negative(side.args[1])) for side in (gold, answer))
    factor = ratio(ours, theirs)
    if factor is None or (gold.name in ("<", "<=") and factor < 0):
        return None
    return _pairs(ours, multiply(factor, theirs))


def _unordered(gold: Iterable[Node], answer: Iterable[Node]) -> Pairs | None:
    left = list(answer)
    found: Pairs = []
    for element in gold:
        for candidate in left:
            pairs = _pairs(element, candidate)
            if pairs is not None:
                found += pairs
                left.remove(candidate)
                break
        else:
            return None
    return found


def _symbols(node: Node) -> set[str]:
    if isinstance(node, Op):
        return set[str]().union(*map(_symbols, node.args))
    return {node} if isinstance(node, str) else set()


_LETTER = re.compile(r"\(?([A-J])\)?")
_LETTERS = re.compile(r"\(?[A-J]\)?(?:(?:\s*[,、]\s*|\s+(?:and|和)\s+|\s*和\s*)\(?[A-J]\)?)*")
_REMARKED = re.compile(
    r"(?:option |choice |选项)?(\([A-J]\)|[A-J](?=[.):]|\s))[.):]?\s*(?P<rest>.*)", re.IGNORECASE
)
_DOUBT = re.compile(r"\b(?:or|and|not|is|in|wrong|incorrect|[A-J])\b|[或和错不是]|,\s*[A-J]")


def _letters(text: str, remarks: bool = False) -> str:
    """The letters of a multiple choice: C, (C), "A, C", AC; with remarks, (C) 12 and "Option C" too."""
    if _LETTERS.fullmatch(text):
        return "".join(sorted(set(_LETTER.findall(text))))
    if re.fullmatch("[A-J]{2,}", text) and list(text) == sorted(set(text)):
        return text
    m = _REMARKED.fullmatch(text + " ") if remarks else None
    if m and not _DOUBT.search(m["rest"]):
        return m[1].strip("()")
    return ""


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z]{3,}|[A-Z]{2,}", text) is not None


def _words(text: str) -> str:
    text = re.sub(r"\b([ap])\.m\b", r"\1m", text.casefold())
    text = re.sub(r"[\W_]+", " ", text).strip()
    return re.sub(r"^(?:an?|the) ", "", text)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


# --- Reading ---------------------------------------------------------------------------------

_WRAPPERS = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf)?|math(?:rm|bf|it|sf)|mbox|boxed|fbox)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"\\(?:left|right|displaystyle|[,;:! ])(?![A-Za-z])|[$~`]")
_SPACES = re.compile(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z0-9])|\s+")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_JOINER = re.compile(
    r"\s*(?:,?\s*(?:and|or)\b|[,;、]\s*(?:and\b|or\b)?|[和或及与]|=)\s*(?=\$|\\[(\[])"
)
_LEAD = re.compile(
    r"""(?:[\s:*_>,] | \b(?:is|are|be|to|equal|equals|the|(?-i:an?(?=\s))|therefore|thus|hence|then|so|simply|just|exactly|now|option|choice|given\s+by)\b
      | 是|为|即|等于|选项|约|[:,])*""",
    re.VERBOSE | re.IGNORECASE,
)
_END = re.compile(r"\.(?=[\s*\"')$]|$)|[。．!?;\n]|<\|")
_REMARK = re.compile(
    r",?\s+(?:because|since|where|when|which|as\s|so\s|for\s|by\s|if\s|after|with|\(|,)|,(?=[^\d])"
)
_MATHEMATICAL = re.compile(r"[\\^_√πθ∞½=+*/<>|{}\[\]()≤≥∪°]|\b(?:sqrt|pi)\b")
_WORD = re.compile(r"[A-Za-z]{3,}|(?![和或且与及])[\u3400-\u9fff]")
_EMPTY_WORDS = re.compile(
    r"(?:in|as|not|correct|right|wrong|clear|below|above|found|obtained|following|that|this|it|known|unique|complete)\b",
    re.IGNORECASE,
)


def find_answer(response: str, words: bool = False) -> Answer | None:
    """Return the final answer that a response commits to, or None.

    Args:
        response: any string.
        words: whether plain words may be an answer, as for the reference `\\text{east}`.
    """
    reader: Reader[Answer] = _read_words if words else _read_statement
    return final_value(response, reader, _bare_words if words else _bare, _agree)


def _agree(a: Answer, b: Answer) -> bool:
    """Whether two statements of one response are the same answer, as far as values tell."""
    if a.text == b.text:
        return True
    try:
        return a.tree is not None and b.tree is not None and _pairs(a.tree, b.tree) is not None
    except TooComplex:
        return False


# What stands in data sets where there is no answer.
PLACEHOLDERS = frozenset(
    ["", "n/a", "na", "nan", "null", "unknown", "not available", "略", "见解析", "暂无答案", "无法确定"]
)  # fmt: skip


@lru_cache(maxsize=4096)
def read_reference(reference: str) -> Answer | None:
    """Read a reference; None if it is empty, or states no answer."""
    if "boxed" in reference or "####" in reference:
        return find_answer(reference, words=True)
    answer = _answer(reference)
    if re.fullmatch(r"-?[0-9][0-9,.]*\s+[A-Za-z ]+", answer.text) and answer.tree is None:
        number = gsm8k.read_number(answer.text)  # 20 apples
        answer = answer if number is None else _number(Fraction(number))
    return None if answer.text.casefold() in PLACEHOLDERS else answer


def _plain(fragment: str) -> str:
    r"""Drop dollar signs, \left, \text{...} around words, and spaces that mean nothing."""
    text = fragment.strip(' \t\n*_`"“”')
    text = _WRAPPERS.sub(r" \1 ", _WRAPPERS.sub(r" \1 ", text)) if "\\" in text else text
    text = _SPACES.sub(lambda m: " " if _between(m) else "", _DECORATION.sub(" ", text)).strip()
    return text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").rstrip(".,;。．")


def _between(m: re.Match[str]) -> bool:
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    return before.isalnum() and after.isalnum()


_CONDITION = re.compile(
    r"(?:\\[ ,;]|[,，(\s])*(?:\\text\{[^{}]*\}\s*)?\(?[a-z]\s*(?:\\in|∈)\s*(?:\\math(?:bb|bf)\s*\{?[NZR]\}?|[ℤℕℝZNR])\)?\s*$"
)
_SYNONYMS = {
    "all real numbers": r"\mathbb{R}", "all reals": r"\mathbb{R}", "全体实数": r"\mathbb{R}", "一切实数": r"\mathbb{R}",
    "no solution": r"\emptyset", "no solutions": r"\emptyset", "empty set": r"\emptyset", "空集": r"\emptyset", "无解": r"\emptyset",
}  # fmt: skip


def _answer(fragment: str) -> Answer:
    text = _plain(fragment)
    if m := re.fullmatch(r"\(?([A-Za-z])\)?", text):
        return Answer(m[1], m[1])
    source = _SYNONYMS.get(text.casefold(), fragment.strip(" \n*`").rstrip(".,;。．"))
    if condition := _CONDITION.search(source[-60:]):  # k\pi, k \in \mathbb{Z}
        source = source[: len(source) - len(source[-60:]) + condition.start()] or source
    try:
        return Answer(text, read(source))
    except ValueError as error:
        problem = str(error) if isinstance(error, TooComplex) else ""
    last = re.split(r"(?<![<>!\\])=", source)[-1]
    if last != source:  # P(X = 2) = 1/3
        try:
            return Answer(text, read(last))
        except ValueError:
            pass
    return Answer(text, None, problem)


def _read_statement(
    text: str, start: int, mode: str, stop: int | None, words: bool = False
) -> Reading[Answer] | None:
    """`statements.Reader`: a closed fragment whole, an open one up to the end of its sentence."""
    if stop is not None:
        fragment, end = text[start:stop], stop
    else:
        window = text[start : start + WINDOW]
        lead = _LEAD.match(window)
        begin = lead.end() if lead else 0
        found = _MATH.match(window, begin)
        if not found and mode != "number":
            formulas = list(_MATH.finditer(window, begin, _sentence_end(window, begin)))
            found = next(
                (m for m in reversed(formulas) if _RESULT.search(window, begin, m.start())), None
            )
            if formulas and not found:
                return Reading(None, start + formulas[-1].end())
        if found:
            return _formula(text, start, window, found)
        finish = _END.search(window, begin)
        if finish and finish[0] == "?":
            return Reading(None, start + finish.end())
        if not finish and len(text) > start + WINDOW:
            return Reading(None, start + WINDOW)
        end = start + (finish.start() if finish else len(window))
        fragment = window[begin : end - start]
    if not fragment.strip():
        return Reading(None, end) if stop is not None else None
    if not words and _WORD.search(fragment) and not _MATHEMATICAL.search(fragment):
        number = gsm8k.read_statement(text, start, mode, stop)
        if number:
            value = None if number.value is None else _number(Fraction(number.value))
            return Reading(value, number.end)
    answer = _answer(fragment)
    if answer.tree is None and not answer.too_complex and stop is None:
        if remark := _REMARK.search(fragment):
            if re.search(r"\b(?:or|base|not?|maybe)\b", fragment[remark.start() :]):
                return Reading(None, end)
            answer = _answer(fragment[: remark.start()])
    if answer.tree is None and not answer.too_complex:
        number = None if words else gsm8k.read_statement(text, start, mode, stop)
        if number and number.value is not None and not re.search(r"[\\^_√π]", _plain(fragment)):
            return Reading(_number(Fraction(number.value)), number.end)
        if stop is None and (not words or len(answer.text) > 60):
            return number and Reading(None, number.end)
        if stop is None and _EMPTY_WORDS.match(answer.text):
            return None
        if not answer.text:
            return Reading(None, end)
    return Reading(answer, end)


def _formula(text: str, start: int, window: str, found: re.Match[str]) -> Reading[Answer]:
    r"""$x = 1$ or $x = -2$: one answer of several formulas."""
    formulas: list[str] = []
    end = found.end()
    here: re.Match[str] | None = found
    glue = ""
    while here:
        formulas.append(glue + next(group for group in here.groups() if group is not None))
        end = here.end()
        joiner = _JOINER.match(window, end)
        glue = "= " if joiner and "=" in joiner[0] else ", "
        here = _MATH.match(window, joiner.end()) if joiner else None
    answer = _answer("".join([formulas[0].removeprefix(", "), *formulas[1:]]))
    rest = window[end : _sentence_end(window, end)]
    if ".." in window[end : end + 8]:
        return Reading(None, start + end)
    asked = window[len(rest) + end : len(rest) + end + 1] in ("?", "？")
    doubtful = _CHANGED.match(rest) or (not _REASON.match(rest) and _MORE.search(rest))
    if asked or doubtful or _DENIED.search(window[: found.start()]):
        return Reading(None, start + end)
    return Reading(answer, start + end)


def _sentence_end(text: str, start: int) -> int:
    """Where the sentence ends; a formula's own punctuation does not end it."""
    at = start
    while m := _END.search(text, at):
        formula = next(
            (f for f in _MATH.finditer(text, start) if f.start() < m.start() < f.end()), None
        )
        if not formula:
            return m.start()
        at = formula.end()
    return len(text)


# Words that lead up to the result in a sentence with other words before it.
_RESULT = re.compile(
    r"(?:\b(?:is|are|be|was|equals?|to|gives?|get|gets|obtain|have|has)\b|[:：=为是得于共即有])[\s*:：]*(?:about|approximately|the|约)?[\s(*]*\Z",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|never|cannot|neither|between|than|least|most|except|instead|minus|unless|if)\b[^,，]*$|n't\b"
    r"|[是能]否|不[是等为可]|并非|没有|无法|除了|也许|可能|[大小]于|至[少多]"
)
# Right behind a formula: the number or expression goes on, or is put in doubt.
_CHANGED = re.compile(
    r"\s*[+*/^=!<>≤≥]|[-A-Za-z0-9($\\]|\s*-\s*[\d$\\]|\s*(?:times|plus|minus|squared|cubed|over|to|of|dozen|hundred|thousand|million|billion)\b"
    r"|\s*,?\s*(?:or|maybe|perhaps|possibly)\b|\s*[或到~万亿]|[^,，。;；\n]{0,4}(?:倍|左右|吗|舍|以[上下内]|之间)|\s*的"
)
_REASON = re.compile(r"[\s,(]*(?:because|since|as|by|from|using|after|which|so|因为|由于)\b")
_MORE = re.compile(
    r"[$\d\\]|\b(?:or|maybe|perhaps|not|wrong|incorrect|otherwise|if|when|unless)\b|[或错不]|也许"
)


def _number(value: Fraction) -> Answer:
    return Answer(str(value), value)


def _read_words(text: str, start: int, mode: str, stop: int | None) -> Reading[Answer] | None:
    return _read_statement(text, start, mode, stop, words=True)


def _bare(response: str, words: bool = False) -> Answer | None:
    """A response that is nothing but its answer."""
    text = response.strip()
    if not text or len(text) > WINDOW:
        return None
    if _WORD.search(text) and not _MATHEMATICAL.search(text):
        number = gsm8k.extract_answer(text)
        if number is not None:
            return _number(Fraction(number))
    answer = _answer(text)
    if answer.tree is not None or answer.too_complex:
        return answer
    return answer if words and len(text) <= 60 else None


def _bare_words(response: str) -> Answer | None:
    return _bare(response, words=True)
