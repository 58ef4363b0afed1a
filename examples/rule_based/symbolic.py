"""Are two expressions equal? Numerically in microseconds; symbolically in a process that can be killed.

`differ` tells most different expressions apart by their values at a few points. What agrees there
goes to `equal`, in one helper process for each process that asks: a wall-clock deadline kills it,
whatever SymPy is doing, and the next question starts another. So it holds on any thread, in
asyncio, in a forked or spawned worker, without signal handlers.

`guard` bounds what is asked, from the expression alone, so that the deadline is for accidents: a score
never depends on it, and one that fires is an abstention.

Needs math-verify (0.9), in `symbolic_worker`; this module itself only the standard library.
"""

import atexit
import cmath
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..shared.outcome import Abstained, Outcome, Reason
from .trees import Node, Op, TooComplex

__all__ = ["TIMEOUT_SECONDS", "differ", "equal", "guard", "ratio"]

TIMEOUT_SECONDS = 5.0  # for a comparison; starting the helper is not charged
START_SECONDS = 120.0

# --- By value --------------------------------------------------------------------------------

POINTS = 4  # the first half with positive values only
LARGEST = 1e30  # of any value on the way, and
LARGEST_ARGUMENT = (
    1e3  # of a function's argument: what is larger needs more digits than it is worth
)
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda z: 1 / cmath.tan(z),
    "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "ln": cmath.log,
    "abs": abs,
    "floor": lambda z: math.floor(z.real + 1e-9),
    "ceil": lambda z: math.ceil(z.real - 1e-9),
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "i": 1j}


class _NoValueError(ArithmeticError):
    """It is undefined, or out of range."""


def _value(node: Node, point: int) -> complex:
    """The value where every symbol is a number that depends on its name and the point.

    Raises:
        ArithmeticError, ValueError: there is none, or it is out of range.
    """
    if isinstance(node, Fraction):
        value = complex(float(node))
    elif isinstance(node, str):
        seed = zlib.crc32(f"{point}{node}".encode())
        sign = -1 if point >= POINTS // 2 and seed % 2 else 1
        value = complex(_CONSTANTS.get(node, sign * (0.5 + seed % 10007 / 5003)))
    elif node.name == "+":
        value = sum(_value(arg, point) for arg in node.args)
    elif node.name == "*":
        value = math.prod(_value(arg, point) for arg in node.args)
    elif node.name == "^":
        value = complex(_value(node.args[0], point) ** _value(node.args[1], point))
    elif node.name == "root":
        inside, degree = _value(node.args[0], point), _value(node.args[1], point)
        if inside.imag == 0 and inside.real < 0 and degree.real % 2 == 1:
            value = -((-inside) ** (1 / degree))  # the real one
        else:
            value = complex(inside ** (1 / degree))
    else:
        argument = _value(node.args[0], point)
        if abs(argument) > LARGEST_ARGUMENT and node.name not in ("ln", "abs", "arctan"):
            raise _NoValueError
        value = complex(_FUNCTIONS[node.name](argument))
    if not abs(value) < LARGEST:
        raise _NoValueError
    return value


def _values(node: Node) -> dict[int, complex]:
    values = {}
    for point in range(POINTS):
        with contextlib.suppress(ArithmeticError, ValueError):
            values[point] = _value(node, point)
    return values


def differ(a: Node, b: Node) -> bool:
    """True if the values differ at a point where both are defined: then the expressions do.

    Raises:
        TooComplex: there is no such point; with negative values, only real ones count.
    """
    ours, theirs = _values(a), _values(b)
    met = False
    for point in ours.keys() & theirs.keys():
        x, y = ours[point], theirs[point]
        size = max(abs(x), abs(y))
        if point >= POINTS // 2 and max(abs(x.imag), abs(y.imag)) > 1e-9 * size:
            continue
        met = True
        if abs(x - y) > 1e-7 * size and not min(abs(x), abs(y)) < 1e-11 * (1 + size) > size:
            return True
    if not met:
        raise TooComplex("no value of moderate size")
    return False


def ratio(a: Node, b: Node) -> Fraction | None:
    """The simple number k with a = k b at one point, if there is one; for equations a = 0, b = 0."""
    try:
        k = _value(a, 0) / _value(b, 0)
    except (ArithmeticError, ValueError):
        return None
    if not cmath.isfinite(k) or abs(k.imag) > 1e-9 or abs(k) > 1e9:
        return None
    return Fraction(k.real).limit_denominator(1000) or None


# --- By proof --------------------------------------------------------------------------------

MOST_NODES = 160  # of all that is compared
MOST_EXPONENT = 24
MOST_TERMS = 16  # of a polynomial or fraction, after expansion
MOST_DEGREE = 16  # of one
MOST_BITS = 256


def guard(*nodes: Node) -> None:
    """Refuse what could keep the helper busy; a pure function of the expressions.

    Raises:
        TooComplex: with what is too large.
    """
    size = sum(map(_size, nodes))
    if size > MOST_NODES:
        raise TooComplex(f"{size} symbols and numbers")
    for node in nodes:
        _bounded(node)
        if not _rational(node):
            continue  # its values are compared, and nothing is expanded
        if (terms := _terms(node)) > MOST_TERMS:
            raise TooComplex(f"{terms} terms when multiplied out")
        if (degree := _degree(node)) > MOST_DEGREE:
            raise TooComplex(f"degree {degree}")


def _rational(node: Node) -> bool:
    if not isinstance(node, Op):
        return node not in _CONSTANTS
    whole = node.name != "^" or isinstance(node.args[1], Fraction)
    return node.name in ("+", "*", "^") and whole and all(map(_rational, node.args))


def _size(node: Node) -> int:
    return 1 + sum(map(_size, node.args)) if isinstance(node, Op) else 1


def _whole(node: Node) -> int:
    """The absolute value of a whole exponent; 1 for any other."""
    return abs(node.numerator) if isinstance(node, Fraction) and node.denominator == 1 else 1


def _terms(node: Node) -> int:
    if not isinstance(node, Op):
        return 1
    parts = [_terms(arg) for arg in node.args]
    if node.name == "+":
        return sum(parts)
    if node.name == "*":
        return math.prod(parts)
    if node.name == "^":
        return math.comb(parts[0] + _whole(node.args[1]) - 1, parts[0] - 1)
    return max(parts)


def _degree(node: Node) -> int:
    if not isinstance(node, Op):
        return int(isinstance(node, str))
    parts = [_degree(arg) for arg in node.args]
    if node.name == "*":
        return sum(parts)
    if node.name == "^":
        return parts[0] * _whole(node.args[1]) + parts[1]
    return max(parts)


def _bounded(node: Node) -> None:
    if isinstance(node, Fraction):
        if max(node.numerator.bit_length(), node.denominator.bit_length()) > MOST_BITS:
            raise TooComplex(f"a number of more than {MOST_BITS} bits beside symbols or roots")
    if not isinstance(node, Op):
        return
    if node.name == "^":
        if _whole(node.args[1]) > MOST_EXPONENT:
            raise TooComplex(f"an exponent above {MOST_EXPONENT}")
        if "^" in _towers(node.args[1]):
            raise TooComplex("a tower of powers")
    for arg in node.args:
        _bounded(arg)


def _towers(node: Node) -> set[str]:
    """The names of operations in an exponent whose own exponents are no plain numbers."""
    if not isinstance(node, Op):
        return set()
    own = {"^"} if node.name == "^" and not isinstance(node.args[1], Fraction) else set[str]()
    return own.union(*map(_towers, node.args))


def equal(pairs: Iterable[tuple[Node, Node]]) -> bool:
    """Whether every pair (reference, answer) is equal: to a hundred digits, and by math-verify.

    Raises:
        Abstained: `timed_out`, or `worker_died`; nothing was measured.
    """
    question = json.dumps([[_plain(gold), _plain(answer)] for gold, answer in pairs])
    return _helper.ask(question)


def _plain(node: Node) -> Any:
    if isinstance(node, Fraction):
        return [node.numerator, node.denominator]
    return node if isinstance(node, str) else [node.name, *map(_plain, node.args)]


class _Helper:
    """The process that verifies, started when first asked and after it was killed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # one question at a time
        self.process: subprocess.Popen[str] | None = None

    def ask(self, question: str) -> bool:
        with self.lock:
            for _ in range(2):  # again if it died before it could answer, perhaps long ago
                process = self.process or self.start()
                reply = self.exchange(process, question, TIMEOUT_SECONDS)
                if reply:
                    return bool(json.loads(reply))
        detail = "the helper process died twice over one comparison"
        raise Abstained(Outcome(None, Reason.WORKER_DIED, detail))

    def start(self) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("symbolic_worker.py")
        self.process = subprocess.Popen(  # noqa: S603 - a file of this chapter, no shell
            [sys.executable, "-P", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.exchange(self.process, "", START_SECONDS) != "ready\n":
            detail = "the helper process did not start: is math-verify installed?"
            raise Abstained(Outcome(None, Reason.WORKER_DIED, detail))
        return self.process

    def exchange(self, process: subprocess.Popen[str], question: str, seconds: float) -> str:
        """Return the reply; "" if the process died. A process that is late is killed."""
        assert process.stdin
        assert process.stdout
        start = time.monotonic()
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            if question:
                process.stdin.write(question + "\n")
                process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = ""
        finally:
            timer.cancel()
        late = time.monotonic() - start >= seconds
        if late or not reply:
            self.stop()
        if late:  # a reply that crossed with the kill does not count either
            raise Abstained(Outcome(None, Reason.TIMED_OUT, f"no verdict in {seconds:g} s"))
        return reply

    def stop(self) -> None:
        process, self.process = self.process, None
        if process:
            process.kill()
            process.communicate()

    def forget(self) -> None:
        """After a fork: the process, and whoever holds the lock, belong to the parent."""
        if self.process and self.process.stdin and self.process.stdout:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.returncode = 0  # not ours to wait for
        self.__init__()  # type: ignore[misc]


_helper = _Helper()
atexit.register(_helper.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helper.forget)
