"""The book's terms in both languages, kept in ``docs/glossary.yml``.

Each entry is ``{en: [forms], zh: term, not: [words]}``: where an English section uses one of the
forms, its Chinese twin must use the term; the ``not`` words never occur in Chinese prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from .pages import Mark, Prose

PATH = "docs/glossary.yml"


@dataclass(frozen=True)
class Term:
    english: tuple[str, ...]
    chinese: str
    banned: tuple[str, ...]


class Glossary:
    def __init__(self, terms: Iterable[Term]) -> None:
        terms = list(terms)
        self._by_form = {form.lower(): term for term in terms for form in term.english}
        self._by_banned = {_bare(word): term for term in terms for word in term.banned}
        forms = [_english(form) for form in self._by_form]
        words = [_chinese(term.chinese) for term in terms] + [_chinese(w) for w in self._by_banned]
        self._forms = re.compile(rf"(?<![\w-])(?:{_longest_first(forms)})(?![\w-])", re.IGNORECASE)
        self._words = re.compile(_longest_first(words), re.IGNORECASE)

    @classmethod
    def read(cls, root: Path) -> Glossary:
        """The glossary of the book at ``root``; ValueError if it is missing or malformed."""
        try:
            entries = yaml.safe_load((root / PATH).read_text(encoding="utf-8"))
            return cls(
                Term(tuple(entry["en"]), entry["zh"], tuple(entry.get("not", ())))
                for entry in entries
            )
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"not a list of {{en: [...], zh: ..., not: [...]}}: {error}"
            ) from error

    def missing(self, english: Prose, chinese: Prose) -> Iterator[tuple[Mark, Term]]:
        """Each term, at its first use, that the English has and the Chinese lacks."""
        seen: set[Term] = set()
        for mark in english.find(self._forms):
            term = self._by_form[" ".join(mark.text.lower().split())]
            if term in seen:
                continue
            seen.add(term)
            if not re.search(_chinese(term.chinese), chinese.text, re.IGNORECASE):
                yield mark, term

    def banned(self, chinese: Prose) -> Iterator[tuple[Mark, Term]]:
        """Each use of a word that the glossary replaces; a word inside a right term is no use."""
        for mark in chinese.find(self._words):
            term = self._by_banned.get(_bare(mark.text))
            if term:
                yield mark, term


def _english(form: str) -> str:
    """A form may be broken over two lines of its paragraph."""
    return re.escape(form).replace(r"\ ", r"\s")


def _chinese(word: str) -> str:
    """So may a Chinese word, and a space beside Latin letters is a matter of taste."""
    return r"\s?".join(re.escape(character) for character in _bare(word))


def _bare(word: str) -> str:
    return "".join(word.lower().split())


def _longest_first(patterns: Iterable[str]) -> str:
    """So that "reward function" is not read as "reward"; without patterns, matches nothing."""
    return "|".join(sorted(patterns, key=len, reverse=True)) or "(?!)"
