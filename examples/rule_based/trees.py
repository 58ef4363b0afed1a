r"""The trees that answers are read into: exact arithmetic, sets and relations.

A tree is a `Fraction` (all that can be computed exactly is), a `str` (a symbol such as "x", "pi",
"theta_1"), or an `Op`. Operations: `+ * ^ root` (of x, the nth), the functions of `FUNCTIONS`,
`base` (a numeral and its base), `tuple` (its brackets, then its elements; intervals are tuples),
`list` (what commas, "and", "or" separate) and `set`, whose order is free, `union`, `ratio`, `matrix` of
`row`s, `in` (a symbol and its set; `1 < x` too), and the relations `= != < <=`.

Sums and products are kept flat and in a fixed order, so that equal ones mostly are the same tree.
Numbers have a bounded size; what exceeds it raises `TooComplex`.

Standard library only.
"""

import math
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple, Union

__all__ = [
    "CONTAINERS",
    "FUNCTIONS",
    "REALS",
    "Node",
    "Op",
    "TooComplex",
    "Unreadable",
    "add",
    "binomial",
    "divide",
    "factorial",
    "has_symbols",
    "is_name",
    "is_tuple",
    "is_whole",
    "listed",
    "multiply",
    "named",
    "negative",
    "power",
    "related",
    "require_scalars",
    "root",
    "sized",
    "symbols",
    "unique",
    "united",
    "without",
]  # fmt: skip

MOST_BITS = 4096  # of the numerator or the denominator of a number


class Unreadable(ValueError):
    """The text is no expression of this grammar."""


class TooComplex(ValueError):
    """The text is one, but too large to work with."""


class Op(NamedTuple):
    """An operation and its arguments."""

    name: str
    args: tuple["Node", ...]


Node = Union[Fraction, str, Op]  # noqa: UP007 - a recursive alias
ONE, TWO = Fraction(1), Fraction(2)
CONTAINERS = frozenset("choice tuple list set union matrix row base ratio in = != < <=".split())
REALS = Op("tuple", ("()", Op("*", ("infty", Fraction(-1))), "infty"))

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln abs floor ceil".split()
)


def sized(value: Fraction) -> Fraction:
    """Return the value, unless it is too large."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise TooComplex("a number of more than a thousand digits")
    return value


def require_scalars(*nodes: Node) -> None:
    """Refuse arithmetic with tuples, sets, matrices and relations."""
    for node in nodes:
        if isinstance(node, Op) and node.name in CONTAINERS:
            raise Unreadable(f"arithmetic with a {node.name}")


def add(*terms: Node) -> Node:
    """The sum, with its numbers added up and its terms in a fixed order."""
    if len(terms) > 1:
        require_scalars(*terms)
    total, rest = Fraction(0), list[Node]()
    for term in terms:
        for part in term.args if isinstance(term, Op) and term.name == "+" else (term,):
            if isinstance(part, Fraction):
                total = sized(total + part)
            else:
                rest.append(part)
    if total or not rest:
        rest.append(total)
    return rest[0] if len(rest) == 1 else Op("+", tuple(sorted(rest, key=repr)))


def multiply(*factors: Node) -> Node:
    """The product, with its numbers multiplied and its factors in a fixed order."""
    matrices = [f for f in factors if isinstance(f, Op) and f.name == "matrix"]
    if len(matrices) == 1 and len(factors) > 1:
        scalar = multiply(*(factor for factor in factors if factor is not matrices[0]))
        return _scaled(scalar, matrices[0])
    if len(factors) > 1:
        require_scalars(*factors)
    total, rest = ONE, list[Node]()
    for factor in factors:
        for part in factor.args if isinstance(factor, Op) and factor.name == "*" else (factor,):
            if isinstance(part, Fraction):
                total = sized(total * part)
            else:
                rest.append(part)
    if total == 0:
        return total
    if total != 1 or not rest:
        rest.append(total)
    return rest[0] if len(rest) == 1 else Op("*", tuple(sorted(rest, key=repr)))


def _scaled(scalar: Node, matrix: Op) -> Node:
    rows = [row.args if isinstance(row, Op) else () for row in matrix.args]
    return Op("matrix", tuple(Op("row", tuple(multiply(scalar, x) for x in row)) for row in rows))


def negative(node: Node) -> Node:
    """Minus the node."""
    return multiply(Fraction(-1), node)


def power(base: Node, exponent: Node) -> Node:
    """The power, computed if it is a number of bounded size."""
    require_scalars(base, exponent)
    if exponent == ONE:
        return base
    if isinstance(exponent, Fraction) and exponent.denominator > 1:
        if exponent.denominator > 100:
            raise TooComplex("an exponent with a large denominator")
        inner = power(base, Fraction(exponent.numerator))
        return root(inner, Fraction(exponent.denominator))
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if base in (0, 1, -1):
            if exponent < 0 and not base:
                raise Unreadable("division by zero")
            return base ** (abs(exponent.numerator) % 2 or 2) if exponent else ONE
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent) > MOST_BITS:
            raise TooComplex("a power of more than a thousand digits")
        return base**exponent.numerator
    return Op("^", (base, exponent))


def root(node: Node, degree: Node) -> Node:
    """The root, computed if it is rational."""
    require_scalars(node, degree)
    if isinstance(degree, Fraction) and (degree.denominator > 1 or not 2 <= degree <= 100):
        raise TooComplex("a root of unusual degree")
    if isinstance(node, Fraction) and isinstance(degree, Fraction):
        n = degree.numerator
        if node >= 0 or n % 2:
            top, low = _whole_root(abs(node.numerator), n), _whole_root(node.denominator, n)
            if top is not None and low is not None:
                return Fraction(top if node >= 0 else -top, low)
    return Op("root", (node, degree))


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        guess = math.isqrt(value)
        return guess if guess * guess == value else None
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:  # the largest whose power does not exceed the value
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low if low**degree == value else None


def divide(top: Node, low: Node) -> Node:
    """The quotient."""
    if low == 0:
        raise Unreadable("division by zero")
    return multiply(top, power(low, Fraction(-1)))


def is_tuple(node: Node) -> bool:
    """Whether it is a tuple in round brackets."""
    return isinstance(node, Op) and node.name == "tuple" and node.args[0] == "()"


def is_whole(node: Node) -> bool:
    """Whether it is a whole number."""
    return isinstance(node, Fraction) and node.denominator == 1


def factorial(node: Node) -> Node:
    """The factorial of a small number."""
    if isinstance(node, Fraction) and node.denominator == 1 and 0 <= node <= 100:
        return Fraction(math.factorial(node.numerator))
    raise TooComplex("a factorial")


def binomial(n: Node, k: Node) -> Node:
    """The binomial of small numbers, or of a symbol over 1, 2 or 3."""
    if isinstance(n, Fraction) and isinstance(k, Fraction) and n.denominator == k.denominator == 1:
        if 0 <= k <= n <= 1000:
            return sized(Fraction(math.comb(n.numerator, k.numerator)))
    elif isinstance(k, Fraction) and k in (1, 2, 3):
        factors = [add(n, Fraction(-i)) for i in range(k.numerator)]
        return multiply(*factors, Fraction(1, math.factorial(k.numerator)))
    raise TooComplex("a binomial")


def listed(parts: list[Node]) -> Node:
    """What commas separate; the elements of a list among them, from \\pm, are its own."""
    flat: list[Node] = []
    for part in parts:
        flat += part.args if isinstance(part, Op) and part.name == "list" else (part,)
    return flat[0] if len(flat) == 1 else Op("list", tuple(flat))


# --- Sets and relations ----------------------------------------------------------------------


def united(parts: list[Node], joined: set[str]) -> Node:
    """x < 1 or x > 2, x > 1 and x < 3, (1, 2) or [3, 4]: one set; else a list."""
    spans = [part for part in parts if isinstance(part, Op) and part.name in ("in", "tuple")]
    if len(spans) == len(parts) and all(span.name == "in" for span in spans):
        if len({span.args[0] for span in spans}) == 1:
            sets = [span.args[1] for span in spans]
            both = "and" in joined and "or" not in joined
            return Op("in", (spans[0].args[0], _common(sets) if both else Op("union", tuple(sets))))
    if len(spans) == len(parts) and all(_is_interval(span) for span in spans):
        return Op("union", tuple(parts))
    return listed(parts)


def _is_interval(node: Op) -> bool:
    return node.name == "tuple" and (
        node.args[0] in ("(]", "[)") or bool({"infty", REALS.args[1]} & set(node.args))
    )


def _common(sets: list[Node]) -> Node:
    """The intersection of x > a and x < b."""
    low = [s for s in sets if isinstance(s, Op) and s.name == "tuple" and s.args[2] == "infty"]
    high = [
        s for s in sets if isinstance(s, Op) and s.name == "tuple" and s.args[1] == REALS.args[1]
    ]
    if len(low) != 1 or len(high) != 1 or len(sets) != 2:
        raise Unreadable("inequalities that are no interval together")
    start, end = low[0].args, high[0].args
    if not (isinstance(start[1], Fraction) and isinstance(end[2], Fraction) and start[1] < end[2]):
        raise Unreadable("inequalities that are no interval together")
    return Op("tuple", (str(start[0])[0] + str(end[0])[1], start[1], end[2]))


def without(points: list[Node]) -> Node:
    """All real numbers but these."""
    if not points or not all(isinstance(point, Fraction) for point in points):
        raise Unreadable("a set without what is no number")
    ends = [
        REALS.args[1],
        *sorted(point for point in points if isinstance(point, Fraction)),
        "infty",
    ]
    return Op("union", tuple(Op("tuple", ("()", a, b)) for a, b in pairwise(ends)))


def unique(parts: list[Node]) -> list[Node]:
    """The different parts, in their order."""
    return [part for i, part in enumerate(parts) if part not in parts[:i]]


def related(sides: list[Node], signs: list[str]) -> Node:
    """Make one node of a chain of relations."""
    if not signs:
        return sides[0]
    if signs[-1] == "in" and len(signs) == 1:
        return Op("in", tuple(sides))
    if set(signs) == {"="}:
        numbers = {side for side in sides if isinstance(side, Fraction)}
        if len(numbers) > 1:
            raise Unreadable("an equation that does not hold")
        if not any(map(has_symbols, sides)):
            return sides[-1]
        if len(sides) > 2 and any(sides[0] in symbols(side) for side in sides[1:]):
            raise Unreadable("a chain that defines its own name")
        if len(sides) > 2 and numbers and not isinstance(sides[-1], Fraction):
            raise Unreadable("a chain with a number in the middle")
        return Op("=", (sides[0], sides[-1]))
    if signs == ["!="]:
        if isinstance(sides[0], str) and isinstance(sides[1], Fraction):
            return Op("in", (sides[0], without([sides[1]])))
        return Op("!=", tuple(sides))
    if "=" in signs or "!=" in signs or "in" in signs or len(signs) > 2:
        raise Unreadable("a mixed chain of relations")
    if all(sign in (">", ">=") for sign in signs):
        sides, signs = sides[::-1], [sign.replace(">", "<") for sign in reversed(signs)]
    if any(">" in sign for sign in signs):
        raise Unreadable("a mixed chain of relations")
    # An inequality of one symbol is an interval.
    open_, close = "([", ")]"
    if len(signs) == 2 and isinstance(sides[1], str):
        brackets = open_[signs[0] == "<="] + close[signs[1] == "<="]
        return Op("in", (sides[1], Op("tuple", (brackets, sides[0], sides[2]))))
    if len(signs) == 1 and isinstance(sides[0], str) and not has_symbols(sides[1]):
        span = Op("tuple", ("(" + close[signs[0] == "<="], negative("infty"), sides[1]))
        return Op("in", (sides[0], span))
    if len(signs) == 1 and isinstance(sides[1], str) and not has_symbols(sides[0]):
        span = Op("tuple", (open_[signs[0] == "<="] + ")", sides[0], "infty"))
        return Op("in", (sides[1], span))
    if len(signs) == 1 and isinstance(sides[0], Op) and sides[0].name == "abs":
        name, bound = sides[0].args[0], sides[1]
        if isinstance(name, str) and not has_symbols(bound):  # |x| < 1
            brackets = "[]" if signs[0] == "<=" else "()"
            return Op("in", (name, Op("tuple", (brackets, negative(bound), bound))))
    if len(signs) == 2:
        raise Unreadable("a chain of inequalities around an expression")
    return Op(signs[0], tuple(sides))


def symbols(node: Node) -> set[str]:
    """The symbols and constants in a tree."""
    if isinstance(node, Op):
        return set[str]().union(*map(symbols, node.args))
    return {node} if isinstance(node, str) else set()


def has_symbols(node: Node) -> bool:
    """Whether there is a symbol that stands for no constant."""
    if isinstance(node, str):
        return node not in ("pi", "e", "i", "infty")
    return isinstance(node, Op) and any(has_symbols(arg) for arg in node.args)


def named(node: Node, liberal: bool = True) -> Node:
    """What x = 18 says of x: what stands behind a name, or alone in a list or a set."""
    while isinstance(node, Op):
        if node.name in ("list", "set") and len(node.args) == 1:
            node = node.args[0]
        elif node.name == "=" and is_name(node.args[0], liberal):
            node = node.args[1]
        elif node.name == "=" and not has_symbols(node.args[0]) and is_name(node.args[1]):
            node = node.args[0]
        else:
            break
    return node


def is_name(node: Node, liberal: bool = False) -> bool:
    r"""What stands for an unknown: x, AB, f(x), (x, y); if liberal, x + y, A^{-1}, \cos A; never 2x + 3."""
    if isinstance(node, str):
        return node not in ("pi", "e", "infty")
    if isinstance(node, Fraction):
        return False
    if node.name in ("*", "tuple", "abs"):
        return all(is_name(part) for part in node.args[node.name == "tuple" :])
    if node.name in ("^", "root") and liberal:
        return is_name(node.args[0])
    return liberal and node.name not in CONTAINERS and all(is_name(a, True) for a in node.args)
