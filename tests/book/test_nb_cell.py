"""The nb-cell directive: what it shows, and what it refuses."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace


def write_notebook(path: Path, *cells: NotebookNode) -> None:
    """Write a notebook of these cells."""
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = new_notebook(cells=list(cells), metadata=metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def code_cell(
    tag: str, source: str = "1 + 1", *outputs: NotebookNode, executed: bool = True
) -> NotebookNode:
    """Return a tagged code cell with stored outputs."""
    return new_code_cell(
        source,
        outputs=list(outputs),
        execution_count=1 if executed else None,
        metadata={"tags": [tag]},
    )


def png() -> str:
    """Return a grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x80"))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")).decode()


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>'


class Book:
    """A page and the notebooks that it shows cells of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "docs" / "en"
        self.source.mkdir(parents=True)
        self.read: list[str] = []

    def notebook(self, *cells: object, name: str = "demo") -> None:
        """Write a notebook."""
        write_notebook(self.root / "notebooks" / f"{name}.ipynb", *cells)

    def page(self, text: str) -> None:
        """Write the page."""
        (self.source / "index.md").write_text(text, encoding="utf-8")

    def build(self, *, extensions: tuple[str, ...] = ("myst_nb", "nb_cell")) -> Tag:
        """Build the page, remember which pages were read anew, and return the article."""
        warnings = io.StringIO()
        with docutils_namespace():
            app = Sphinx(
                srcdir=self.source,
                confdir=None,
                outdir=self.root / "out" / "html",
                doctreedir=self.root / "out" / "doctrees",
                buildername="html",
                confoverrides={
                    "extensions": list(extensions),
                    "nb_execution_mode": "off",
                    "nb_render_markdown_format": "gfm",
                },
                status=None,
                warning=warnings,
            )
            self.read.clear()
            app.connect("source-read", lambda app, name, source: self.read.append(name))
            app.build()
        assert warnings.getvalue() == ""
        html = (self.root / "out" / "html" / "index.html").read_text(encoding="utf-8")
        article = BeautifulSoup(html, "html.parser").select_one("div.body")
        assert article is not None
        return article

    def show(self, *lines: str) -> Tag:
        """Build a page of one directive."""
        self.page("\n".join(["# Page", "", "```{nb-cell} demo#one", *lines, "```", ""]))
        return self.build()


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Return an empty book."""
    return Book(tmp_path)


OUTPUTS = [
    pytest.param(
        new_output("stream", name="stdout", text="score 1.0\n"),
        "div.output.stream",
        "score 1.0",
        id="stdout",
    ),
    pytest.param(
        new_output("stream", name="stderr", text="careful\n"),
        "div.output.stderr",
        "careful",
        id="stderr",
    ),
    pytest.param(
        new_output("execute_result", {"text/plain": "Outcome(score=1.0)"}, execution_count=1),
        "div.output.text_plain",
        "Outcome(score=1.0)",
        id="plain",
    ),
    pytest.param(
        new_output(
            "display_data",
            {"text/plain": "a table", "text/html": "<table><tr><td>right</td></tr></table>"},
        ),
        "div.output.text_html td",
        "right",
        id="html table",
    ),
    pytest.param(
        new_output("display_data", {"text/markdown": "| a |\n|---|\n| **bold** |"}),
        "td strong",
        "bold",
        id="markdown",
    ),
    pytest.param(
        new_output(
            "error",
            ename="Abstained",
            evalue="no reference",
            traceback=["\x1b[31mAbstained\x1b[0m: no reference"],
        ),
        "div.output.traceback",
        "Abstained: no reference",
        id="traceback",
    ),
]


@pytest.mark.parametrize(("output", "selector", "text"), OUTPUTS)
def test_every_kind_of_output_renders(book: Book, output: object, selector: str, text: str) -> None:
    book.notebook(code_cell("one", "grade('72', '72')", output))
    article = book.show()
    shown = article.select_one(f"div.cell.tag_one > div.cell_output {selector}")
    assert shown is not None
    assert shown.get_text().strip() == text
    code = article.select_one("div.cell.tag_one > div.cell_input pre")
    assert code is not None
    assert code.get_text().strip() == "grade('72', '72')"


@pytest.mark.parametrize(("mime", "data"), [("image/png", png()), ("image/svg+xml", SVG)])
def test_an_image_is_written_with_its_alternative_text(book: Book, mime: str, data: str) -> None:
    book.notebook(
        code_cell("one", "plot()", new_output("display_data", {mime: data, "text/plain": "Fig"}))
    )
    image = book.show(":alt: 图：得分的分布").select_one("div.cell_output img")
    assert image is not None
    assert image["alt"] == "图：得分的分布"
    assert (book.root / "out" / "html" / str(image["src"])).stat().st_size > 0


def test_a_cell_looks_as_myst_nb_renders_it(book: Book) -> None:
    """The same cell, once by the directive and once as a page of its own."""
    cell = code_cell("one", "print(1)\nx", *[output.values[0] for output in OUTPUTS])
    book.notebook(cell)
    ours = book.show().select_one("div.cell")
    (book.source / "index.md").unlink()
    write_notebook(book.source / "index.ipynb", new_markdown_cell("# Page"), cell)
    theirs = book.build().select_one("div.cell")
    assert ours is not None
    assert ours.prettify() == theirs.prettify()


def test_show_chooses_code_or_output(book: Book) -> None:
    book.notebook(code_cell("one", "print(1)", new_output("stream", name="stdout", text="1\n")))
    code = book.show(":show: code")
    assert code.select_one("div.cell_input")
    assert not code.select_one("div.cell_output")
    output = book.show(":show: output")
    assert not output.select_one("div.cell_input")
    assert output.select_one("div.cell_output")


def test_code_alone_of_a_cell_with_an_image_needs_no_alternative_text(book: Book) -> None:
    book.notebook(code_cell("one", "plot()", new_output("display_data", {"image/png": png()})))
    assert not book.show(":show: code").select_one("img")


def test_only_the_named_cell_shows(book: Book) -> None:
    book.notebook(code_cell("zero", "first()"), code_cell("one", "second()"), code_cell("on"))
    cells = book.show().select("div.cell")
    assert [cell.get_text().strip() for cell in cells] == ["second()"]


def test_the_page_is_rebuilt_when_the_notebook_changes(book: Book) -> None:
    book.notebook(code_cell("one", "old()"))
    assert "old()" in book.show().get_text()
    book.build()
    assert book.read == []
    book.notebook(code_cell("one", "new()"))
    assert "new()" in book.build().get_text()
    assert book.read == ["index"]


@pytest.mark.parametrize(
    ("argument", "options", "problem"),
    [
        ("demo", [], "not of the form notebook#tag"),
        ("../demo#one", [], "not of the form notebook#tag"),
        ("demo#one two", [], "not of the form notebook#tag"),
        ("absent#one", [], "there is no notebook"),
        ("broken#one", [], "broken.ipynb is not a notebook"),
        ("demo#absent", [], "no code cell of demo.ipynb has the tag 'absent'"),
        ("demo#prose", [], "no code cell of demo.ipynb has the tag 'prose'"),
        ("demo#twice", [], "cells 3 and 4 of demo.ipynb share the tag 'twice'"),
        ("demo#stripped", [], "demo#stripped was never executed"),
        ("demo#one", [":show: everything"], "write code, output or both"),
        ("demo#one", [":show: output"], "demo#one has no output to show"),
        ("demo#one", [":alt: a figure"], "demo#one shows no image"),
        ("demo#figure", [], "say what it shows in an :alt: option"),
        ("demo#figure", [":alt:"], "say what it shows in an :alt: option"),
    ],
)
def test_what_cannot_be_shown_fails_the_build_and_says_where(
    book: Book, argument: str, options: list[str], problem: str
) -> None:
    prose = new_markdown_cell("text", metadata={"tags": ["prose"]})
    book.notebook(
        code_cell("one"),
        prose,
        code_cell("twice"),
        code_cell("twice"),
        code_cell("stripped", executed=False),
        code_cell("figure", "plot()", new_output("display_data", {"image/svg+xml": SVG})),
    )
    (book.root / "notebooks" / "broken.ipynb").write_text("{", encoding="utf-8")
    book.page("\n".join(["# Page", "", "Text.", "", f"```{{nb-cell}} {argument}", *options, "```"]))
    with pytest.raises(ExtensionError) as caught:
        book.build()
    page = book.source / "index.md"
    assert str(caught.value).startswith(f"{page}:5: nb-cell: ")
    assert problem in str(caught.value)


def test_the_place_is_given_as_seen_from_the_working_folder(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(book.root)
    book.page("# Page\n\n```{nb-cell} absent#one\n```\n")
    with pytest.raises(
        ExtensionError, match=r"^docs/en/index\.md:3: .*no notebook notebooks/absent"
    ):
        book.build()
