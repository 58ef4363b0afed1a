"""Each rule of the staleness gate, with one change made in a recorded book."""

from __future__ import annotations

import json

import pytest
from sample_book import Book

from checks import fingerprints
from checks.problems import Problem

EN, ZH = "docs/en/contract.md", "docs/zh/contract.md"


@pytest.fixture
def recorded(book: Book) -> Book:
    assert fingerprints.record(book.root) == []
    return book


def only_problem(book: Book) -> Problem:
    problems = fingerprints.check(book.root)
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


def change_top(book: Book, *paths: str) -> None:
    for path in paths:
        book.edit(path, {EN: "On one core.", ZH: "单核。"}[path], "?")


def test_a_recorded_book_passes(recorded: Book, capsys: pytest.CaptureFixture[str]) -> None:
    assert fingerprints.main(["--root", str(recorded.root)]) == 0
    assert capsys.readouterr().out == "fingerprints: no problems\n"


def test_the_record_has_one_section_a_line(recorded: Book) -> None:
    text = (recorded.root / fingerprints.PATH).read_text(encoding="utf-8")
    keys = ["contract#contract-build", "contract#contract-law-one", "contract#contract-top"]
    assert list(json.loads(text)) == keys
    assert [line.split('"')[1] for line in text.splitlines()[1:-1]] == keys
    fingerprints.record(recorded.root)
    assert (recorded.root / fingerprints.PATH).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("changed", "stale"), [(EN, ZH), (ZH, EN)])
def test_one_side_changed(
    recorded: Book, capsys: pytest.CaptureFixture[str], changed: str, stale: str
) -> None:
    change_top(recorded, changed)
    stale_line = recorded.line(stale, "\n# ") + 1
    changed_line = recorded.line(changed, "\n# ") + 1
    assert fingerprints.main(["--root", str(recorded.root)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        f"{stale}:{stale_line}: contract#contract-top changed in {changed}:{changed_line} "
    )
    assert out.endswith("\nfingerprints: 1 problem\n")


def test_record_refuses_one_sided_changes_only(
    recorded: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    change_top(recorded, EN)
    for path, old in (EN, "or the grader"), (ZH, "；否则"):
        recorded.edit(path, old, "?")
    assert fingerprints.main(["record", "--root", str(recorded.root)]) == 1
    assert "contract#contract-top changed" in capsys.readouterr().out
    assert "contract#contract-top changed" in only_problem(recorded).message


def test_both_sides_changed(recorded: Book) -> None:
    change_top(recorded, EN, ZH)
    problem = only_problem(recorded)
    assert (problem.path, problem.line) == (ZH, 2)
    assert f"{EN}:6 say the same, run `record`" in problem.message
    assert fingerprints.main(["record", "--root", str(recorded.root)]) == 0
    assert fingerprints.check(recorded.root) == []


def test_new_section(recorded: Book) -> None:
    for path in EN, ZH:
        with (recorded.root / path).open("a", encoding="utf-8") as page:
            page.write("\n(contract-new)=\n## New\n")
    problem = only_problem(recorded)
    assert (problem.path, problem.line) == (ZH, recorded.line(ZH, "## New"))
    assert "contract#contract-new is new" in problem.message
    assert fingerprints.record(recorded.root) == []
    assert fingerprints.check(recorded.root) == []
    keys = list(json.loads((recorded.root / fingerprints.PATH).read_text(encoding="utf-8")))
    assert keys == sorted(keys)


def test_section_gone_from_both(recorded: Book) -> None:
    for path in EN, ZH:
        text = (recorded.root / path).read_text(encoding="utf-8")
        kept = text[: text.index("\n(contract-build)=")]
        (recorded.root / path).write_text(kept, encoding="utf-8")
    problem = only_problem(recorded)
    assert (problem.path, problem.line) == (fingerprints.PATH, 2)
    assert "contract#contract-build is gone" in problem.message
    assert fingerprints.record(recorded.root) == []
    assert fingerprints.check(recorded.root) == []


def test_section_gone_from_one(recorded: Book) -> None:
    text = (recorded.root / ZH).read_text(encoding="utf-8")
    (recorded.root / ZH).write_text(text[: text.index("\n(contract-build)=")], encoding="utf-8")
    problem = only_problem(recorded)
    assert (problem.path, problem.line) == (EN, recorded.line(EN, "### Build"))
    assert f"gone from {ZH}" in problem.message
    assert fingerprints.record(recorded.root) == [problem]
    with pytest.raises(ValueError, match="only a change to one of two twins"):
        fingerprints.acknowledge(recorded.root, "contract#contract-build", "why not")


def test_new_section_in_one(recorded: Book) -> None:
    recorded.write("docs/en/index.md", "(index-top)=\n# Index\n")
    problem = only_problem(recorded)
    assert (problem.path, problem.line) == ("docs/en/index.md", 2)
    assert "not yet in docs/zh/index.md" in problem.message
    assert fingerprints.record(recorded.root) == [problem]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (ZH, ":show: output", ":show: code"),
        (ZH, "| 错 | 0.0 |", "| 错 | 0 |"),
        (ZH, "$ ./build_all.sh", "$ ./build_all.sh -v"),
        (EN, "description: What", "description: How"),
        (EN, "is: it marks", "is:\n\nit marks"),
    ],
)
def test_every_part_of_a_section_counts(recorded: Book, path: str, old: str, new: str) -> None:
    recorded.edit(path, old, new)
    assert only_problem(recorded).path == {EN: ZH, ZH: EN}[path]


def test_wrapping_lines_otherwise_is_no_change(recorded: Book) -> None:
    recorded.edit(EN, "A **reward\nfunction** is", "A **reward function**\nis")
    recorded.edit(EN, "# The contract\n\n", "# The contract\n\n\n")
    assert fingerprints.check(recorded.root) == []


def test_acknowledge_settles_and_logs(recorded: Book, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((recorded.root / fingerprints.PATH).read_text(encoding="utf-8"))
    change_top(recorded, EN)
    root = ["--root", str(recorded.root)]
    why = ["--why", "一个 typo"]
    assert fingerprints.main(["acknowledge", *why, "contract#contract-top", *root]) == 0
    assert fingerprints.check(recorded.root) == []
    after = json.loads((recorded.root / fingerprints.PATH).read_text(encoding="utf-8"))
    (line,) = (recorded.root / fingerprints.LOG).read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert entry.pop("date").count("-") == 2
    key = "contract#contract-top"
    assert entry == {
        "section": key,
        "changed": "en",
        "was": before[key]["en"],
        "en": after[key]["en"],
        "zh": before[key]["zh"],
        "why": "一个 typo",
    }


@pytest.mark.parametrize(
    ("changed", "key", "why", "message"),
    [
        ([], "contract#contract-top", "so", "has not changed"),
        ([EN], "contract#no-such", "so", "has not changed"),
        ([EN, ZH], "contract#contract-top", "so", "only a change to one of two twins"),
        ([EN], "contract#contract-top", " ", "say why"),
    ],
)
def test_acknowledge_refuses(
    recorded: Book, changed: list[str], key: str, why: str, message: str
) -> None:
    change_top(recorded, *changed)
    with pytest.raises(ValueError, match=message):
        fingerprints.acknowledge(recorded.root, key, why)
    assert not (recorded.root / fingerprints.LOG).exists()


@pytest.mark.parametrize(
    "arguments",
    [["acknowledge"], ["record", "contract#contract-top"], ["acknowledge", "x#y", "--why", "z"]],
)
def test_wrong_command(
    recorded: Book, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        fingerprints.main([*arguments, "--root", str(recorded.root)])
    assert stop.value.code == 2


def test_the_words_in_a_figure_count(book: Book) -> None:
    for language in ("en", "zh"):
        book.write(f"docs/{language}/way.svg", "<svg><text>one</text></svg>")
        page = f"docs/{language}/contract.md"
        figure = "\n```{figure} way.svg\n:alt: A way\n```\n"
        (book.root / page).write_text(
            (book.root / page).read_text(encoding="utf-8") + figure, encoding="utf-8"
        )
    assert fingerprints.record(book.root) == []
    book.write("docs/zh/way.svg", "<svg><text>two</text></svg>")
    assert only_problem(book).path == EN


def test_the_readmes_are_twins(book: Book) -> None:
    book.write("README.md", "# Book\n\nTwo commands.\n")
    book.write("README.zh.md", "# 书\n\n两条命令。\n")
    assert fingerprints.record(book.root) == []
    book.edit("README.zh.md", "两条命令。", "命令。")
    problem = only_problem(book)
    assert (problem.path, problem.line) == ("README.md", 1)
    assert "README.zh.md:1" in problem.message
