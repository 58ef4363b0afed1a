r"""The worker: values to a hundred digits, polynomials by proof, and names that are never parsed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mpmath
import pytest
import sympy

from examples.rule_based import symbolic_worker
from examples.rule_based.symbolic_worker import DIGITS, agree, build, equal

ZERO, ONE, TWO, MINUS = [0, 1], [1, 1], [2, 1], [-1, 1]
SQUARE = ["^", ["+", "x", ONE], TWO]
EXPANDED = ["+", ["^", "x", TWO], ["*", TWO, "x"], ONE]
CODE = "__import__('os').system('touch pwned')"


@pytest.fixture(autouse=True)
def digits() -> Iterator[None]:
    """As the worker sets them."""
    with mpmath.workdps(DIGITS + 15):
        yield


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([3, 4], ["*", [3, 2], [1, 2]]),
        (["root", [8, 1], TWO], ["*", TWO, ["root", TWO, TWO]]),
        (["root", [-8, 1], [3, 1]], [-2, 1]),  # the real one
        (["root", [-4, 1], TWO], ["*", TWO, "i"]),
        (["sin", ["*", "pi", [1, 6]]], [1, 2]),
        (["ln", ["^", "e", TWO]], TWO),
        (["^", "e", ["*", "i", "pi"]], MINUS),
        (["floor", ["*", "pi", TWO]], [6, 1]),
        (["+", ["^", ["sin", "x"], TWO], ["^", ["cos", "x"], TWO]], ONE),
        (SQUARE, EXPANDED),
        (["*", "a", ["^", "b", MINUS]], ["^", ["*", "b", ["^", "a", MINUS]], MINUS]),
    ],
)
def test_equal_trees_agree_and_are_equal(one: Any, other: Any) -> None:
    assert agree(one, other)
    assert equal(one, other)
    assert equal(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 3], [333333333, 1000000000]),
        (ZERO, ONE),
        ("x", "y"),
        (SQUARE, ["^", "x", TWO]),
        (["abs", "x"], "x"),  # told apart by a negative value
        (["root", ["^", "x", TWO], TWO], "x"),
        (["sin", "x"], ["cos", "x"]),
        ("pi", [314159265358979, 10**14]),
    ],
)
def test_different_trees_do_not_agree(one: Any, other: Any) -> None:
    assert not agree(one, other)
    assert not equal(one, other)


def test_what_differs_in_the_fiftieth_digit_differs() -> None:
    assert not agree("pi", ["+", "pi", [1, 10**50]])
    assert agree("pi", ["+", "pi", [1, 10**120]])


def test_what_agrees_at_every_point_is_equal_only_by_proof() -> None:
    near = ["+", "x", [1, 10**120]]
    assert agree("x", near)
    assert not equal("x", near)


def test_what_has_no_value_anywhere_agrees_with_nothing() -> None:
    pole = ["^", ["+", "x", ["*", MINUS, "x"]], MINUS]
    assert not agree(pole, pole)
    assert not equal(pole, pole)


def test_a_tree_is_built_node_by_node() -> None:
    x = sympy.Symbol("x", real=True)
    assert build(EXPANDED) == x**2 + 2 * x + 1
    assert build([3, 6]) == sympy.Rational(1, 2)


def test_no_text_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (CODE, "x+1", "1", "Integer(1)"):
        assert build(name) == sympy.Symbol(name, real=True)
        assert equal(["+", name, ONE], ["+", ONE, name])
        assert not equal(name, ["+", "x", ONE])
        assert not equal(name, ONE)
    assert not list(tmp_path.iterdir())


def test_a_line_is_answered_by_a_line(tmp_path: Path) -> None:
    questions = [
        [[SQUARE, EXPANDED]],
        [[SQUARE, EXPANDED], [ONE, TWO]],
        [],
        [[CODE, "x"]],
        [[["root", [8, 1], TWO], ["*", TWO, ["root", TWO, TWO]]]],
    ]
    result = subprocess.run(
        [sys.executable, "-P", str(symbolic_worker.__file__)],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=True,
    )
    assert result.stdout.split() == ["ready", "true", "false", "true", "false", "true"]
    assert not list(tmp_path.iterdir())
