r"""Is a stated answer equal to a reference? Structure first, then values, then proof.

A list, a tuple, an interval or an equation never equals one of its elements. What has to be equal is
reduced to pairs of expressions; those that differ in value at a few points differ; the rest pass
`symbolic.guard` and are compared in a process that can be killed.

Needs math-verify (0.9), for what is equal in value and differs in form.
"""

import re
from collections.abc import Iterable
from fractions import Fraction

from ..shared.outcome import Abstained, Outcome, Reason
from ..shared.text import folded
from .answer import Answer
from .symbolic import differ, equal, guard, ratio
from .trees import (
    CONTAINERS,
    Node,
    Op,
    TooComplex,
    add,
    divide,
    is_name,
    multiply,
    negative,
    symbols,
)

__all__ = ["compare", "letters"]

_CORRECT = Outcome(1.0, Reason.CORRECT)


def compare(answer: Answer, gold: Answer) -> Outcome:
    """Compare a stated answer with a reference that was read, cheapest test first.

    Returns:
        `correct` (1.0), `wrong` or `too_complex` (0.0); or an abstention: `bad_reference` if the
        reference would cost too much, `timed_out` or `worker_died` if the helper process failed.
    """
    if answer.text == gold.text:
        return _CORRECT
    if answer.too_complex:
        return Outcome(0.0, Reason.TOO_COMPLEX, answer.too_complex)
    wrong = Outcome(0.0, Reason.WRONG, f"{_short(answer.text)} is not {_short(gold.text)}")
    if (chosen := letters(gold)) and _is_sorted(gold.text):  # BCA is an order, and no set
        if letters(answer) == chosen:
            return _CORRECT
        if gold.text.strip("()").isupper() and len(chosen) == 1:
            return wrong
    if gold.in_words and _words(answer.text) == _words(gold.text):
        return _CORRECT
    if answer.value is None or gold.value is None:
        return wrong
    if _is_word(answer.text) or _is_word(gold.text):  # no product of letters: the same letters
        return wrong
    try:
        pairs = _pairs(gold.value, answer.value)
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


# --- Letters and words -----------------------------------------------------------------------

_LETTERS = re.compile(
    r"\(?([A-J]|[a-j])\)?|([A-J]{2,10})|(\(?[A-J]\)?(?:\s*(?:[,/、;\s]|and|\\?&|[和与及])\s*(?:and\s+)?\(?[A-J]\)?)+)"
    r"|((?:\([A-J]\)){2,10})|([a-j](?:\s*,\s*[a-j])+)"
)
_OPTION = re.compile(
    r"(?:options?|choices?|选项)\s*(?=[A-J(])|(?<=[A-J)])\s*(?:(?:选项|[两三四]?项)(?:都?是?正确的?)?|都?是?正确的?)",
    re.IGNORECASE,
)


def letters(answer: Answer) -> str:
    """The letters of a multiple choice, sorted: C, (C), c, "C: text", AD, "A, D"; "" if it is none."""
    if isinstance(answer.value, Op) and answer.value.name == "choice":
        return str(answer.value.args[0])
    m = _LETTERS.fullmatch(_OPTION.sub("", answer.text).strip(" \\{}[]"))
    chosen = re.findall("[A-J]", m[0].replace("and", "").upper()) if m else []
    return "".join(sorted(chosen)) if len(chosen) == len(set(chosen)) else ""


def _is_sorted(text: str) -> bool:
    found = re.findall("[A-J]", text.upper())
    return found == sorted(found)


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z]{3,}|[A-Z]{2,}", text) is not None


def _words(text: str) -> str:
    text = re.sub(r"\b([ap])\.m\b", r"\1m", folded(text))
    text = re.sub(r"[\W_]+", " ", text).strip()
    return re.sub(r"^(?:an?|the) ", "", text)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


# --- Trees -----------------------------------------------------------------------------------

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
        ours, theirs = symbols(gold), symbols(answer)
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
        if is_name(node.args[0], liberal):
            return node.args[1]
        if not symbols(node.args[0]) and is_name(node.args[1]):
            return node.args[0]
    return node


def _names(node: Op) -> list[str]:
    """The different names in x = 1, y = 2; none if it is no such list."""
    parts = [part for part in node.args if isinstance(part, Op) and part.name == "="]
    names = [part.args[0] for part in parts if isinstance(part.args[0], str)]
    return names if len(names) == len(node.args) == len(set(names)) else []


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
    if "infty" in symbols(gold) | symbols(answer):
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
