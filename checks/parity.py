"""Both languages say the same things in the same places.

Pages, anchors and heading levels agree. Section by section, so do the directives with their
arguments and options, the inline code, formulas, links, roles, labels, tables and numbers; in
running text their order is free, for languages differ in it. What a reader reads in words is free:
prose, the titles of admonitions, tabs and cards, ``:alt:``, ``:caption:`` and ``:title:``, the
labels of a diagram. Terms follow ``docs/glossary.yml``. No code is typed in a page, except commands
to type, in a ``console`` block.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from . import glossary
from .glossary import Glossary
from .pages import (
    DIAGRAMS,
    LANGUAGES,
    LITERAL,
    TITLED,
    TRANSLATED_OPTIONS,
    Directive,
    Mark,
    Page,
    Section,
    plain_formula,
    read_pages,
)
from .problems import Problem, command_line, report

_ANCHOR = re.compile(r"[a-z][a-z0-9_-]*")
# A number that continues a word (GSM8K, v1.2) is part of a name.
_NUMBER = re.compile(r"(?<![A-Za-z0-9.])(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)*", re.ASCII)
_FULL_WIDTH = str.maketrans({0xFF10 + digit: str(digit) for digit in range(10)})


def check(root: Path) -> list[Problem]:
    english, chinese = (read_pages(root, language) for language in LANGUAGES)
    if not english and not chinese:
        return [Problem("docs", 1, "no pages here")]
    try:
        terms = Glossary.read(root)
    except ValueError as error:
        return [Problem(glossary.PATH, 1, str(error))]

    problems: list[Problem] = []
    for pages in english, chinese:
        problems += _check_anchors(pages.values())
        problems += _check_typed_code(pages.values())
    for pages, twins in (english, chinese), (chinese, english):
        for name in pages.keys() - twins.keys():
            path = pages[name].path
            problems.append(Problem(path, 1, "this page is missing in the other language"))
    for name in english.keys() & chinese.keys():
        problems += _compare_pages(english[name], chinese[name], terms)
    return problems


def _check_anchors(pages: Iterable[Page]) -> Iterator[Problem]:
    """Every heading has an anchor of its own: Sphinx's labels are one set for the whole book."""
    seen: dict[str, str] = {}
    for page in pages:
        if not page.sections:
            yield Problem(page.path, 1, "this page has no heading")
        for section in page.sections:
            here = f"{page.path}:{section.line}"
            if not section.anchor:
                message = f"heading {section.title!r} has no anchor: put (name)= right above it"
                yield Problem(page.path, section.line, message)
            elif not _ANCHOR.fullmatch(section.anchor):
                message = f"anchor {section.anchor!r}: use a-z, 0-9, - and _, a letter first"
                yield Problem(page.path, section.line, message)
            elif section.anchor in seen:
                message = f"anchor {section.anchor!r} is taken by {seen[section.anchor]}"
                yield Problem(page.path, section.line, message)
            else:
                seen[section.anchor] = here


def _check_typed_code(pages: Iterable[Page]) -> Iterator[Problem]:
    message = "code is never typed in a page: use literalinclude or nb-cell (or a console block)"
    for page in pages:
        for section in page.sections:
            for fence in section.fences:
                if fence.language != "console":
                    yield Problem(page.path, fence.line, message)


def _compare_pages(english: Page, chinese: Page, terms: Glossary) -> Iterator[Problem]:
    twins = {s.anchor: s for s in chinese.sections if s.anchor}
    anchors = {s.anchor for s in english.sections if s.anchor}
    for page, other in (english, twins), (chinese, anchors):
        for section in page.sections:
            if section.anchor and section.anchor not in other:
                message = f"section {section.anchor!r} is missing in the other language"
                yield Problem(page.path, section.line, message)

    common = [s for s in english.sections if s.anchor in twins]
    order = [s for s in chinese.sections if s.anchor in anchors]
    for section, twin in zip(common, order, strict=False):
        if section.anchor != twin.anchor:
            message = f"section {twin.anchor!r} stands where {english.path}:{section.line} has "
            yield Problem(chinese.path, twin.line, message + repr(section.anchor))
            break  # the rest would only follow from this one
    for section in common:
        yield from _Twins(english.path, chinese.path, section, twins[section.anchor]).compare(terms)


class _Twins:
    """One section in both languages. A problem stands in the Chinese file and names the English."""

    def __init__(self, en_path: str, zh_path: str, en: Section, zh: Section) -> None:
        self.en_path = en_path
        self.zh_path = zh_path
        self.en = en
        self.zh = zh

    def compare(self, terms: Glossary) -> Iterator[Problem]:
        en, zh = self.en, self.zh
        if en.level != zh.level:
            said = f"heading of level {zh.level} here, but of level {en.level} at"
            yield self.problem(zh.line, said, en.line)
        yield from self.same_order("directive", _directives(en), _directives(zh))
        yield from self.same_order("body", _bodies(en), _bodies(zh))
        yield from self.same_order("console block", _consoles(en), _consoles(zh))
        yield from self.same_order("table", _tables(en), _tables(zh))
        yield from self.same("inline code", en.codes, zh.codes)
        yield from self.same("formula", en.formulas, zh.formulas)
        yield from self.same("link", en.links, zh.links)
        yield from self.same("role", en.roles, zh.roles)
        yield from self.same("label", en.labels, zh.labels)
        yield from self.same("number", _numbers(en), _numbers(zh))
        for mark, term in terms.missing(en.prose, zh.prose):
            said = f"the glossary wants {term.chinese} here for {mark.text!r} at"
            yield self.problem(zh.line, said, mark.line)
        for mark, term in terms.banned(zh.prose):
            said = f"the glossary wants {term.chinese} here, not {mark.text}"
            yield Problem(self.zh_path, mark.line, said)

    def problem(self, line: int, said: str, en_line: int) -> Problem:
        return Problem(self.zh_path, line, f"{said} {self.en_path}:{en_line}")

    def same(self, kind: str, en: Sequence[Mark], zh: Sequence[Mark]) -> Iterator[Problem]:
        """The same marks, as often, in any order."""
        for mark in _surplus(zh, en):
            yield self.surplus(kind, mark)
        for mark in _surplus(en, zh):
            yield self.missing(kind, mark)

    def same_order(self, kind: str, en: Sequence[Mark], zh: Sequence[Mark]) -> Iterator[Problem]:
        """The same marks in the same order; only the first difference is told."""
        for ours, theirs in zip_longest(en, zh):
            if ours is None:
                yield self.surplus(kind, theirs)
            elif theirs is None:
                yield self.missing(kind, ours)
            elif ours.text != theirs.text:
                said = f"{kind} {theirs.text!r} here, but {ours.text!r} at"
                yield self.problem(theirs.line, said, ours.line)
            else:
                continue
            return

    def surplus(self, kind: str, mark: Mark) -> Problem:
        said = f"{kind} {mark.text!r} is not in the English section at"
        return self.problem(mark.line, said, self.en.line)

    def missing(self, kind: str, mark: Mark) -> Problem:
        said = f"{kind} {mark.text!r} is missing here; the English has it at"
        return self.problem(self.zh.line, said, mark.line)


def _surplus(marks: Sequence[Mark], others: Sequence[Mark]) -> Iterator[Mark]:
    left = Counter(mark.text for mark in others)
    for mark in marks:
        if left[mark.text]:
            left[mark.text] -= 1
        else:
            yield mark


def _directives(section: Section) -> list[Mark]:
    return [Mark(_shape(directive), directive.line) for directive in section.directives]


def _shape(directive: Directive) -> str:
    """What both languages share of a directive: its head without the words."""
    parts = [f"{{{directive.name}}}"]
    if directive.name not in TITLED:
        parts.append(directive.argument)
    for key, value in sorted(directive.options.items()):
        parts.append(f":{key}: {'...' if key in TRANSLATED_OPTIONS else value}".rstrip())
    return " ".join(filter(None, parts))


def _bodies(section: Section) -> list[Mark]:
    """The bodies that are not Markdown. A diagram's labels are words: its lines are counted."""
    marks = []
    for directive in section.directives:
        if directive.name in DIAGRAMS:
            text = f"{len(directive.body.splitlines())} lines"
        elif directive.name == "math":
            text = plain_formula(directive.body)
        elif directive.name in LITERAL:
            text = directive.body
        else:
            continue
        marks.append(Mark(f"{{{directive.name}}} {text}", directive.line))
    return marks


def _consoles(section: Section) -> list[Mark]:
    return [Mark(f.body, f.line) for f in section.fences if f.language == "console"]


def _tables(section: Section) -> list[Mark]:
    return [Mark(f"{t.rows} rows, {t.columns} columns", t.line) for t in section.tables]


def _numbers(section: Section) -> list[Mark]:
    text = section.prose.text.translate(_FULL_WIDTH)
    found = section.prose.find(_NUMBER, text)
    return [Mark(number.text.replace(",", ""), number.line) for number in found]


def main(arguments: Sequence[str] | None = None) -> int:
    options = command_line(__doc__).parse_args(arguments)
    return report("parity", check(options.root))


if __name__ == "__main__":
    sys.exit(main())
