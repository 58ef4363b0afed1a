"""Each rule of the notebook gate, with one defect planted in a sound notebook."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
import pytest
from nbformat import v4
from sample_book import Book, sound_notebook

from checks import notebooks
from checks.problems import Problem

PATH = "notebooks/contract.ipynb"


def write(book: Book, notebook: nbformat.NotebookNode) -> None:
    nbformat.write(notebook, book.root / PATH)


def only_problem(book: Book) -> Problem:
    problems = notebooks.check(book.root)
    assert len(problems) == 1, "\n".join(map(str, problems))
    return problems[0]


def source_line(book: Book, number: int) -> int:
    lines = (book.root / PATH).read_text(encoding="utf-8").splitlines()
    return [n for n, line in enumerate(lines, 1) if line.startswith('   "source":')][number - 1]


def test_a_sound_notebook_passes(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    assert notebooks.main(["--root", str(book.root)]) == 0
    assert capsys.readouterr().out == "notebooks: no problems\n"


Defect = Callable[[nbformat.NotebookNode], object]


def output(kind: str, **values: object) -> Defect:
    """Add an output to cell 2."""
    return lambda nb: nb.cells[1].outputs.append(v4.new_output(kind, **values))


def stdout(text: str) -> Defect:
    return output("stream", name="stdout", text=text)


@pytest.mark.parametrize(
    ("number", "defect", "message"),
    [
        pytest.param(
            2, lambda nb: nb.cells[1].update(execution_count=None), "not executed", id="stripped"
        ),
        pytest.param(
            2, lambda nb: nb.cells[1].update(execution_count=7), "as [7], expected [1]", id="order"
        ),
        pytest.param(3, lambda nb: nb.cells[2].update(outputs=[]), "calls print", id="no-print"),
        pytest.param(4, lambda nb: nb.cells[3].update(outputs=[]), "holds no value", id="no-value"),
        pytest.param(
            5, lambda nb: nb.cells[4].update(outputs=[]), "but holds no error", id="no-error"
        ),
        pytest.param(
            5,
            lambda nb: nb.cells[4].metadata.update(tags=["fails"]),
            "holds Abstained, but is not tagged",
            id="error",
        ),
        pytest.param(
            4,
            lambda nb: nb.cells[3].outputs[0].update(execution_count=9),
            "of another run, [9]",
            id="stale-output",
        ),
        pytest.param(
            4, lambda nb: nb.cells[1].metadata.update(tags=["half"]), "on cell 2", id="tag"
        ),
        pytest.param(2, lambda nb: nb.cells[1].update(source="x = 1;"), "ends with ';'", id="semi"),
        pytest.param(
            2, lambda nb: nb.cells[1].update(source="f();  # quiet"), "ends with ';'", id="comment"
        ),
        pytest.param(2, lambda nb: nb.cells[1].update(source="x = ("), "not Python", id="syntax"),
        pytest.param(
            5,
            lambda nb: nb.cells[4].outputs[0].update(traceback=["Abstained: yes"]),
            "does not end in the error",
            id="traceback",
        ),
        pytest.param(2, stdout("/home/ada/x.json"), "/home/", id="home"),
        pytest.param(2, stdout("in '/tmp/x'"), "/tmp/", id="tmp"),
        pytest.param(2, stdout(r"C:\Users\ada"), "C:\\Users\\", id="windows"),
        pytest.param(
            2,
            output("display_data", data={"text/html": ["<b>", "/root/x</b>"]}),
            "/root/",
            id="html",
        ),
        pytest.param(
            2,
            output("stream", name="stderr", text="DeprecationWarning"),
            "not tagged shows-stderr",
            id="stderr",
        ),
        pytest.param(
            2,
            output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
            "holds a widget",
            id="widget",
        ),
    ],
)
def test_defect_of_a_cell(book: Book, number: int, defect: Defect, message: str) -> None:
    notebook = sound_notebook()
    defect(notebook)
    write(book, notebook)
    problem = only_problem(book)
    assert (problem.path, problem.line) == (PATH, source_line(book, number))
    assert problem.message.startswith(f"cell {number}: ")
    assert message in problem.message


@pytest.mark.parametrize("hide", ["tag", "comment"])
def test_a_shown_cell_that_nbval_does_not_compare(book: Book, hide: str) -> None:
    notebook = sound_notebook()
    if hide == "tag":
        notebook.cells[2].metadata.tags.append("nbval-ignore-output")
    else:
        notebook.cells[2].source = "# NBVAL_SKIP\n" + notebook.cells[2].source
    write(book, notebook)
    problems = notebooks.check(book.root)
    assert {problem.path for problem in problems} == {"docs/en/contract.md", "docs/zh/contract.md"}
    assert all("is not compared by nbval" in problem.message for problem in problems)


def test_a_traceback_through_a_file(book: Book) -> None:
    notebook = sound_notebook()
    trace = [
        "File \x1b[32m~/book/examples/shared/outcome.py:7\x1b[39m",
        "\x1b[31mAbstained\x1b[39m: no",
    ]
    notebook.cells[4].outputs[0].traceback = trace
    write(book, notebook)
    problem = only_problem(book)
    assert (problem.path, problem.line) == (PATH, source_line(book, 5))
    assert problem.message.endswith("a path of one machine: File ~/")


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "my-env", "display_name": "mine"}},
        {},
        {"kernelspec": {"name": "python3", "display_name": "P"}, "widgets": {}},
    ],
)
def test_defect_of_the_metadata(book: Book, metadata: dict[str, object]) -> None:
    notebook = sound_notebook()
    notebook.metadata = nbformat.from_dict(metadata)
    write(book, notebook)
    problem = only_problem(book)
    assert (problem.path, problem.line) == (PATH, 1)
    assert "kernelspec" in problem.message or "widget state" in problem.message


@pytest.mark.parametrize(
    ("text", "line"), [('{\n "cells": [\n', 3), ("{}", 1), ('{"nbformat": 4}', 1)]
)
def test_not_a_notebook(book: Book, text: str, line: int) -> None:
    book.write(PATH, text)
    problem = next(p for p in notebooks.check(book.root) if p.path == PATH)
    assert problem.line == line


@pytest.mark.parametrize("page", ["docs/en/contract.md", "docs/zh/contract.md"])
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("contract#no-such", "has 0 code cells tagged 'no-such'"),
        ("contract#", "has 0 code cells tagged ''"),
        ("other#grade-one", "no sound notebooks/other.ipynb"),
    ],
)
def test_a_page_shows_a_cell_that_is_not(
    book: Book, page: str, argument: str, message: str
) -> None:
    line = book.edit(page, "contract#grade-one", argument)
    problem = only_problem(book)
    assert (problem.path, problem.line) == (page, line)
    assert message in problem.message


def test_a_page_shows_an_ambiguous_cell(book: Book) -> None:
    notebook = sound_notebook()
    notebook.cells[1].metadata["tags"] = ["grade-one"]
    write(book, notebook)
    line = book.line("docs/en/contract.md", "```{nb-cell}")
    problems = notebooks.check(book.root)
    assert ("docs/en/contract.md", line) in {(p.path, p.line) for p in problems}


def test_a_tag_on_prose_is_no_cell(book: Book) -> None:
    notebook = sound_notebook()
    notebook.cells[0].metadata["tags"] = notebook.cells[2].metadata.pop("tags")
    write(book, notebook)
    assert [p.path for p in notebooks.check(book.root)] == [
        "docs/en/contract.md",
        "docs/zh/contract.md",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "f()",
        "await f()",
        "x = 1; y = 2",
        "'a;'.join",
        "def f():\n    print(1)",
        "import sys\nprint(1, file=sys.stderr)",
        "# nothing;",
        "None",
        "%matplotlib inline",
    ],
)
def test_what_need_not_show(book: Book, source: str) -> None:
    notebook = sound_notebook()
    notebook.cells[1].source = source
    value = v4.new_output("display_data", data={"text/plain": "..."})
    notebook.cells[1].outputs = [value] if source.endswith("join") else []
    write(book, notebook)
    assert notebooks.check(book.root) == []


def test_stderr_that_is_announced(book: Book) -> None:
    notebook = sound_notebook()
    stderr = v4.new_output("stream", name="stderr", text="careful\n")
    for number in 2, 3:
        notebook.cells[number - 1].outputs.append(stderr)
        notebook.cells[number - 1].metadata.setdefault("tags", []).append("shows-stderr")
    write(book, notebook)
    assert notebooks.check(book.root) == []


def test_no_notebooks(book: Book) -> None:
    (book.root / PATH).unlink()
    assert notebooks.check(book.root)[0].message == "no notebooks here"
