"""Each rule of the link gate, with one dead link planted in a sound site."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_book import Book

from checks import links

EN = "_build/html/en/contract.html"
ZH = "_build/html/zh/contract.html"

PAGE = """\
<!doctype html>
<title>A page</title>
<link rel="stylesheet" href="_static/book.css?v=1">
<h1 id="contract-top">The contract</h1>
<a href="#contract-top">here</a> <a href="#">top</a>
<a href="../{other}/contract.html#contract-top">other language</a>
<a href="../{other}/">its first page</a>
<a href="https://example.org/#x">elsewhere</a> <a href="mailto:a@example.org">mail</a>
<a name="old-name"></a><a href="contract.html#old-name">old</a>
<img src="_static/a%20b.png" alt="">
<script>const link = '<a href="nowhere.html">';</script>
"""


@pytest.fixture
def site(book: Book) -> Book:
    for language, other in ("en", "zh"), ("zh", "en"):
        folder = f"_build/html/{language}"
        book.write(f"{folder}/contract.html", PAGE.format(other=other))
        book.write(f"{folder}/index.html", "<p>first</p>\n")
        book.write(f"{folder}/_static/book.css", "")
        book.write(f"{folder}/_static/a b.png", "")
        book.write(f"{folder}/_static/template.html", "<a href='{{ pathto() }}'>\n")
    book.write("README.md", "# Book\n\n[more](CONTRIBUTING.md#how) <https://example.org>\n")
    book.write("README.zh.md", '<img src="docs/en/contract.md">\n\n# 书\n\n[英文](README.md)\n')
    book.write("CONTRIBUTING.md", "# How\n\nSee [the top](#how).\n")
    return book


def test_a_sound_site_passes(site: Book, capsys: pytest.CaptureFixture[str]) -> None:
    assert links.main(["--root", str(site.root)]) == 0
    assert capsys.readouterr().out == "links: no problems\n"


@pytest.mark.parametrize("page", [EN, ZH])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("_static/book.css?v=1", "gone.css?v=1", "no such file"),
        ("_static/a%20b.png", "c.png", "no such file"),
        ("#contract-top", "#gone", "no such id"),
        ("contract.html#old-name", "contract.html#gone", "no such id"),
        ("contract.html#old-name", "index.html#old-name", "no such id"),
        ("contract.html#old-name", "/contract.html", "make it relative"),
        ("contract.html#old-name", "../../../README.md", "leads out of the site"),
        ("contract.html#old-name", "_static/", "no such file"),
    ],
)
def test_dead_link(site: Book, page: str, old: str, new: str, message: str) -> None:
    line = site.edit(page, f'"{old}"', f'"{new}"')
    (problem,) = links.check(site.root)
    assert (problem.path, problem.line) == (page, line)
    assert new in problem.message
    assert message in problem.message


def test_lost_id_in_the_other_language(site: Book) -> None:
    site.edit(ZH, 'id="contract-top"', 'id="id1"')
    problems = links.check(site.root)
    assert (EN, 6) in {(p.path, p.line) for p in problems}


@pytest.mark.parametrize(
    ("path", "old"),
    [
        ("README.md", "CONTRIBUTING.md"),
        ("README.zh.md", "docs/en/contract.md"),
        ("README.zh.md", "README.md"),
        ("CONTRIBUTING.md", "#how"),
    ],
)
def test_dead_link_in_the_front_door(site: Book, path: str, old: str) -> None:
    line = site.edit(path, old, "gone.md")
    (problem,) = links.check(site.root)
    assert (problem.path, problem.line) == (path, line)


def test_the_command_names_file_and_line(site: Book, capsys: pytest.CaptureFixture[str]) -> None:
    line = site.edit(EN, "book.css?v=1", "gone.css")
    assert links.main(["--root", str(site.root)]) == 1
    assert capsys.readouterr().out == (
        f"{EN}:{line}: '_static/gone.css': no such file\nlinks: 1 problem\n"
    )


def test_no_site(tmp_path: Path) -> None:
    (problem,) = links.check(tmp_path)
    assert problem.message == "no site here: run ./build_all.sh"
