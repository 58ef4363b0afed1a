r"""What is dropped behind a value, and that what means something to the grammar never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based.units import RESERVED, UPRIGHT, is_unit, is_word, unit_end

# Of Chinese, each character that changes what the number before it says.
RESERVED_CHINESE = "不没无未非或和与且及并是为约到至多余几半以之左右上下内外加减乘除的数百千万亿"
NEVER_FIRST = {"of", "in", "for", "on", "at", "over", "with", "from", "after", "during", "across"}
NEVER_FIRST |= {"along", "among", "squared", "cubed"}


def rest(text: str, nouns: bool = True) -> str:
    """What is left behind the number at the beginning and its unit."""
    at = len(text) - len(text.lstrip("0123456789"))
    return text[unit_end(text, at, nouns) :]


@pytest.mark.parametrize(
    "unit",
    [" cm", " cm^2", "cm^{3}", " m^2", f" {UPRIGHT}m", " km/h", " chickens", " dollars a day", " eggs each",
     " eggs over 2 days", " in total", " of them", " o'clock", "%", r"\%", "$", " ℃", r"^\circ", r"\degree C", "个", "个发夹",
     "元/天", "千克", "平方厘米", " people per square mile"],
)  # fmt: skip
def test_a_unit_is_dropped(unit: str) -> None:
    assert rest("18" + unit) == ""
    assert rest("18" + unit + " when x = 5").lstrip() == "when x = 5"


@pytest.mark.parametrize("unit", [" cm", " km/h", " m^2", "个", "%", r"^\circ"])
def test_behind_a_symbol_a_unit_is_an_abbreviation(unit: str) -> None:
    assert rest("18" + unit, nouns=False) == ""


def test_behind_a_symbol_a_noun_is_no_unit() -> None:
    assert rest("18 chickens", nouns=False) == " chickens"


@pytest.mark.parametrize("text", [" x", " m", "m", " xy", ".", " 19", " + 1", "(2)", "", " in", " of course", " squared cm"])  # fmt: skip
def test_what_is_no_unit_is_left(text: str) -> None:
    assert rest("18" + text) == text


def test_a_word_that_joins_is_left_unless_something_follows() -> None:
    assert rest("18 dollars per") == " per"
    assert rest("18 eggs from") == " from"
    assert rest("18 eggs from hens") == ""


def test_a_reserved_word_is_never_a_unit() -> None:
    for word in RESERVED:
        assert is_word(word)
        for written in (word, word.capitalize(), word.upper()):
            assert rest(f"18 {written}") == f" {written}"
            assert rest(f"18 {written} cm") == f" {written} cm"
            assert rest(f"18 eggs {written} hens") == f" {written} hens"


def test_the_words_that_make_another_number_are_reserved() -> None:
    words = "or not and than least dozen half thirds plus minus base sqrt pi sin wrong"
    assert set(words.split()) <= RESERVED


def test_a_word_that_denies_is_no_unit() -> None:
    assert rest("18 isn't") == " isn't"
    assert rest("18 eggs don’t") == " don’t"


def test_a_reserved_character_is_never_a_unit() -> None:
    for character in RESERVED_CHINESE:
        assert rest(f"72{character}个") == f"{character}个"
        assert rest(f"72个{character}") == character


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9))
def test_any_other_word_is_a_unit(word: str) -> None:
    kept = word in RESERVED or word in NEVER_FIRST
    assert rest(f"18 {word}") == (f" {word}" if kept else "")
    assert is_word(word)


@given(
    st.lists(st.sampled_from("eggs hens a per of in 2 cm / % 个".split()), max_size=6),
    st.sampled_from(sorted(RESERVED)),
)
def test_a_unit_ends_before_a_reserved_word(words: list[str], reserved: str) -> None:
    before = " ".join(["18", *words])
    assert rest(f"{before} {reserved} 3").endswith(f" {reserved} 3")


@given(st.text(max_size=40) | st.text("18 eggs个/%^$\\", max_size=40), st.integers(0, 40))
def test_a_unit_ends_in_the_text_and_not_before_it_begins(text: str, at: int) -> None:
    at = min(at, len(text))
    assert at <= unit_end(text, at) <= len(text)


def test_a_short_word_set_upright_is_a_unit_and_no_symbol() -> None:
    assert is_unit(UPRIGHT + "m")
    assert not is_unit("m")
    assert is_unit("Km")
    assert is_word("km")
    assert is_word("of")
    assert not is_word("xy")
    assert not is_word("a")
