"""Index built pages with Pagefind, which finds words in Chinese text as well as in English."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from bs4 import BeautifulSoup
from pagefind.index import IndexConfig, PagefindIndex
from sphinx.errors import ExtensionError

# Not h1: that result is the page itself.
HEADINGS = ["h2", "h3", "h4", "h5", "h6"]


def searchable(html: str) -> str:
    """Return a page reduced to its article, with anchors where Pagefind looks for them."""
    page = BeautifulSoup(html, "html.parser")
    article = page.select_one("article.bd-article")
    if article is None:
        raise ValueError("no article to index: has the theme's layout changed?")
    for link in article.select("a.headerlink"):
        link.decompose()
    for section in article.select("section[id]"):
        # Sphinx puts the anchor on the section; Pagefind links to headings that have one.
        heading = section.find(HEADINGS, recursive=False)
        if heading is not None:
            heading["id"] = section["id"]
            del section["id"]
    language = page.html["lang"] if page.html else "en"
    return f'<html lang="{language}"><body data-pagefind-body>{article}</body></html>'


async def _write(folder: Path, pages: list[str]) -> None:
    config = IndexConfig(output_path=str(folder / "pagefind"))
    async with PagefindIndex(config=config) as index:
        for page in pages:
            try:
                content = searchable((folder / page).read_text(encoding="utf-8"))
                await index.add_html_file(content=content, url=page)
            except Exception as error:
                raise ExtensionError(f"{folder / page}: Pagefind: {error}", error) from error


def index(folder: Path, pages: list[str]) -> None:
    """Write the search index of ``pages`` into ``folder``."""
    shutil.rmtree(folder / "pagefind", ignore_errors=True)
    asyncio.run(_write(folder, pages))
