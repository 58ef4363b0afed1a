"""The process behind `symbolic`: it compares trees, and may be killed at any time.

Run as a script. A line on standard input is a list of pairs of trees in JSON; the reply is one line,
`true` if every pair is equal. The values must agree to a hundred digits at a few points, by mpmath.
That decides for roots and functions, on which SymPy's simplification takes seconds and often fails.
Polynomials and fractions of symbols are then compared by math-verify, as SymPy objects built node by
node: no text of a response is ever parsed.

Needs math-verify (0.9), and sympy and mpmath, which come with it.
"""

import contextlib
import json
import logging
import os
import signal
import sys
from typing import Any

import mpmath
import sympy
from math_verify import verify

__all__ = ["agree", "build", "equal", "main"]

MEMORY_BYTES = 2 * 1024**3
DIGITS = 100
POINTS = 4  # the first half with positive values only
CONSTANTS = {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1)}
FUNCTIONS = {
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "cot": mpmath.cot, "sec": mpmath.sec,
    "csc": mpmath.csc, "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan,
    "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh, "ln": mpmath.log, "abs": abs,
    "floor": mpmath.floor, "ceil": mpmath.ceil,
}  # fmt: skip


def equal(gold: Any, answer: Any) -> bool:
    """Whether the two are equal: [3, 4] is 3/4, "x" a real symbol, ["+", a, b] a sum."""
    if not agree(gold, answer):
        return False
    if not (rational(gold) and rational(answer)):
        return True
    return bool(verify(build(gold), build(answer), timeout_seconds=None, raise_on_error=True))


def agree(gold: Any, answer: Any) -> bool:
    """Whether the values agree to `DIGITS`; where a symbol is negative, real values only."""
    met = False
    names = sorted(symbols(gold) | symbols(answer))
    for point in range(POINTS if names else 1):
        at = {name: coordinate(point, i) for i, name in enumerate(names)}
        try:
            x, y = value(gold, at), value(answer, at)
        except (ArithmeticError, ValueError):  # a pole
            continue
        if not (mpmath.isfinite(x) and mpmath.isfinite(y)):
            continue
        size = max(abs(x), abs(y))
        tiny = size * mpmath.mpf(10) ** -DIGITS
        if point >= POINTS // 2 and max(abs(mpmath.im(x)), abs(mpmath.im(y))) > tiny:
            continue
        met = True
        if abs(x - y) > tiny and size > mpmath.mpf(10) ** -DIGITS:
            return False
    return met


def coordinate(point: int, i: int) -> Any:
    """The value of the i-th symbol, a fraction that nobody writes."""
    sign = -1 if point >= POINTS // 2 and (i + point) % 2 == 0 else 1
    return sign * mpmath.mpf(101 + 37 * i + 53 * point) / (89 + 2 * i)


def value(tree: Any, at: dict[str, Any]) -> Any:
    """The value of a tree, where the symbols have the values `at`."""
    if isinstance(tree, str):
        return at[tree] if tree in at else +CONSTANTS[tree]
    if isinstance(tree[0], int):
        return mpmath.mpf(tree[0]) / tree[1]
    name, *parts = tree
    args = [value(part, at) for part in parts]
    if name == "+":
        return mpmath.fsum(args)
    if name == "*":
        return mpmath.fprod(args)
    if name == "^":
        return args[0] ** args[1]
    if name == "root":
        inside, degree = args
        if mpmath.im(inside) == 0 and mpmath.re(inside) < 0 and degree % 2 == 1:
            return -mpmath.root(-mpmath.re(inside), int(degree))  # the real one
        return inside ** (1 / degree)
    return FUNCTIONS[name](*args)


def symbols(tree: Any) -> set[str]:
    if isinstance(tree, str):
        return {tree} - CONSTANTS.keys()
    return set() if isinstance(tree[0], int) else set().union(*map(symbols, tree[1:]))


def rational(tree: Any) -> bool:
    """Whether a tree is made of symbols and numbers by arithmetic alone."""
    if isinstance(tree, str):
        return tree not in CONSTANTS
    if isinstance(tree[0], int):
        return True
    name, *args = tree
    if name == "^" and not (isinstance(args[1][0], int) and args[1][1] == 1):
        return False
    return name in ("+", "*", "^") and all(map(rational, args))


def build(tree: Any) -> sympy.Expr:
    """Build the SymPy expression of a rational tree."""
    if isinstance(tree, str):
        return sympy.Symbol(tree, real=True)
    if isinstance(tree[0], int):
        return sympy.Rational(*tree)
    name, *args = tree
    return {"+": sympy.Add, "*": sympy.Mul, "^": sympy.Pow}[name](*map(build, args))


def main() -> None:
    """Serve until standard input closes."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not everywhere can it be limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    logging.disable(logging.WARNING)  # math-verify warns that its own time-out is off
    mpmath.mp.dps = DIGITS + 15
    replies = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    # SymPy loads much of itself on first use; not at the expense of the first question.
    square = ["^", ["+", "x", [1, 1]], [2, 1]]
    equal(square, ["+", ["^", "x", [2, 1]], ["*", [2, 1], "x"], [1, 1]])
    print("ready", file=replies)
    for line in sys.stdin:
        verdict = all(equal(gold, answer) for gold, answer in json.loads(line))
        print(json.dumps(verdict), file=replies)


if __name__ == "__main__":
    main()
