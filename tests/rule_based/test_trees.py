r"""Trees: exact arithmetic in a fixed order, sets, relations, names, and the bounds of it all."""

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based.trees import (
    REALS,
    Node,
    Op,
    TooComplex,
    Unreadable,
    add,
    binomial,
    divide,
    factorial,
    has_symbols,
    is_name,
    is_tuple,
    is_whole,
    listed,
    multiply,
    named,
    negative,
    power,
    related,
    root,
    sized,
    symbols,
    unique,
    united,
    without,
)

ONE, TWO, THREE = Fraction(1), Fraction(2), Fraction(3)
PAIR = Op("tuple", ("()", ONE, TWO))
NUMBERS = st.fractions(min_value=-99, max_value=99, max_denominator=99)
NODES = NUMBERS | st.sampled_from(["x", "y", "pi", Op("sin", ("x",)), Op("^", ("x", TWO))])


def span(brackets: str, low: Node, high: Node) -> Op:
    return Op("tuple", (brackets, low, high))


@given(NUMBERS, NUMBERS)
def test_numbers_are_computed_exactly(a: Fraction, b: Fraction) -> None:
    assert add(a, b) == a + b
    assert multiply(a, b) == a * b
    assert negative(a) == -a
    assert power(a, TWO) == a * a
    assert root(power(a, THREE), THREE) == a
    assert root(power(a, TWO), TWO) == abs(a)
    if b:
        assert divide(a, b) == a / b


@given(NODES, NODES, NODES)
def test_sums_and_products_have_no_order_and_no_brackets(a: Node, b: Node, c: Node) -> None:
    for combine in (add, multiply):
        assert combine(a, combine(b, c)) == combine(combine(c, a), b) == combine(a, b, c)
    assert add(a, Fraction(0)) == multiply(a, ONE) == power(a, ONE) == a
    assert multiply(a, Fraction(0)) == 0


def test_what_is_not_rational_is_kept() -> None:
    assert root(TWO, TWO) == power(TWO, Fraction(1, 2)) == Op("root", (TWO, TWO))
    assert root(Fraction(-4), TWO) == Op("root", (Fraction(-4), TWO))
    assert root(Fraction(8, 27), THREE) == Fraction(2, 3)


def test_a_matrix_can_be_multiplied_by_a_number() -> None:
    matrix = Op("matrix", (Op("row", (ONE, "x")),))
    assert multiply(TWO, matrix) == Op("matrix", (Op("row", (TWO, multiply(TWO, "x"))),))


@pytest.mark.parametrize("combine", [add, multiply, power, divide, root])
def test_there_is_no_arithmetic_with_tuples(combine: Callable[[Node, Node], Node]) -> None:
    for other in (TWO, "x", PAIR):
        with pytest.raises(Unreadable, match="arithmetic with a tuple"):
            combine(PAIR, other)


def test_there_is_no_division_by_zero() -> None:
    for impossible in (lambda: divide(ONE, Fraction(0)), lambda: power(Fraction(0), Fraction(-2))):
        with pytest.raises(Unreadable, match="division by zero"):
            impossible()


def test_numbers_have_a_bounded_size() -> None:
    large = Fraction(2) ** 4000
    for beyond in (lambda: multiply(large, large), lambda: power(TWO, Fraction(5000)), lambda: factorial(Fraction(101)),
                   lambda: add(divide(ONE, large), Fraction(1, 3**2000)), lambda: factorial("x"), lambda: sized(large**2),
                   lambda: binomial(Fraction(2000), TWO), lambda: root(TWO, Fraction(101)), lambda: power(TWO, Fraction(1, 101))):  # fmt: skip
        with pytest.raises(TooComplex):
            beyond()
    assert sized(large) == large


@given(st.integers(0, 30), st.integers(0, 30))
def test_factorials_and_binomials(n: int, k: int) -> None:
    assert factorial(Fraction(n)) == math.factorial(n)
    if k <= n:
        assert binomial(Fraction(n), Fraction(k)) == math.comb(n, k)


def test_a_list_in_a_list_is_one_list() -> None:
    assert listed([listed([ONE, TWO]), THREE]) == Op("list", (ONE, TWO, THREE))
    assert listed([ONE]) == ONE
    assert unique([TWO, ONE, TWO]) == [TWO, ONE]
    assert is_tuple(PAIR)
    assert not is_tuple(span("[]", ONE, TWO))
    assert is_whole(TWO)
    assert not is_whole(Fraction(1, 2))


def test_an_inequality_of_one_symbol_is_an_interval() -> None:
    low = REALS.args[1]
    assert related(["x", ONE], ["<"]) == related([ONE, "x"], [">"]) == Op("in", ("x", span("()", low, ONE)))  # fmt: skip
    assert related(["x", ONE], [">="]) == Op("in", ("x", span("[)", ONE, "infty")))
    assert related([ONE, "x", TWO], ["<", "<="]) == Op("in", ("x", span("(]", ONE, TWO)))
    assert related(["x", ONE], ["!="]) == Op("in", ("x", without([ONE])))
    assert related([Op("abs", ("x",)), ONE], ["<="]) == Op("in", ("x", span("[]", -ONE, ONE)))
    assert related([add("x", "y"), ONE], ["<"]) == Op("<", (add("x", "y"), ONE))


def test_a_chain_of_equations_says_its_last_side() -> None:
    assert related(["x", "y", ONE], ["=", "="]) == Op("=", ("x", ONE))
    assert related([TWO, TWO], ["="]) == TWO
    assert related([TWO], []) == TWO


@pytest.mark.parametrize(
    ("sides", "signs"),
    [([ONE, TWO], ["="]), (["x", ONE, TWO], ["=", "="]), (["x", "y", add("x", ONE)], ["=", "="]), ([ONE, "x", TWO], ["<", ">"]),
     ([ONE, "x", TWO], ["<", "="]), (["x", ONE, TWO, THREE], ["<"] * 3), ([ONE, add("x", "y"), TWO], ["<", "<"])],
)  # fmt: skip
def test_a_chain_that_says_nothing_clear_is_unreadable(sides: list[Node], signs: list[str]) -> None:
    with pytest.raises(Unreadable):
        related(sides, signs)


def test_inequalities_are_united() -> None:
    low, high = related(["x", TWO], ["<"]), related(["x", ONE], [">"])
    assert isinstance(low, Op)
    assert isinstance(high, Op)
    assert united([low, high], {"and"}) == Op("in", ("x", span("()", ONE, TWO)))
    assert united([low, high], {"or"}) == Op("in", ("x", Op("union", (low.args[1], high.args[1]))))
    assert united([span("[)", ONE, TWO), span("(]", TWO, THREE)], {","}) == Op("union", (span("[)", ONE, TWO), span("(]", TWO, THREE)))  # fmt: skip
    assert united([PAIR, PAIR], {"or"}) == Op("list", (PAIR, PAIR))  # may be points
    with pytest.raises(Unreadable):
        united([related(["x", ONE], ["<"]), related(["x", TWO], [">"])], {"and"})
    with pytest.raises(Unreadable):
        without(["x"])


def test_what_stands_for_an_unknown_is_a_name() -> None:
    product, function, pair = multiply("A", "B"), Op("cos", ("A",)), Op("tuple", ("()", "x", "y"))
    for name in ("x", "f(x)", product, pair):
        assert is_name(name)
    for node in (add("x", "y"), power("A", -ONE), function):
        assert not is_name(node)
        assert is_name(node, liberal=True)
    for node in ("pi", "e", TWO, add(multiply(TWO, "x"), THREE), multiply(TWO, "x"), PAIR):
        assert not is_name(node, liberal=True)
    assert symbols(function) == {"A"}
    assert has_symbols(function)
    assert not has_symbols(multiply("pi", "e", "i", "infty"))


def test_a_name_says_what_stands_behind_it() -> None:
    assert named(Op("=", ("x", TWO))) == named(Op("=", (TWO, "x"))) == TWO
    assert named(Op("list", (Op("=", ("x", Op("set", (TWO,)))),))) == TWO
    equation = Op("=", (add("x", "y"), TWO))
    assert named(equation) == TWO
    assert named(equation, liberal=False) == equation
    for node in (Op("=", (multiply(TWO, "x"), TWO)), Op("list", (ONE, TWO)), PAIR, "x"):
        assert named(node) == node
