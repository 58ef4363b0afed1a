r"""Symbols: which there are, that none is lost, and that reading leaves the text as it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.rule_based.scanner import SPACE, Scanner, Token, prepared
from examples.rule_based.trees import TooComplex, Unreadable
from examples.rule_based.units import UPRIGHT

PIECES = st.sampled_from(
    r"""\frac \sqrt { } ( ) [ ] ^ _ 1 23 100,200 0.5 x y xy km the sqrt pi + - * ** / = <= < , ; $ \text{m} \text{ cm} \left \right \\ & | !
    \begin{pmatrix} \end{pmatrix} \begin{cases} \{ \} \, ~ ² ₁ √ ± 个 七十二 或 当 时 ， ½ million 1A2_{16} \dfrac \mathbb{R} \quad""".split()
)  # fmt: skip
TEXTS = st.lists(PIECES | st.just(" "), max_size=20).map("".join) | st.text(max_size=40)


def tokens(scanner: Scanner) -> list[Token]:
    found = []
    while scanner.peek().kind != "end of text":
        found.append(scanner.next()._replace(match=None))  # matches are never equal
    return found


def texts(text: str) -> str:
    """The symbols of a text, with a bar between them."""
    return "|".join(token.text for token in tokens(Scanner(prepared(text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("xy^2", "x|y|^|2"),
        (r"\dfrac12", "frac|12"),
        ("sqrt(2)", "sqrt|(|2|)"),
        ("9 chickens", "9|chickens"),
        ("abc", "a|b|c"),
        ("red abc", "red|abc"),  # beside another word
        (r"3\text{ km}", "3|km"),
        (r"\left( 1 \right]", "(|1|]"),
        (r"$5\,$", "5"),
        ("x²y₁₀", "x|^|{|2|}|y|_|{|10|}"),
        ("2×√3÷π", "2|*|sqrt|3|/|pi"),
        ("1 x 10^5", "1|*|10|^|5"),
        ("5 x 2", "5|x|2"),
        ("x**2 >= 1", "x|**|2|>=|1"),
        ("1A2_{16}", "1A2|_|{|16|}"),
        ("七十二个", "七十二|个"),
        ("5或6", "5|or|6"),
        ("3.5 million", "3.5 million"),
        (r"\begin{bmatrix}1\\2\end{bmatrix}", r"matrix|1|\\|2|\end{bmatrix}"),
        (r"\begin{array}{cc}1", "matrix|1"),
        ("", ""),
    ],
)
def test_the_symbols_of_a_text(text: str, expected: str) -> None:
    assert texts(text) == expected


def test_a_short_word_set_upright_is_marked() -> None:
    assert prepared(r"5\text{ m}").split() == ["5", UPRIGHT + "m"]
    assert prepared(r"5\mathrm{km}").split() == ["5", "km"]
    assert prepared("5 m") == "5 m"


def test_inside_brackets_a_comma_groups_no_digits() -> None:
    scanner = Scanner("100,200")
    assert scanner.peek().text == "100,200"
    scanner.brackets += 1
    assert [token.text for token in tokens(scanner)] == ["100", ",", "200"]


def test_one_digit_can_be_taken_of_a_number() -> None:
    scanner = Scanner(r"\frac12x")
    scanner.next()
    assert (scanner.digit(), scanner.digit(), scanner.digit()) == ("1", "2", "")
    assert scanner.next().text == "x"


def test_what_is_accepted_is_read_and_what_is_not_stays() -> None:
    scanner = Scanner("(x)")
    assert not scanner.accept(")", "[")
    assert scanner.accept("[", "(")
    assert not scanner.accept("x")  # a name is never punctuation
    with pytest.raises(Unreadable, match="missing before 'x'"):
        scanner.expect(")")
    assert scanner.peek().text == "x"
    assert scanner.peek(1).text == ")"


@given(TEXTS)
@settings(max_examples=150)
def test_a_text_is_not_changed_while_it_is_read(text: str) -> None:
    text = prepared(text)
    scanner = Scanner(text)
    first = tokens(scanner)
    scanner.at = 0
    assert tokens(scanner) == first == tokens(Scanner(text))
    assert scanner.text == text


@given(TEXTS)
@settings(max_examples=150)
def test_nothing_but_space_is_skipped(text: str) -> None:
    text = prepared(text)
    end = 0
    for token in tokens(Scanner(text)):
        gap = text[end : token.start]
        assert not gap or SPACE.fullmatch(gap)
        assert token.spaced == bool(gap)
        assert token.start < token.end
        end = token.end
    assert not text[end:] or SPACE.fullmatch(text[end:])


def test_a_text_of_too_many_symbols_is_refused() -> None:
    with pytest.raises(TooComplex, match="symbols"):
        tokens(Scanner("1+" * 300))
    assert len(tokens(Scanner("1+" * 100))) == 200
