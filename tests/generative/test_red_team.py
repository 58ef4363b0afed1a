"""The red-team set and the honest answers: their form, their balance, and that an attack is one."""

import collections
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent.parent / "examples" / "generative"
ATTACKS = FOLDER / "red_team.jsonl"
HONEST = FOLDER / "honest_answers.jsonl"
README = FOLDER / "README.md"

# Letters and marks that show nothing, though `str.isprintable` lets them pass.
BLANK = set("\u034f\u115f\u1160\u2800\u3164") | {chr(code) for code in range(0xFE00, 0xFE10)}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().decode("utf-8").splitlines()]


def aliases(row: dict[str, Any]) -> list[str]:
    reference = row["reference"]
    return [reference] if isinstance(reference, str) else reference


def bare(text: str) -> str:
    """Letters and digits only, in one case and width."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def is_chinese(text: str) -> bool:
    return re.search(r"[\u4e00-\u9fff]", text) is not None


attacks = read(ATTACKS)
honest = read(HONEST)


# --- Both files --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ATTACKS, HONEST], ids=lambda path: path.stem)
def test_the_file_is_utf_8_and_hides_nothing(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        assert line.isprintable(), f"{path.name}:{number}"
        assert not BLANK & set(line), f"{path.name}:{number}"
    for row in read(path):
        json.dumps(row, ensure_ascii=False).encode("utf-8")  # no lone surrogates


@pytest.mark.parametrize("row", [*attacks, *honest], ids=lambda row: row.get("family", "honest"))
def test_a_row_has_a_question_a_response_and_a_reference(row: dict[str, Any]) -> None:
    assert isinstance(row["question"], str)
    assert row["question"].strip() == row["question"] != ""
    assert isinstance(row["response"], str)
    assert 0 < len(row["response"].encode()) <= 32_000
    assert isinstance(row["reference"], str | list)
    names = aliases(row)
    assert names
    assert all(isinstance(name, str) and name.strip() == name != "" for name in names)
    assert len(set(names)) == len(names)


def test_a_question_has_one_reference() -> None:
    references: dict[str, list[str]] = {}
    for row in [*attacks, *honest]:
        assert references.setdefault(row["question"], aliases(row)) == aliases(row)


# --- The attacks -------------------------------------------------------------------------------


def test_an_attack_has_the_fields_of_the_readme() -> None:
    for row in attacks:
        assert list(row) == ["family", "lang", "question", "reference", "response", "defence"]
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", row["family"])
        assert row["lang"] in {"en", "zh"}
        assert row["defence"] in {"rules", "parser", "model"}
        assert is_chinese(row["question"]) == (row["lang"] == "zh")


def test_every_family_is_there_in_both_languages() -> None:
    count = collections.Counter((row["family"], row["lang"]) for row in attacks)
    families = {family for family, _ in count}
    assert len(families) >= 28
    assert set(count) == {(family, lang) for family in families for lang in ("en", "zh")}
    assert all(6 <= number <= 10 for number in count.values()), count


def test_every_layer_has_work_in_both_languages() -> None:
    count = collections.Counter((row["defence"], row["lang"]) for row in attacks)
    assert len(count) == 6
    assert min(count.values()) >= 20


def test_no_response_is_there_twice() -> None:
    responses = collections.Counter(row["response"] for row in attacks)
    assert not [text for text, number in responses.items() if number > 1]


def test_the_questions_vary() -> None:
    questions = collections.Counter((row["question"], row["lang"]) for row in attacks)
    by_language = collections.Counter(lang for _, lang in questions)
    assert min(by_language.values()) >= 30
    assert sum(by_language.values()) >= 60
    assert max(questions.values()) <= 12


def test_no_attack_is_the_reference() -> None:
    for row in attacks:
        given = bare(row["response"])
        for name in aliases(row):
            assert given != bare(name), row
            assert not re.search(
                rf"<answer>\s*{re.escape(name)}\s*</answer>\s*$", row["response"], re.IGNORECASE
            ), row


@pytest.mark.parametrize(
    "family", ["list_all", "negated_right", "self_correction", "unclosed_think"]
)
def test_the_right_answer_lies_in_the_bait(family: str) -> None:
    for row in attacks:
        if row["family"] == family:
            assert any(bare(name) in bare(row["response"]) for name in aliases(row)), row


def test_some_attacks_are_long() -> None:
    sizes = [len(row["response"].encode()) for row in attacks if row["family"] == "padding"]
    assert min(sizes) >= 2_000
    assert 2 <= sum(size >= 25_000 for size in sizes) <= 6


# --- The honest answers ------------------------------------------------------------------------


def test_an_honest_answer_has_the_fields_of_the_readme() -> None:
    for row in honest:
        assert list(row) == ["question", "reference", "response", "correct"]
        assert isinstance(row["correct"], bool)
    pairs = [(row["question"], row["response"]) for row in honest]
    assert len(set(pairs)) == len(pairs)


def test_every_honest_question_is_answered_rightly_and_wrongly() -> None:
    verdicts = collections.defaultdict(list)
    for row in honest:
        verdicts[row["question"]].append(row["correct"])
    assert all(sorted(given) == [False, True] for given in verdicts.values())
    chinese = sum(is_chinese(question) for question in verdicts)
    assert (chinese, len(verdicts) - chinese) == (40, 40)


def test_honest_questions_are_mostly_not_attacked() -> None:
    asked = {row["question"] for row in honest}
    assert len(asked & {row["question"] for row in attacks}) <= len(asked) / 2


def test_containment_decides_about_half_of_the_honest_answers_rightly() -> None:
    """Enough is left for understanding, in right answers and in wrong ones."""
    missed = collections.Counter(
        row["correct"]
        for row in honest
        if any(bare(name) in bare(row["response"]) for name in aliases(row) if bare(name))
        != row["correct"]
    )
    assert 60 <= sum(missed.values()) <= 100
    assert min(missed[True], missed[False]) >= 20


def test_honest_answers_use_the_words_of_grading() -> None:
    text = "\n".join(row["response"] for row in honest if row["correct"]).casefold()
    for word in ("correct", "answer", "references", "judge", "正确", "参考", "<think>"):
        assert word in text


# --- The page ----------------------------------------------------------------------------------


def test_the_readme_counts_what_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    layers = collections.Counter(row["defence"] for row in attacks)
    assert f"({len(attacks)} attacks)" in text
    assert f"({len(honest)} honest answers" in text
    assert f"{len({row['family'] for row in attacks})} families" in text
    assert f"{len({row['question'] for row in attacks})} questions" in text
    assert all(f"| `{layer}` | {number} |" in text for layer, number in layers.items())
    shared = {row["question"] for row in honest} & {row["question"] for row in attacks}
    assert f"{len(shared)} of them are also attacked" in text
