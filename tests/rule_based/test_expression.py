r"""The grammar: what is read and into what, what is dropped, and what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.rule_based.expression import read
from examples.rule_based.trees import Op, TooComplex, Unreadable


@pytest.mark.parametrize(
    ("text", "number"),
    [(r"\frac12", "1/2"), (r"\frac{1}{2}", "1/2"), (r"1\frac12", "3/2"), ("2 1/2", "5/2"), ("2½", "5/2"), ("2又1/2", "5/2"),
     (r"0.1\overline{6}", "1/6"), ("100,200", "100200"), ("七十二个", "72"), ("3.5 million", "3500000"), ("二分之一", "1/2"),
     ("3千克", "3"), (r"\sqrt[3]{-8}", "-2"), ("8^{-1/3}", "1/2"), ("2^2^3", "256"), (r"\binom{5}{2}", "10"), ("5!", "120"),
     ("2(3)(4)", "24"), (r"25\%", "25"), (r"90^\circ", "90"), ("1,234.50", "2469/2"), ("3=3", "3"), ("9 + 9 = 18", "18")],
)  # fmt: skip
def test_a_number_is_read_exactly(text: str, number: str) -> None:
    assert read(text) == Fraction(number)


@pytest.mark.parametrize(
    ("text", "same"),
    [("xy^2", r"x \cdot y^{2}"), ("2x", "x*2"), (r"\frac xy", "x/y"), ("√2", "2^{1/2}"), ("x²", "x**2"), (r"\sin^{-1} x", "arcsin(x)"),
     (r"\sin 30^\circ", r"\sin \frac{\pi}{6}"), (r"\log_{2} 8", r"\frac{\ln 8}{\ln 2}"), (r"\lg x", r"\log_{10} x"), ("P(1, 2)", "(1, 2)"),
     (r"\left\langle 1, 2 \right\rangle", "(1, 2)"), (r"1 \pm x", "1 + x, 1 - x"), ("3:2", "6 to 4"), ("|x| < 1", "-1 < x < 1"),
     ("3 > x", "x < 3"), (r"x \ne 2", "x < 2 or x > 2"), ("1 < x and x < 3", "1 < x < 3"), (r"\{x \mid x > 2\}", r"(2, \infty)"),
     (r"\mathbb{R} \setminus \{1\}", r"(-\infty, 1) \cup (1, \infty)"), ("{1, 2}", r"\{1, 2, 1\}"), ("9 chickens and 10 rabbits", "9, 10")],
)  # fmt: skip
def test_what_is_the_same_is_the_same_tree(text: str, same: str) -> None:
    assert read(text) == read(same)


@pytest.mark.parametrize(
    ("text", "name"),
    [("(1, 2)", "tuple"), ("(100,200)", "tuple"), ("[1, 2)", "tuple"), ("1, 2", "list"), ("x = 1 or x = 2", "list"), (r"\{1, 2\}", "set"),
     (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "matrix"), (r"(1, 2) \cup [3, 4]", "union"), (r"x \in (1, 2)", "in"), ("x < 3", "in"),
     ("x + y < 3", "<"), ("x + y <= 3", "<="), ("x + y > 3", "<"), ("x + y != 3", "!="), ("y = 2x", "="), ("1:2", "ratio"), ("10_2", "base"),
     ("1A2_{16}", "base"), (r"\begin{cases} x = 1 \\ y = 2 \end{cases}", "list")],
)  # fmt: skip
def test_a_structure_is_kept(text: str, name: str) -> None:
    tree = read(text)
    assert isinstance(tree, Op)
    assert tree.name == name


def test_in_brackets_a_comma_separates() -> None:
    assert read("(100,200)") == Op("tuple", ("()", Fraction(100), Fraction(200)))
    assert read("1 < x <= 2") == Op("in", ("x", Op("tuple", ("(]", Fraction(1), Fraction(2)))))


VALUES = ["4", "-4", r"\frac{4}{3}", "4x = 8", "(1, 2)", r"\sqrt{2}"]


@pytest.mark.parametrize(
    "label",
    ["f(x)", "f'(x)", "g(x + 1)", "P(X=2)", "dy/dx", r"\frac{dy}{dx}", "the total cost", "Cost", "长", "面积", "x1", r"\max"],
)  # fmt: skip
def test_a_label_is_a_name(label: str) -> None:
    assert read(f"{label} = 4/3") == Op("=", (label, Fraction(4, 3)))
    assert read(f"{label}: 4/3") == Op("=", (label, Fraction(4, 3)))


@pytest.mark.parametrize(
    "text", ["AB = 5", "x(x+1) = 5", "y(y+1) = 5", "a(b+1) = 5", r"\sin x = 5", "2x + 3 = 5"]
)
def test_an_expression_is_no_label(text: str) -> None:
    tree = read(text)
    assert isinstance(tree, Op)
    assert isinstance(tree.args[0], Op)


@pytest.mark.parametrize("text", ["not a = 5", "the wrong answer = 5", "不是长 = 5", "若长 = 5"])
def test_a_word_that_denies_is_no_label(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "condition",
    [" when y = 5", ", when y > 5", " if y \\ne 0", "; at y = 5 and z = 6", " (attained at y = 5)", "，此时y=5", "，当且仅当y=5时取等号"],
)  # fmt: skip
def test_a_condition_is_read_and_dropped(value: str, condition: str) -> None:
    assert read(value + condition) == read(value)


def test_a_condition_may_come_first() -> None:
    assert read("当x=5时，最大值为4") == Fraction(4)
    assert read("when x = 5, 4") == 4


@pytest.mark.parametrize(
    "text", ["4 when hungry", "4 when 5", "4 when", "4 if x > 5, 3 if x < 5", "4 when x = 5 and 6"]
)
def test_what_is_no_condition_is_not_dropped(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize(
    "text", ["72 (approximately)", "72 eggs (that is, six dozen)", "七十二个(48+24)", "七十二(72)", "72 (x = 5)", "72 (48 + 24)"]
)  # fmt: skip
def test_an_aside_in_brackets_is_dropped(text: str) -> None:
    assert read(text) == 72


@pytest.mark.parametrize(
    "text",
    ["72 (or 73)", "72 (base 8)", "72 (mod 7)", "72 (wrong)", "72(不对)", "72 eggs (maybe)", "5 6", "--5", "", "(", "1/", "2^", "(1, 2", "(1)]",
     "1/0", "1 = 2", "x = 1 = 2", "2(1, 2)", "(1, 2) + 3", "(1, 2)^2", r"\{1, 2", "1 < x > 2", "or 5", r"\foo", "不是5", "5 hours 30 minutes",
     r"\begin{pmatrix} 1 & 2 \\ 3 \end{pmatrix}", "x:2", "__import__('os')"],
)  # fmt: skip
def test_what_is_no_answer_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize(
    "text",
    ["1" * 601, "(" * 17 + "1" + ")" * 17, "{" * 17 + "1" + "}" * 17, "9^{9999}", "9^9^9", "1e9999", "101!", "x!", r"\binom{2000}{2}",
     r"\sqrt[101]{2}", "2^{1/101}", "x^y^z", "1+" * 200 + "1", r"\sum_{n=1}^{9} n", r"\int x", r"\lim x", r"\prod k"],
)  # fmt: skip
def test_what_would_cost_too_much_is_refused(text: str) -> None:
    with pytest.raises(TooComplex):
        read(text)


PIECES = st.sampled_from(
    r"""\frac|\frac12|\sqrt|\sqrt[|{|}|(|)|[|]|\{|\}|^|_|'|1|2|12|0|x|y|f(x)|e|i|\pi|\infty|+|-|*|/|!|%|=|<|\le|>|\in|\ne|,|;| or | and |\pm|\cup|U
    |\setminus|\mathbb{R}|\sin|\log|\log_|\lim|\begin{pmatrix}|\end{pmatrix}|\begin{cases}|\end{cases}|&|\\| when |当|时|此时|，|元|个|七十|分之|又|负|或|½
    |3.5 million| km| eggs|:| to |\mid|\lfloor|\rfloor|\text{ cm}|^\circ|\overline{|.| |$|(approx)|(x = 1)|the total = |P(X=2) = |长 = |\emptyset|100,200|²""".replace(
        "\n    ", ""
    ).split("|")
) | st.just("|")


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=60))
@settings(max_examples=400)
def test_any_text_is_read_or_refused_and_always_the_same(text: str) -> None:
    try:
        tree = read(text)
    except (Unreadable, TooComplex) as error:
        with pytest.raises(type(error)):
            read(text)
    else:
        assert read(text) == tree
