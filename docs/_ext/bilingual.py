"""Two languages, one definition: what differs between docs/en and docs/zh is decided here.

The name of the source folder chooses the language. From it follow Sphinx's language (and so the
texts of the theme and ``<html lang>``), the book's title, the language switch and the search.

A site that holds both languages side by side is built with ``BOOK_LANGUAGES="en zh"`` in the
environment; a book built alone has no other language to link to. ``BOOK_URL``, the address of the
published site, makes the alternate links absolute.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from gettext import NullTranslations
from html import escape
from pathlib import Path
from typing import Any

import page_search
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.locale import get_translator
from sphinx.util.typing import ExtensionMetadata

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Language:
    """What one language needs to know about itself."""

    sphinx: str
    tag: str  # BCP 47, for <html lang> and hreflang
    name: str
    title: str
    switch_label: str
    search_bar: str
    search_needs_server: str


LANGUAGES = {
    "en": Language(
        sphinx="en",
        tag="en",
        name="English",
        title="Rewards by Example",
        switch_label="Read this page in English",
        search_bar="Search this book…",
        search_needs_server="Search does not work on pages opened as files. "
        "Run this command in the repository, then open the address that it prints:",
    ),
    "zh": Language(
        sphinx="zh_CN",
        tag="zh-CN",
        name="中文",
        title="奖励函数实战",
        switch_label="阅读本页的中文版",
        search_bar="搜索本书……",
        search_needs_server="直接打开本地文件时无法搜索。请在仓库中运行以下命令，再打开它给出的地址：",
    ),
}

# What Sphinx and the theme have no Chinese text for.
MISSING_TEXTS = {
    "Color mode": "颜色模式",
    "Dark": "深色",
    "Light": "浅色",
    "Link to this heading": "本节的链接",
    "Link to this code": "此代码的链接",
    "Link to this image": "此图的链接",
    "Link to this table": "此表的链接",
    "Link to this term": "此术语的链接",
    "System Settings": "跟随系统",
    "Toggle primary sidebar": "显示或隐藏目录",
    "Toggle secondary sidebar": "显示或隐藏本页目录",
}


class MissingTexts(NullTranslations):
    """A translation of last resort."""

    def gettext(self, message: str) -> str:
        """Return our own text, or the message itself."""
        return MISSING_TEXTS.get(message, message)


# Wide characters, and among them the punctuation that never wants a space beside it.
_PUNCTUATION = "\u3000-\u303f\uff00-\uff65"
_WIDE = _PUNCTUATION + "\u2e80-\u2fff\u3040-\u9fff\uf900-\ufaff“”‘’—…"
_BREAK_IN_CHINESE = re.compile(
    rf"(?<=[{_WIDE}])\n(?=[{_WIDE}])|(?<=[{_PUNCTUATION}])\n|\n(?=[{_PUNCTUATION}])"
)


def language_of(app: Sphinx) -> str:
    """Return the short name of the language that is being built."""
    return app.srcdir.name


def choose_language(app: Sphinx) -> None:
    """Set Sphinx's language, before any other extension loads its translations."""
    english = app.srcdir / "docs" / "en"
    if app.srcdir.name not in LANGUAGES and english.is_dir():
        # `jb build .` builds the English book.
        app.srcdir = app.confdir = type(app.srcdir)(english.resolve())
    if app.srcdir.name not in LANGUAGES:
        return
    app.config.language = LANGUAGES[language_of(app)].sphinx
    app._init_i18n()  # has run once already, for the language of the configuration


def configure(app: Sphinx, config: Config) -> None:
    """Fill in the options that depend on the language."""
    config.templates_path.insert(0, str(HERE.parent / "_templates"))
    config.html_static_path.append(str(HERE.parent / "_static"))
    config.html_favicon = str(HERE.parent / "_static" / "favicon.svg")
    language = LANGUAGES.get(language_of(app))
    if language is None:
        return
    config.html_title = config.project = language.title
    config.html_theme_options["search_bar_text"] = language.search_bar
    if config.book_url:
        config.html_baseurl = f"{config.book_url.rstrip('/')}/{language_of(app)}/"


def put_written_anchors_first(app: Sphinx, document: nodes.document) -> None:
    """Let links and tables of contents use the anchor that an author wrote, as in ``(name)=``."""
    for section in document.findall(nodes.section):
        written = [name for name in section["names"] if document.nametypes.get(name)]
        anchors = [document.nameids[name] for name in written if document.nameids.get(name)]
        section["ids"] = list(dict.fromkeys([*anchors, *section["ids"]]))


def join_chinese_lines(app: Sphinx, document: nodes.document) -> None:
    """Drop line breaks between Chinese characters: a browser would show them as spaces."""
    if language_of(app) != "zh":
        return
    for element in document.findall(nodes.TextElement):
        kept: list[nodes.Node] = []
        # MyST makes a node of its own of each line break, and empty ones around markup.
        children = [child for child in element.children if child != ""]
        for child, following in zip(children, [*children[1:], None], strict=False):
            if child == "\n" and kept and following is not None:
                around = f"{kept[-1].astext()[-1:]}\n{following.astext()[:1]}"
                if _BREAK_IN_CHINESE.search(around):
                    continue
            kept.append(child)
        element.children = kept


def add_languages_to_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Tell the page's templates about this page in the other languages."""
    here = language_of(app)
    codes = [code for code in app.config.book_languages if code in LANGUAGES]
    context["language"] = LANGUAGES[here].tag if here in LANGUAGES else context["language"]
    context["book_language"] = LANGUAGES.get(here, LANGUAGES["en"])
    context["other_languages"] = []
    if here not in codes:
        return
    page = app.builder.get_target_uri(pagename)
    site = app.config.book_url.rstrip("/") or context["content_root"] + ".."
    links = [(LANGUAGES[code].tag, f"{site}/{code}/{page}") for code in codes]
    links.append(("x-default", f"{site}/{codes[0]}/{page}"))
    context["metatags"] = context.get("metatags", "") + "\n".join(
        f'<link rel="alternate" hreflang="{tag}" href="{escape(url)}" />' for tag, url in links
    )
    context["other_languages"] = [
        (LANGUAGES[code], f"{context['content_root']}../{code}/{page}")
        for code in codes
        if code != here
    ]


def add_missing_texts(app: Sphinx) -> None:
    """Complete the Chinese texts, after the theme has added its own."""
    if language_of(app) == "zh":
        for catalog in ("sphinx", "booktheme"):
            get_translator(catalog).add_fallback(MissingTexts())


def leave_search_to_pagefind(app: Sphinx) -> None:
    """Keep Sphinx from writing a second, weaker search index."""
    if app.builder.format == "html":
        app.builder.search = False  # type: ignore[attr-defined]


def add_search_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Write the search page that Sphinx now leaves out."""
    yield "search", {}, "search.html"


def index_for_search(app: Sphinx, exception: Exception | None) -> None:
    """Index the finished pages, however the book was built."""
    if exception is None and app.builder.name == "html":
        pages = [app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)]
        page_search.index(Path(app.outdir), pages)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx. This extension comes first in the list of extensions."""
    app.add_config_value(
        "book_languages", os.environ.get("BOOK_LANGUAGES", "").split(), "html", [list]
    )
    app.add_config_value("book_url", os.environ.get("BOOK_URL", ""), "html", [str])
    choose_language(app)
    app.add_css_file("book.css", priority=900)
    app.add_js_file("book.js", loading_method="defer")
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", add_missing_texts)
    app.connect("builder-inited", leave_search_to_pagefind)
    # Before Sphinx collects titles and anchors for the tables of contents.
    app.connect("doctree-read", put_written_anchors_first, priority=100)
    app.connect("doctree-read", join_chinese_lines, priority=100)
    app.connect("html-page-context", add_languages_to_page)
    app.connect("html-collect-pages", add_search_page)
    app.connect("build-finished", index_for_search)
    # Sphinx reads every page again when this number changes: so an edit here shows.
    version = zlib.crc32(Path(__file__).read_bytes())
    return {"env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
