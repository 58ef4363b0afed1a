"""Read a MyST page into sections: what parity compares and what a fingerprint is taken of.

A section runs from one heading to the next, whatever their levels. Whatever stands above the
first heading (front matter, say) belongs to the first section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from myst_parser.parsers.options import TokenizeError, options_to_items

LANGUAGES = ("en", "zh")

# Those of _config.yml: a page must mean the same here as in the build. A test compares them.
EXTENSIONS = frozenset(
    {"amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"}
    | {"fieldlist", "tasklist"}
)

# The first line of these directives is words, not a path or a name: a translator translates it.
TITLED = frozenset(
    {"admonition", "attention", "caution", "danger", "error", "hint", "important", "note"}
    | {"seealso", "tip", "todo", "warning", "card", "dropdown", "grid-item-card", "tab-item"}
    | {"csv-table", "list-table", "table", "epigraph", "margin", "rubric", "sidebar", "topic"}
)
# These show code that is typed in the page.
CODE = frozenset(
    {"code", "code-block", "code-cell", "doctest", "parsed-literal", "prompt", "sourcecode"}
)
DIAGRAMS = frozenset({"graphviz", "mermaid"})
# The bodies of these are not Markdown.
LITERAL = DIAGRAMS | {"eval-rst", "literalinclude", "math", "nb-cell", "raw", "toctree"}
TRANSLATED_OPTIONS = frozenset({"alt", "caption", "title"})
# The content of these roles is words; every other role holds a target.
WORD_ROLES = frozenset({"abbr", "emphasis", "guilabel", "kbd", "strong", "sub", "sup"})

_DIRECTIVE = re.compile(r"\{([^\s}]+)\}\s*(.*)", re.DOTALL)
_OPTION = re.compile(r"\s*:[\w-]+:(\s|$)")
_TITLE_AND_TARGET = re.compile(r"(.*\S)\s*<([^<>]+)>", re.DOTALL)
_HTML_LINK = re.compile(r"""\b(?:href|src)\s*=\s*["']([^"']*)["']""")
_HTML_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)
_MATH_WORDS = re.compile(r"\\text\{[^{}]*\}")
# Stands in the prose where code, a formula or an address stood, so that words do not join.
_GAP = "`"


@dataclass(frozen=True)
class Mark:
    """A piece of a page that both languages must share, and its line."""

    text: str
    line: int


@dataclass(frozen=True)
class Directive:
    name: str
    argument: str
    options: dict[str, str]
    body: str
    line: int


@dataclass(frozen=True)
class Fence:
    """Code typed in a page."""

    language: str
    body: str
    line: int


@dataclass(frozen=True)
class Table:
    rows: int
    columns: int
    line: int


@dataclass
class Prose:
    """The words of a section, row by row, each with its line; a blank row ends a block."""

    rows: list[tuple[int, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.rows)

    def find(self, pattern: re.Pattern[str], text: str | None = None) -> Iterator[Mark]:
        """Every match and its line; ``text`` replaces the prose, character by character."""
        text = self.text if text is None else text
        for match in pattern.finditer(text):
            yield Mark(match.group(), self.rows[text.count("\n", 0, match.start())][0])


@dataclass
class Section:
    anchor: str
    level: int
    title: str
    line: int
    source: str
    prose: Prose = field(default_factory=Prose)
    directives: list[Directive] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    codes: list[Mark] = field(default_factory=list)
    formulas: list[Mark] = field(default_factory=list)
    links: list[Mark] = field(default_factory=list)
    roles: list[Mark] = field(default_factory=list)
    labels: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A page; ``path`` is relative to the book's root."""

    path: str
    sections: list[Section]


def read_pages(root: Path, language: str) -> dict[str, Page]:
    """Every page of one language by its name, ``contract``; nothing below a ``_folder``."""
    folder = root / "docs" / language
    pages = {}
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if not any(part.startswith(("_", ".")) for part in name.split("/")):
            text = path.read_text(encoding="utf-8")
            pages[name] = Page(path.relative_to(root).as_posix(), read_sections(text))
    return pages


def read_sections(text: str) -> list[Section]:
    """The sections of a page's text; none if it has no heading."""
    env: dict[str, Any] = {}  # shared with nested texts, which may use the page's link definitions
    tokens = _markdown().parse(text, env)
    headings = [i for i, t in enumerate(tokens) if t.type == "heading_open" and t.level == 0]
    if not headings:
        return []
    starts = [i - 1 if i and tokens[i - 1].type == "myst_target" else i for i in headings]
    ends = [*starts[1:], len(tokens)]
    lines = text.split("\n")
    sections: list[Section] = []
    for heading, start, end in zip(headings, starts, ends, strict=True):
        first = start if sections else 0
        anchor = tokens[start] if start < heading else None
        from_line = _line(tokens[start]) if sections else 1
        to_line = _line(tokens[end]) if end < len(tokens) else len(lines) + 1
        section = Section(
            anchor=anchor.content if anchor else "",
            level=int(tokens[heading].tag[1:]),
            title=tokens[heading + 1].content,
            line=_line(tokens[heading]),
            source="\n".join(lines[from_line - 1 : to_line - 1]),
        )
        own = [token for token in tokens[first:end] if token is not anchor]
        _Reader(section, env).blocks(own, 0)
        sections.append(section)
    return sections


@cache
def _markdown() -> MarkdownIt:
    return create_md_parser(MdParserConfig(enable_extensions=set(EXTENSIONS)), RendererHTML)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


class _Reader:
    """Fills one section from Markdown tokens, nested directives included."""

    def __init__(self, section: Section, env: dict[str, Any]) -> None:
        self.section = section
        self.env = env

    def blocks(self, tokens: Sequence[Token], offset: int) -> None:
        """Read block tokens of a text that starts ``offset`` lines into the page."""
        line = offset + 1
        for index, token in enumerate(tokens):
            if token.map:
                line = token.map[0] + 1 + offset
            match token.type:
                case "inline":
                    self.words(token.children or [], line)
                case "fence" | "colon_fence":
                    self.fence(token, line)
                case "code_block":
                    self.section.fences.append(Fence("", token.content, line))
                case "table_open":
                    self.table(tokens[index:], line)
                case "amsmath" | "math_block" | "math_block_label":
                    self.formula(token.content, line)
                case "html_block":
                    self.html(token.content, line)
                case "substitution_block":
                    self.section.codes.append(Mark(token.content.strip(), line))
                case "myst_target":
                    self.section.labels.append(Mark(token.content, line))

    def fence(self, token: Token, line: int) -> None:
        directive = _DIRECTIVE.fullmatch(token.info.strip())
        if not directive:
            self.section.fences.append(Fence(token.info.strip(), token.content, line))
            return
        name, argument = directive.groups()
        options, body = _split_options(token.content)
        body_line = line + 1 + token.content.count("\n") - body.count("\n")
        if name in CODE:
            self.section.fences.append(Fence(argument, body, line))
            return
        self.section.directives.append(Directive(name, argument, options, body, line))
        if name in TITLED:
            self.title(argument, line)
        for key in sorted(TRANSLATED_OPTIONS & options.keys()):
            rows = token.content.splitlines()
            row = next(n for n, row in enumerate(rows, 1) if row.lstrip(" :").startswith(key))
            self.title(options[key], line + row)
        if name in DIAGRAMS:
            self.prose(list(enumerate(body.splitlines(), body_line)))
        elif name not in LITERAL:
            self.blocks(_markdown().parse(body, self.env), body_line - 1)

    def title(self, text: str, line: int) -> None:
        self.blocks(_markdown().parseInline(text, self.env), line - 1)

    def words(self, tokens: Sequence[Token], line: int) -> None:
        """Read the inline tokens of one block."""
        section = self.section
        rows = [(line, "")]
        in_address = False  # <https://...>: its text is the address once more

        def say(text: str) -> None:
            rows[-1] = (rows[-1][0], rows[-1][1] + text)

        for token in tokens:
            match token.type:
                case "text" | "text_special":
                    say(_GAP if in_address else token.content)
                case "softbreak" | "hardbreak":
                    line += 1
                    rows.append((line, ""))
                case "code_inline" | "substitution_inline":
                    section.codes.append(Mark(token.content, line))
                    say(_GAP)
                case "math_inline" | "math_inline_double":
                    self.formula(token.content, line)
                    say(_GAP)
                case "link_open":
                    section.links.append(Mark(str(token.attrs["href"]), line))
                    in_address = token.info == "auto"
                case "link_close":
                    in_address = False
                case "image":
                    section.links.append(Mark(str(token.attrs["src"]), line))
                    say(f" {token.content} ")
                case "footnote_ref":
                    section.links.append(Mark(f"[^{token.meta['label']}]", line))
                case "myst_role":
                    say(self.role(token.meta["name"], token.content, line))
                    line += token.content.count("\n")
                case "html_inline":
                    self.html(token.content, line)
        self.prose(rows)

    def role(self, name: str, content: str, line: int) -> str:
        """Record a role and return the words it shows."""
        if name == "math":
            self.formula(content, line)
            return _GAP
        if name in WORD_ROLES:
            self.section.roles.append(Mark(f"{{{name}}}", line))
            return content.replace("\n", " ")
        titled = _TITLE_AND_TARGET.fullmatch(content)
        title, target = titled.groups() if titled else (_GAP, content)
        self.section.roles.append(Mark(f"{{{name}}}`{target}`", line))
        return title.replace("\n", " ")

    def table(self, tokens: Sequence[Token], line: int) -> None:
        end = next(i for i, token in enumerate(tokens) if token.type == "table_close")
        kinds = [token.type for token in tokens[:end]]
        self.section.tables.append(Table(kinds.count("tr_open"), kinds.count("th_open"), line))

    def formula(self, content: str, line: int) -> None:
        self.section.formulas.append(Mark(plain_formula(content), line))

    def html(self, content: str, line: int) -> None:
        for match in _HTML_LINK.finditer(content):
            at = line + content.count("\n", 0, match.start())
            self.section.links.append(Mark(match[1], at))
        words = _HTML_TAG.sub(lambda tag: "\n" * tag[0].count("\n"), content)
        if words.strip():
            self.prose(list(enumerate(words.splitlines(), line)))

    def prose(self, rows: list[tuple[int, str]]) -> None:
        self.section.prose.rows += [*rows, (rows[-1][0], "")] if rows else []


def plain_formula(content: str) -> str:
    r"""A formula without its spacing and the words in ``\text{}``, which are translated."""
    return " ".join(_MATH_WORDS.sub(r"\\text{}", content).split())


def _split_options(content: str) -> tuple[dict[str, str], str]:
    """A directive's options and body; the options stand first, as ``:key: value`` or in ``---``."""
    lines = content.splitlines(keepends=True)
    if lines and lines[0].startswith("---"):
        end = next((i for i, text in enumerate(lines[1:], 1) if text.startswith("---")), len(lines))
        block, body = "".join(lines[1:end]), lines[end + 1 :]
    else:
        end = next((i for i, text in enumerate(lines) if not _OPTION.match(text)), len(lines))
        block, body = "".join(text.lstrip()[1:] for text in lines[:end]), lines[end:]
    try:
        items, _ = options_to_items(block)
    except TokenizeError:
        return {}, content  # the build says what is wrong with them
    return dict(items), "".join(body)
