"""Each rule of the parity gate, with one defect planted in a sound book."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from sample_book import Book

from checks import pages, parity
from checks.problems import Problem

EN, ZH = "docs/en/contract.md", "docs/zh/contract.md"
ROOT = Path(__file__).parents[2]


def only_problem(book: Book) -> Problem:
    problems = parity.check(book.root)
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


def test_a_sound_book_passes(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main(["--root", str(book.root)]) == 0
    assert capsys.readouterr().out == "parity: no problems\n"


def test_the_command_prints_file_and_line_and_fails(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    line = book.edit(ZH, "１５ 秒", "１５ 秒、２ 次")
    assert parity.main(["--root", str(book.root)]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"{ZH}:{line}: number '2' ")
    assert out.endswith("\nparity: 1 problem\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("`grade` 这样", "这样", "inline code 'grade' is missing", id="code"),
        pytest.param("[论文](https://arxiv.org/abs/2110.14168)", "论文", "link 'https", id="link"),
        pytest.param(
            "{ref}`第一定律 <contract-law-one>`", "第一定律", "role '{ref}`con", id="role"
        ),
        pytest.param("1319", "好些", "number '1319' is missing", id="number"),
        pytest.param("。[^where]", "。", "link '[^where]' is missing", id="footnote"),
        pytest.param("$s$", "得分", "formula 's' is missing", id="formula"),
        pytest.param("| 1.0 |", "| 一 |", "number '1.0' is missing", id="number-in-table"),
        pytest.param("回复", "文本", "the glossary wants 回复 here for 'response'", id="term"),
        pytest.param(
            "奖励函数", "函数", "wants 奖励函数 here for 'reward\\nfunction'", id="long-term"
        ),
        pytest.param("有参考答案", "有答案", "the glossary wants 参考答案", id="term-in-diagram"),
        pytest.param(
            "```console\n$ ./build_all.sh\n```\n", "", "console block", id="console-missing"
        ),
    ],
)
def test_what_the_chinese_lacks_is_told_at_its_heading(
    book: Book, old: str, new: str, message: str
) -> None:
    edited = book.edit(ZH, old, new)
    problem = only_problem(book)
    text = (book.root / ZH).read_text(encoding="utf-8").splitlines()
    headings = [n for n, line in enumerate(text, 1) if line.startswith("#") and n < edited]
    assert (problem.path, problem.line) == (ZH, headings[-1])
    assert message in problem.message
    assert f"{EN}:" in problem.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("单核。", "单核，`lscpu`。", "inline code 'lscpu' is not", id="code"),
        pytest.param("单核。", "单核，见 <https://a.b>。", "link 'https://a.b'", id="link"),
        pytest.param("单核。", "单核 {doc}`index`。", "role '{doc}`index`'", id="role"),
        pytest.param("单核。", "２ 核。", "number '2' is not", id="number"),
        pytest.param("单核。", "单核 $n$。", "formula 'n'", id="formula"),
        pytest.param("单核。", "放弃。", "the glossary wants 弃权 here, not 放弃", id="banned"),
        pytest.param("一根柱子", "放弃", "not 放弃", id="banned-in-alt"),
        pytest.param("按规则\n", "放弃\n", "not 放弃", id="banned-in-title"),
        pytest.param("[有参考答案吗", "[放弃？有参考答案吗", "not 放弃", id="banned-in-diagram"),
        pytest.param("`score` 即", "(extra)=\n`score` 即", "label 'extra'", id="label"),
        pytest.param("| 错 |", "| 错 `x` |", "inline code 'x'", id="code-in-table"),
        pytest.param("`score` 即", "`score` 与 `tab` 即", "code 'tab'", id="code-in-directive"),
        pytest.param("$ ./build_all.sh", "$ ./build.sh", "", id="console-differs"),
    ],
)
def test_what_the_chinese_has_more_is_told_at_its_line(
    book: Book, old: str, new: str, message: str
) -> None:
    line = book.edit(ZH, old, new)
    if "console" in (book.root / ZH).read_text().splitlines()[line - 2]:
        line -= 1  # a block is named at its fence
    problem = only_problem(book)
    assert (problem.path, problem.line) == (ZH, line)
    assert message in problem.message


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        pytest.param(":show: output", ":show: code", "```{nb-cell}", ":show: code", id="option"),
        pytest.param("#grade-one", "#grade-two", "```{nb-cell}", "grade-two", id="argument"),
        pytest.param(":alt: 一根柱子\n", "", "```{nb-cell}", ":alt: ...", id="alt-missing"),
        pytest.param("{tab-item}", "{card}", ":::{card}", "{card}", id="name"),
        pytest.param("  a[", "  c[b]\n  a[", "```{mermaid}", "3 lines", id="diagram"),
        pytest.param("r = 1", "r = 2", "```{math}", "r = 2", id="math"),
        pytest.param("| 错 | 0.0 |\n", "| 错 0.0 |\n||\n", "| 结果", "4 rows", id="table"),
    ],
)
def test_another_block_is_told_at_its_line(
    book: Book, old: str, new: str, at: str, message: str
) -> None:
    book.edit(ZH, old, new)
    problem = only_problem(book)
    assert (problem.path, problem.line) == (ZH, book.line(ZH, at))
    assert message in problem.message


def test_missing_directive(book: Book) -> None:
    text = "```{math}\nr = 1 \\text{（若答对）}\n```\n"
    book.edit(ZH, text, "")
    problems = parity.check(book.root)
    assert {p.line for p in problems} == {book.line(ZH, "## 第一定律")}
    assert "directive '{math}' is missing here" in problems[0].message
    assert f"{EN}:{book.line(EN, '```{math}')}" in problems[0].message


def test_another_level(book: Book) -> None:
    line = book.edit(ZH, "### 构建", "## 构建")
    problem = only_problem(book)
    assert (problem.path, problem.line) == (ZH, line)
    assert f"level 3 at {EN}:{book.line(EN, '### Build')}" in problem.message


def test_heading_without_anchor(book: Book) -> None:
    for path, heading in (EN, "### Build"), (ZH, "### 构建"):
        book.edit(path, f"(contract-build)=\n{heading}", heading)
    problems = parity.check(book.root)
    assert [(p.path, p.line) for p in problems] == [
        (EN, book.line(EN, "### Build")),
        (ZH, book.line(ZH, "### 构建")),
    ]
    assert "has no anchor" in problems[0].message


def test_an_anchor_away_from_its_heading_is_no_anchor(book: Book) -> None:
    for path, heading in (EN, "### Build"), (ZH, "### 构建"):
        book.edit(path, f"(contract-build)=\n{heading}", f"(contract-build)=\n\n*\n\n{heading}")
    assert ["no anchor" in p.message for p in parity.check(book.root)] == [True, True]


@pytest.mark.parametrize(
    ("anchor", "message"),
    [("contract-top", f"is taken by {EN}:6"), ("第一", "use a-z"), ("Law", "use a-z")],
)
def test_bad_anchor(book: Book, anchor: str, message: str) -> None:
    for path in EN, ZH:
        text = (book.root / path).read_text(encoding="utf-8")
        text = text.replace("(contract-build)=", f"({anchor})=")
        (book.root / path).write_text(text, encoding="utf-8")
    problems = [p for p in parity.check(book.root) if p.path == EN]
    assert problems[0].line == book.line(EN, "### Build")
    assert message in problems[0].message


def test_anchors_are_unique_over_pages(book: Book) -> None:
    for language in "en", "zh":
        book.write(f"docs/{language}/index.md", "(contract-top)=\n# A\n")
    problems = parity.check(book.root)
    assert [(p.path, p.line) for p in problems] == [
        ("docs/en/index.md", 2),
        ("docs/zh/index.md", 2),
    ]


def test_section_without_twin(book: Book) -> None:
    line = book.edit(EN, "(contract-build)=", "(contract-more)=\n### More\n\n(contract-build)=") + 1
    problem = only_problem(book)
    assert (problem.path, problem.line) == (EN, line)
    assert "'contract-more' is missing" in problem.message


def test_sections_in_another_order(book: Book) -> None:
    text = (book.root / ZH).read_text(encoding="utf-8")
    top, law, build = text.split("(contract-")[1:]
    (book.root / ZH).write_text("".join(f"(contract-{s}" for s in (top, build, law)))
    problem = only_problem(book)
    assert (problem.path, problem.line) == (ZH, book.line(ZH, "### 构建"))
    assert f"where {EN}:{book.line(EN, '## Law one')} has 'contract-law-one'" in problem.message


@pytest.mark.parametrize("path", ["docs/en/only.md", "docs/zh/only.md"])
def test_page_without_twin(book: Book, path: str) -> None:
    book.write(path, "(only-top)=\n# Only\n")
    problem = only_problem(book)
    assert (problem.path, problem.line) == (path, 1)


def test_page_without_heading(book: Book) -> None:
    for language in "en", "zh":
        book.write(f"docs/{language}/empty.md", "x\n")
    assert {(p.path, p.message) for p in parity.check(book.root)} == {
        ("docs/en/empty.md", "this page has no heading"),
        ("docs/zh/empty.md", "this page has no heading"),
    }


@pytest.mark.parametrize(
    "block",
    [
        "```python\ngrade()\n```\n",
        "```\ngrade()\n```\n",
        "```{code-block} python\ngrade()\n```\n",
        ":::{note}\n```python\ngrade()\n```\n:::\n",
        "    grade()\n",
    ],
)
def test_typed_code(book: Book, block: str) -> None:
    for path in EN, ZH:
        text = (book.root / path).read_text(encoding="utf-8")
        (book.root / path).write_text(f"{text}\n{block}", encoding="utf-8")
    problems = parity.check(book.root)
    typed = next(t for t in block.splitlines() if t.startswith(("```", "    ")))
    lines = (book.root / EN).read_text(encoding="utf-8").splitlines()
    assert {p.path for p in problems} == {EN, ZH}
    assert problems[0].line == len(lines) - lines[::-1].index(typed) - (typed == "```") * 2
    assert all("code is never typed" in p.message for p in problems)


@pytest.mark.parametrize("text", ["", "- {en: [reward]}\n", "- [\n"])
def test_broken_glossary(book: Book, text: str) -> None:
    book.write("docs/glossary.yml", text)
    assert only_problem(book).path == "docs/glossary.yml"


def test_no_pages(tmp_path: Path) -> None:
    assert "no pages" in parity.check(tmp_path)[0].message


def test_terms_need_whole_words_and_longest_first(book: Book) -> None:
    # an "abstainer" does not abstain; in 参考答案参考, 参考答案 is a term, so 答案参考 is no use
    book.edit(EN, "On one core.", "On one core: no abstainer, no non-abstain.")
    book.edit(ZH, "[有参考答案吗", "[有参考答案参考吗")
    assert parity.check(book.root) == []


def test_a_term_may_be_broken_over_two_lines(book: Book) -> None:
    book.edit(ZH, "**奖励函数**", "**奖励\n函数**")
    assert parity.check(book.root) == []
    line = book.edit(ZH, "单核。", "这里\n回报\n函数。") + 1
    problem = only_problem(book)
    assert (problem.path, problem.line) == (ZH, line)


def test_the_place_in_the_english_is_exact(book: Book) -> None:
    book.edit(ZH, "1319 个", "许多")
    assert only_problem(book).message.endswith(f"{EN}:{book.line(EN, '1,319')}")


def test_numbers_in_names_and_code_do_not_count(book: Book) -> None:
    book.edit(EN, "On one core.", "On one core of an H200 with v1.2.")
    book.edit(ZH, "单核。", "单核。GSM8K")
    assert parity.check(book.root) == []


def test_the_gate_reads_pages_as_the_build_does() -> None:
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert set(config["parse"]["myst_enable_extensions"]) == pages.EXTENSIONS


def test_the_glossary_has_no_term_twice() -> None:
    entries = yaml.safe_load((ROOT / "docs/glossary.yml").read_text(encoding="utf-8"))
    forms = [form.lower() for entry in entries for form in entry["en"]]
    assert len(forms) == len(set(forms))
    chinese = {entry["zh"] for entry in entries}
    assert not chinese & {word for entry in entries for word in entry.get("not", ())}
