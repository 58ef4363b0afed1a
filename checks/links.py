"""Every link inside the built site leads somewhere, and so do the README's.

Pages are read as a browser gets them: each relative ``href`` and ``src`` must name a file of the
site, each ``#fragment`` an id on that page. Links to other sites are not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .pages import read_sections
from .problems import Problem, command_line, report

SITE = Path("_build/html")
FRONT_DOOR = ("README*.md", "CONTRIBUTING*.md")


def check(root: Path, site: Path = SITE) -> list[Problem]:
    root = root.resolve()
    top = root / site
    # Themes leave templates, which are no pages, in _static.
    paths = [path for path in sorted(top.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: _read(path) for path in paths}
    problems = [*_check_front_door(root)]
    if not pages:
        problems.append(Problem(site.as_posix(), 1, "no site here: run ./build_all.sh"))
    for path, page in pages.items():
        name = path.relative_to(root).as_posix()
        for link in page.links:
            fault = _fault(top, path, link.target, pages)
            if fault:
                problems.append(Problem(name, link.line, f"{link.target!r}: {fault}"))
    return problems


@dataclass(frozen=True)
class Link:
    target: str
    line: int


@dataclass
class _Page(HTMLParser):
    links: list[Link] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value is None:
                continue
            if key in ("href", "src"):
                self.links.append(Link(value.strip(), self.getpos()[0]))
            elif key == "id" or (tag == "a" and key == "name"):
                self.ids.add(value)


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def _fault(top: Path, path: Path, target: str, pages: dict[Path, _Page]) -> str | None:
    """What is wrong with a link on the page at ``path``, if anything."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    if parts.path.startswith("/"):
        return "starts at the server's root, and the site may live below it: make it relative"
    goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if goal.is_dir():
        goal /= "index.html"
    if not goal.exists():
        return "no such file"
    if not goal.is_relative_to(top):
        return "leads out of the site"
    fragment = unquote(parts.fragment)
    if goal in pages and fragment not in {"", "top"} | pages[goal].ids:
        return "no such id on that page"
    return None


def _check_front_door(root: Path) -> Iterator[Problem]:
    for pattern in FRONT_DOOR:
        for path in sorted(root.glob(pattern)):
            sections = read_sections(path.read_text(encoding="utf-8"))
            for link in (link for section in sections for link in section.links):
                parts = urlsplit(link.text)
                if parts.scheme or parts.netloc or not parts.path:
                    continue
                if not (path.parent / unquote(parts.path)).exists():
                    message = f"{link.text!r}: no such file"
                    yield Problem(path.relative_to(root).as_posix(), link.line, message)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line(__doc__)
    parser.add_argument("--site", type=Path, default=SITE, help="the built site, below the root")
    options = parser.parse_args(arguments)
    return report("links", check(options.root, options.site))


if __name__ == "__main__":
    sys.exit(main())
