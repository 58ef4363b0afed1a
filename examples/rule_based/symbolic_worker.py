"""The process behind `symbolic`: it compares trees with math-verify, and may be killed at any time.

Run as a script. A line on standard input is a list of pairs of trees in JSON; the reply is one line,
`true` if math-verify finds every pair equal. A tree is built from SymPy's classes, node by node: no text
of a response is ever parsed by SymPy.

Needs math-verify (0.9) and sympy, which comes with it.
"""

import contextlib
import json
import logging
import os
import signal
import sys
from typing import Any

import sympy
from math_verify import verify

__all__ = ["build", "equal", "main"]

MEMORY_BYTES = 2 * 1024**3
DIGITS = 100
CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}
FUNCTIONS = {
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec, "csc": sympy.csc,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "sinh": sympy.sinh, "cosh": sympy.cosh,
    "tanh": sympy.tanh, "ln": sympy.log, "abs": sympy.Abs, "floor": sympy.floor, "ceil": sympy.ceiling,
    "+": sympy.Add, "*": sympy.Mul, "^": sympy.Pow,
}  # fmt: skip


def build(tree: Any) -> sympy.Expr:
    """Build the SymPy expression: [3, 4] is 3/4, "x" a real symbol, ["+", a, b] a sum."""
    if isinstance(tree, str):
        return CONSTANTS.get(tree) or sympy.Symbol(tree, real=True)
    if isinstance(tree[0], int):
        return sympy.Rational(*tree)
    name, *args = tree
    if name == "root":
        return sympy.Pow(build(args[0]), 1 / build(args[1]))
    return FUNCTIONS[name](*map(build, args))


def equal(gold: Any, answer: Any) -> bool:
    """Whether the two are equal.

    They must agree to a hundred digits at a few points. That decides for constants, such as nested
    roots, and for functions of symbols, on which SymPy's simplification takes seconds and often
    fails. For the rest, polynomials, fractions and roots of symbols, math-verify decides.
    """
    ours, theirs = build(gold), build(answer)
    if not agree(ours, theirs):
        return False
    if not ours.free_symbols | theirs.free_symbols or any(
        argument.free_symbols for e in (ours, theirs) for argument in e.atoms(sympy.Function)
    ):
        return True
    return bool(verify(ours, theirs, timeout_seconds=None, raise_on_error=True))


def agree(a: sympy.Expr, b: sympy.Expr) -> bool:
    """Whether the values agree to `DIGITS` where both are real, or both are constants."""
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    met = False
    for point in range(1 if not symbols else 4):
        at = {x: sympy.Rational(*_coordinate(point, i)) for i, x in enumerate(symbols)}
        x, y = (e.subs(at).evalf(DIGITS + 10, maxn=3 * DIGITS) for e in (a, b))
        if not (x.is_number and y.is_number and x.is_finite and y.is_finite):
            continue
        if symbols and point >= 2 and not (x.is_real and y.is_real):
            continue
        met = True
        if abs(x - y) > sympy.Float(10) ** -DIGITS * max(
            abs(x), abs(y), sympy.Float(10) ** -DIGITS
        ):
            return False
    return met


def _coordinate(point: int, i: int) -> tuple[int, int]:
    """A positive number at the first two points; with either sign at the others."""
    sign = -1 if point >= 2 and (i + point) % 2 else 1
    return sign * (101 + 37 * i + 53 * point), 89 + 2 * i


def main() -> None:
    """Serve until standard input closes."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not everywhere can it be limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    logging.disable(logging.WARNING)  # math-verify warns that its own time-out is off
    replies = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    # SymPy loads much of itself on first use; not at the expense of the first question.
    square = ["^", ["+", "x", [1, 1]], [2, 1]]
    equal(square, ["+", ["^", "x", [2, 1]], ["*", [2, 1], "x"], [1, 1]])
    equal([1, 1], ["+", ["^", ["sin", "x"], [2, 1]], ["^", ["cos", "x"], [2, 1]]])
    print("ready", file=replies)
    for line in sys.stdin:
        verdict = all(equal(gold, answer) for gold, answer in json.loads(line))
        print(json.dumps(verdict), file=replies)


if __name__ == "__main__":
    main()
