"""Numbers as people write them, exactly."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples.shared.numerals import MOST_DIGITS, chinese_number, read_number


@given(st.integers(0, 10**15))
def test_digits_in_groups_of_three(n: int) -> None:
    for text in (
        f"{n}",
        f"{n:,}",
        f"{n:,}".replace(",", "{,}"),
        f"{n:,}".replace(",", "\u2009"),
        f"{n}.00",
    ):
        assert read_number(text) == n


@given(st.decimals(0, 10**6, places=4, allow_nan=False, allow_infinity=False))
def test_decimals_are_exact(d: object) -> None:
    assert read_number(f"{d:f}") == Fraction(f"{d:f}")


def chinese(n: int) -> str:
    """Write 0 to 99,999,999 as Chinese numerals; independent of the grader's reading."""
    if n >= 10_000:
        rest = n % 10_000
        gap = "零" if 0 < rest < 1000 else ""
        return chinese(n // 10_000) + "万" + (gap + chinese(rest) if rest else "")
    text = ""
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, n = divmod(n, size)
        if digit:
            text += "零一二三四五六七八九"[digit] + unit
        elif text and n and not text.endswith("零"):
            text += "零"
    return text.removeprefix("一") if text.startswith("一十") else text or "零"


@given(st.integers(0, 99_999_999))
@example(100_010)
@example(20_000_010)
def test_chinese_numerals(n: int) -> None:
    assert chinese_number(chinese(n)) == n
    assert read_number(chinese(n)) == n


@pytest.mark.parametrize(
    ("text", "number"),
    [("一百二", 120), ("三千五", 3500), ("三万亿", 3 * 10**12), ("一亿两千万", 120_000_000), ("3万5千", 35_000),
     ("1.2亿", 120_000_000), ("二〇二四", 2024), ("三点五", Fraction(7, 2)), ("二分之一", Fraction(1, 2)),
     ("二又三分之一", Fraction(7, 3)), ("百分之二十五", 25), ("柒拾贰", 72), ("½", Fraction(1, 2)),
     ("1.2e3", 1200), ("5e-2", Fraction(1, 20)), ("3.5 million", 3_500_000), ("2 hundred", 200)],
)  # fmt: skip
def test_scales_and_fractions(text: str, number: Fraction) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "七八十",
        "两三百",
        "12,34",
        "1,2345",
        "1.2.3",
        "",
        "百",
        "万",
        "x",
        "一二",
        "1e99999",
        "9" * (MOST_DIGITS + 1),
        "零分之三",
    ],
)
def test_what_is_no_single_number(text: str) -> None:
    assert read_number(text) is None


@given(st.text(alphabet="零〇一二两三十百千万亿点又分之0123456789.,eE½-+ "))
def test_any_text_is_a_number_or_none(text: str) -> None:
    number = read_number(text)
    assert number is None or number >= 0
