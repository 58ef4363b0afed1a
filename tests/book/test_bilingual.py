"""What differs by language: lang, links to the other language, anchors, line breaks, search."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

Build = Callable[..., None]

PAGES = {
    "en": """(home)=
# Home

(rewards)=
## Rewards

A reward is
a number.

(graders-by-rule)=
### Graders
""",
    "zh": """(home)=
# 首页

(rewards)=
## 奖励

奖励函数
返回一个数，
score 是分数。参考
**答案**
在前。

```
代码
不变
```

(graders-by-rule)=
### 评分器
""",
}


def read(page: Path) -> BeautifulSoup:
    """Parse a built page."""
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def book(tiny_book: Path) -> Path:
    """Return a book with sections, and a page in a folder."""
    (tiny_book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n  - file: more/page\n", encoding="utf-8"
    )
    for language, text in PAGES.items():
        folder = tiny_book / "docs" / language
        (folder / "index.md").write_text(text, encoding="utf-8")
        (folder / "more").mkdir()
        (folder / "more" / "page.md").write_text("(more)=\n# 3 / 4\n", encoding="utf-8")
    return tiny_book


@pytest.mark.parametrize(
    ("source", "lang", "title", "search"),
    [
        ("docs/en", "en", "Rewards by Example", "Search"),
        ("docs/zh", "zh-CN", "奖励函数实战", "搜索"),
        (".", "en", "Rewards by Example", "Search"),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_jb_build_works_without_warnings(
    book: Path,
    tmp_path_factory: pytest.TempPathFactory,
    jb_build: Build,
    source: str,
    lang: str,
    title: str,
    search: str,
    elsewhere: bool,
) -> None:
    if elsewhere:
        jb_build(str(book / source), tmp_path_factory.mktemp("elsewhere"))
    else:
        jb_build(source, book)
    folder = book / source / "_build" / "html"
    for name in ("index.html", "more/page.html", "search.html"):
        page = read(folder / name)
        assert page.html["lang"] == lang
        assert title in page.title.get_text()
        assert page.select_one("button.search-button__button")["title"] == search
        # Built alone, a book has no other language to link to.
        assert not page.select("a.language-switch, link[hreflang]")
        # Sphinx's own search is neither loaded nor written.
        scripts = " ".join(script.get("src", "") for script in page.select("script"))
        assert "searchtools" not in scripts
        assert "searchindex" not in scripts
    assert not (folder / "searchindex.js").exists()
    entry = json.loads((folder / "pagefind" / "pagefind-entry.json").read_text())
    assert {name: found["page_count"] for name, found in entry["languages"].items()} == {
        lang.lower(): 2
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_written_anchors_come_first(book: Path, jb_build: Build, language: str) -> None:
    jb_build(f"docs/{language}", book)
    page = read(book / "docs" / language / "_build" / "html" / "index.html")
    anchors = ["home", "rewards", "graders-by-rule"]
    assert [section["id"] for section in page.select("article section")] == anchors
    permalinks = [link["href"] for link in page.select("article a.headerlink")]
    assert permalinks == [f"#{anchor}" for anchor in anchors]
    contents = [link["href"] for link in page.select(".page-toc a")]
    assert contents == ["#rewards", "#graders-by-rule"]


def test_lines_of_chinese_join_without_a_space(book: Path, jb_build: Build) -> None:
    jb_build("docs/zh", book)
    page = read(book / "docs" / "zh" / "_build" / "html" / "index.html")
    paragraph = page.select_one("#rewards > p")
    assert paragraph.get_text() == "奖励函数返回一个数，score 是分数。参考答案在前。"
    assert page.select_one("#rewards pre").get_text() == "代码\n不变\n"


def test_lines_of_english_keep_their_space(book: Path, jb_build: Build) -> None:
    jb_build("docs/en", book)
    page = read(book / "docs" / "en" / "_build" / "html" / "index.html")
    assert page.select_one("#rewards > p").get_text() == "A reward is\na number."


@pytest.mark.parametrize(
    ("here", "other", "tag", "name"),
    [("en", "zh", "zh-CN", "中文"), ("zh", "en", "en", "English")],
)
def test_pages_of_a_site_link_to_the_other_language(
    book: Path, jb_build: Build, here: str, other: str, tag: str, name: str
) -> None:
    jb_build(f"docs/{here}", book, BOOK_LANGUAGES="en zh")
    for path, up in [("index.html", "./../"), ("more/page.html", "../../")]:
        page = read(book / "docs" / here / "_build" / "html" / path)
        (switch,) = page.select("header a.language-switch, .bd-header-article a.language-switch")
        assert switch["href"] == f"{up}{other}/{path}"
        assert switch["lang"] == switch["hreflang"] == tag
        assert switch.get_text() == name
        assert switch["aria-label"]
        alternates = {link["hreflang"]: link["href"] for link in page.select("link[rel=alternate]")}
        assert alternates == {
            "en": f"{up}en/{path}",
            "zh-CN": f"{up}zh/{path}",
            "x-default": f"{up}en/{path}",
        }


def test_alternates_are_absolute_when_the_site_knows_its_address(
    book: Path, jb_build: Build
) -> None:
    jb_build("docs/zh", book, BOOK_LANGUAGES="en zh", BOOK_URL="https://book.example/")
    page = read(book / "docs" / "zh" / "_build" / "html" / "more" / "page.html")
    assert page.select_one("link[hreflang=en]")["href"] == "https://book.example/en/more/page.html"
    assert page.select_one("link[rel=canonical]")["href"] == (
        "https://book.example/zh/more/page.html"
    )
    # The switch stays relative: it works wherever the site is copied to.
    assert page.select_one("a.language-switch")["href"] == "../../en/more/page.html"


def test_only_the_article_is_indexed_under_its_anchors() -> None:
    import page_search

    html = """<html lang="zh-CN"><body><nav>目录</nav><article class="bd-article">
      <section id="home"><h1>首页<a class="headerlink" href="#home">#</a></h1>
      <section id="rewards"><span id="id1"></span><h2>奖励</h2></section></section>
    </article></body></html>"""
    page = BeautifulSoup(page_search.searchable(html), "html.parser")
    assert page.html["lang"] == "zh-CN"
    assert page.body.has_attr("data-pagefind-body")
    assert [heading.get("id") for heading in page.select("h1, h2")] == [None, "rewards"]
    assert page.get_text().split() == ["首页", "奖励"]


def test_a_search_index_that_cannot_be_written_fails_the_build(tmp_path: Path) -> None:
    import page_search
    from sphinx.errors import ExtensionError

    with pytest.raises(ExtensionError, match=r"absent\.html"):
        page_search.index(tmp_path, ["absent.html"])
    (tmp_path / "bare.html").write_text("<p>no article</p>", encoding="utf-8")
    with pytest.raises(ExtensionError, match=r"bare\.html: .*no article"):
        page_search.index(tmp_path, ["bare.html"])
