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
import sys
from typing import Any

import sympy
from math_verify import verify

__all__ = ["build", "equal", "main"]

MEMORY_BYTES = 2 * 1024**3
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
    """Whether math-verify finds the two equal."""
    return bool(verify(build(gold), build(answer), timeout_seconds=None, raise_on_error=True))


def main() -> None:
    """Serve until standard input closes."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not everywhere can it be limited
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
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
