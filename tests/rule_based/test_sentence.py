"""The result that a sentence states: the one number right behind a verb, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based.sentence import result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In 3 days she makes 18 dollars a day because 9 * 2 = 18", "18 dollars a day"),
        ("买3件一共要付288元", "288元"),
        ("Tom has 3 and Ann has 18", ""),
        ("she does not make 18", ""),
        ("可能有18个", ""),
    ],
)
def test_the_result_of_a_sentence(text: str, expected: str) -> None:
    assert result(text) == expected


@given(st.text())
def test_a_result_is_a_part_of_its_sentence(text: str) -> None:
    assert result(text) in text


@given(st.integers(2, 999), st.integers(2, 999))
def test_of_two_results_none_is_read(a: int, b: int) -> None:
    assert result(f"Tom has {a} and Ann has {b}") == ""
