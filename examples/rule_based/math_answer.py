r"""Reward mathematical answers by rule: is the response's final answer equal to the reference?

    >>> grade(r"So the area is $\boxed{\frac{\sqrt{2}}{2}}$.", r"\frac{1}{\sqrt{2}}").score
    1.0
    >>> grade(r"The answer is $x = 3$ or $x = -2$.", "-2, 3").score
    1.0
    >>> grade(r"\boxed{9^{9^{9}}}", "18").reason
    <Reason.TOO_COMPLEX: 'too_complex'>

Numbers, fractions, roots, polynomials, functions, tuples, sets, intervals, matrices, equations, choices
and short texts, in LaTeX or in plain text; references in LaTeX, with dollar signs or without.

1. `statements` finds what the response finally states; `expression` reads it into a tree.
2. Cheap answers first: equal text, equal trees, exact numbers, different values at a few points.
3. What is left, mostly right answers in another form, passes `symbolic.guard`, and math-verify compares
   it symbolically in a process that can be killed.

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

from ..outcome import Abstained, Outcome, Reason
from . import gsm8k
from .expression import Node, Op, TooComplex, Unreadable, add, multiply, negative, read
from .statements import WINDOW, Reader, Reading, final_value
from .symbolic import differ, equal, guard, ratio

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
        few = re.fullmatch(r"[^\\{}^$=<>|+*]{1,80}", self.text)
        return self.tree is None and few is not None and _words(self.text) != ""


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
    if _choice(gold) and _choice(answer) == _choice(gold):
        return _CORRECT
    if gold.in_words and _words(answer.text) == _words(gold.text):
        return _CORRECT
    if answer.tree is None or gold.tree is None:
        return wrong
    pairs = _pairs(gold.tree, answer.tree)
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
CONTAINERS = frozenset("tuple list union matrix row base in = != < <=".split())


def _pairs(gold: Node, answer: Node) -> Pairs | None:
    """The pairs of expressions that must be equal for the two to be; None if they are not."""
    if gold == answer:
        return []
    gold, answer = _unwrapped(gold, answer), _unwrapped(answer, gold)
    if gold == answer:
        return []
    kind = gold.name if isinstance(gold, Op) and gold.name in CONTAINERS else ""
    other = answer.name if isinstance(answer, Op) and answer.name in CONTAINERS else ""
    if kind != other:
        return None
    if not (kind and isinstance(gold, Op) and isinstance(answer, Op)):
        if isinstance(gold, Fraction) and isinstance(answer, Fraction):
            return None
        if {"infty", "emptyset"} & (_symbols(gold) | _symbols(answer)) or differ(gold, answer):
            return None
        return [(gold, answer)]
    if kind in ("=", "!=", "<", "<="):
        return _relation(gold, answer)
    if len(gold.args) != len(answer.args):
        return None
    if kind == "base":
        return None
    if kind in ("list", "union"):
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


def _unwrapped(node: Node, other: Node) -> Node:
    """Drop the `x =` or `x in` that the other side does not have, and the braces of a single element."""
    if isinstance(node, Op):
        if node.name == "list" and len(node.args) == 1:
            return _unwrapped(node.args[0], other)
        if node.name == "in" and not (isinstance(other, Op) and other.name == "in"):
            return _unwrapped(node.args[1], other)
        if node.name == "=" and not (isinstance(other, Op) and other.name == "="):
            if _is_name(node.args[0]):
                return node.args[1]
            if _is_name(node.args[1]):
                return node.args[0]
    return node


def _is_name(node: Node) -> bool:
    r"""What stands for an unknown: x, AB, f(x), x + y, A^{-1}, (x, y), \cos A; but not 2x + 3."""
    if isinstance(node, str):
        return node not in ("pi", "e", "infty")
    if isinstance(node, Fraction):
        return False
    if node.name in ("^", "root"):
        return _is_name(node.args[0])
    return all(map(_is_name, node.args[node.name == "tuple" :]))


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


def _choice(answer: Answer) -> str | None:
    """The letter of a multiple choice: C, (C), C., (C) 12; but not "C or D"."""
    m = _CHOICE.match(answer.text)
    if not m or re.search(r"\b(?:or|and)\b|\([A-J]\)", answer.text[m.end() :]):
        return None
    return m[1] or m[2]


_CHOICE = re.compile(r"\(([A-J])\)|([A-J])(?=[.):]?\s*$|[.):]\s)")


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


# --- Reading ---------------------------------------------------------------------------------

_WRAPPERS = re.compile(
    r"\\(?:text(?:bf|it|rm|normal|sf)?|math(?:rm|bf|it|sf)|mbox|boxed|fbox)\s*\{([^{}]*)\}"
)
_DECORATION = re.compile(r"\\(?:left|right|displaystyle|[,;:! ])(?![A-Za-z])|[$~`]|\*\*")
_SPACES = re.compile(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z0-9])|\s+")
_MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_JOINER = re.compile(
    r"\s*(?:,?\s*(?:and|or)\b|[,;、]\s*(?:and\b|or\b)?|[和或及与]|=)\s*(?=\$|\\[(\[])"
)
_LEAD = re.compile(
    r"""(?:[\s:*_>,] | \b(?:is|are|be|to|equal|equals|the|a|therefore|thus|hence|then|so|simply|just|exactly|now|option|choice|given\s+by)\b
      | [是为即等于选项约:,])*""",
    re.VERBOSE | re.IGNORECASE,
)
_END = re.compile(r"\.(?=[\s*\"')$]|$)|[。!?;\n]|<\|")
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
    return a.tree is not None and b.tree is not None and _pairs(a.tree, b.tree) is not None


# What stands in data sets where there is no answer.
PLACEHOLDERS = frozenset(
    [
        "",
        "n/a",
        "na",
        "nan",
        "null",
        "unknown",
        "not available",
        "略",
        "见解析",
        "暂无答案",
        "无法确定",
    ]
)


@lru_cache(maxsize=4096)
def read_reference(reference: str) -> Answer | None:
    """Read a reference; None if it is empty, or states no answer."""
    if "boxed" in reference or "####" in reference:
        return find_answer(reference, words=True)
    answer = _answer(reference)
    return None if answer.text.casefold() in PLACEHOLDERS else answer


def _plain(fragment: str) -> str:
    r"""Drop dollar signs, \left, \text{...} around words, and spaces that mean nothing."""
    text = fragment.strip(" \t\n*_`\"'“”")
    text = _WRAPPERS.sub(r"\1", _WRAPPERS.sub(r"\1", text)) if "\\" in text else text
    text = _SPACES.sub(lambda m: " " if _between(m) else "", _DECORATION.sub(" ", text))
    return text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").rstrip(".,;。")


def _between(m: re.Match[str]) -> bool:
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    return before.isalnum() and after.isalnum()


def _answer(fragment: str) -> Answer:
    text = _plain(fragment)
    if m := re.fullmatch(r"\(?([A-Za-z])\)?", text):
        return Answer(m[1], m[1])
    try:
        return Answer(text, read(fragment.strip(" \n*`").rstrip(".,;。")))
    except TooComplex as error:
        return Answer(text, None, str(error))
    except Unreadable:
        return Answer(text, None)


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
            sentence = _END.search(window, begin)
            found = _MATH.search(window, begin, sentence.start() if sentence else len(window))
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
    if _WORD.search(fragment) and not _MATHEMATICAL.search(fragment):
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
        number = gsm8k.read_statement(text, start, mode, stop)
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
    if re.match(r"\s*(?:or\b|或|to\b|-)\s*\S*[0-9]", window[end:]):
        return Reading(None, start + end)
    if re.match(r"\s*(?:million|billion|thousand|万|亿)", window[end:]):
        return Reading(None, start + end)
    before = window[: found.start()]
    if re.search(
        r"\b(?:not|never|between|than|least|most)\b|n't\b|[是能]否|不[是等为]|并非|没有|无法|[大小]于|至[少多]",
        before,
    ):
        return Reading(None, start + end)
    return Reading(answer, start + end)


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
