"""No section changes without its twin.

``docs/fingerprints.json`` holds a fingerprint of every section in both languages, as they were
when someone last vouched that they say the same.

``python -m checks.fingerprints``         fails on every section that has changed since
``python -m checks.fingerprints record``  vouches for new sections and those changed in both
                                          languages; refuses those changed in one only
``python -m checks.fingerprints acknowledge contract#law-one --why "a typo, English only"``
                                          settles a change that needs no translation, and logs it
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .pages import LANGUAGES, Page, Section, read_pages
from .problems import Problem, command_line, report

PATH = "docs/fingerprints.json"
LOG = "docs/acknowledgements.jsonl"
README = {"en": "README.md", "zh": "README.zh.md"}  # one section each

Record = dict[str, dict[str, str]]  # "contract#law-one" -> {"en": "...", "zh": "..."}


@dataclass(frozen=True)
class Place:
    """Where a section stands in one language, and its fingerprint."""

    path: str
    line: int
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Change:
    """A section that is not as recorded, and the languages in which it is not."""

    key: str
    sides: tuple[str, ...]
    places: dict[str, Place]
    problem: Problem

    @property
    def one_sided(self) -> bool:
        return len(self.sides) == 1


def check(root: Path) -> list[Problem]:
    return [change.problem for change in changes(root)]


def record(root: Path) -> list[Problem]:
    """Record what is new, gone or changed in both languages; return what was refused."""
    recorded = _read(root)
    refused = []
    for change in changes(root):
        if change.one_sided:
            refused.append(change.problem)
        elif change.places:
            recorded[change.key] = _fingerprints(change.places)
        else:
            del recorded[change.key]
    _write(root, recorded)
    return refused


def acknowledge(root: Path, key: str, why: str) -> None:
    """Record a section changed in one language only; ValueError if it is not such a one."""
    change = next((change for change in changes(root) if change.key == key), None)
    if change is None:
        raise ValueError(f"{key} has not changed: nothing to acknowledge")
    if not change.one_sided or len(change.places) < len(LANGUAGES):
        raise ValueError(f"only a change to one of two twins can be acknowledged: {change.problem}")
    if not why.strip():
        raise ValueError("say why the other language needs no change")
    recorded = _read(root)
    (side,) = change.sides
    entry = {
        "date": datetime.now(UTC).date().isoformat(),
        "section": key,
        "changed": side,
        "was": recorded[key][side],
        **_fingerprints(change.places),
        "why": why.strip(),
    }
    with (root / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry, ensure_ascii=False) + "\n")
    recorded[key] = _fingerprints(change.places)
    _write(root, recorded)


def fingerprint(source: str) -> str:
    """Of a section's text; wrapping its lines otherwise changes nothing, a new paragraph does."""
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", source))
    text = "\n".join(filter(None, blocks))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def changes(root: Path) -> list[Change]:
    recorded, current = _read(root), _current(root)
    found = []
    for key in sorted(recorded.keys() | current.keys()):
        was, places = recorded.get(key, {}), current.get(key, {})
        now = _fingerprints(places)
        sides = tuple(side for side in LANGUAGES if was.get(side) != now.get(side))
        if sides:
            problem = _problem(root, key, sides, places, new=not was)
            found.append(Change(key, sides, places, problem))
    return found


def _problem(
    root: Path, key: str, sides: tuple[str, ...], places: dict[str, Place], *, new: bool
) -> Problem:
    if not places:
        line = _line_of(root, key)
        return Problem(PATH, line, f"{key} is gone from both languages: run `record`")
    if len(places) < len(LANGUAGES):
        ((side, place),) = places.items()
        page = key.partition("#")[0]
        (other,) = set(LANGUAGES) - {side}
        said = "is not yet in" if new else "is here, but gone from"
        return Problem(place.path, place.line, f"{key} {said} docs/{other}/{page}.md")
    english, chinese = places["en"], places["zh"]
    if len(sides) == len(LANGUAGES):
        said = "is new" if new else "changed"
        todo = f"if this section and {english} say the same, run `record`"
        return Problem(chinese.path, chinese.line, f"{key} {said}: {todo}")
    changed, stale = (english, chinese) if sides == ("en",) else (chinese, english)
    said = f"{key} changed in {changed} and not here: carry the change over and run `record`, or"
    return Problem(stale.path, stale.line, f'{said} run `acknowledge {key} --why "..."`')


def _current(root: Path) -> dict[str, dict[str, Place]]:
    current: dict[str, dict[str, Place]] = {}
    for language in LANGUAGES:
        for name, page in read_pages(root, language).items():
            for section in page.sections:
                source = section.source + _figures(root, page, section)
                place = Place(page.path, section.line, fingerprint(source))
                current.setdefault(f"{name}#{section.anchor}", {})[language] = place
    for language, name in README.items():
        if (root / name).is_file():
            place = Place(name, 1, fingerprint((root / name).read_text(encoding="utf-8")))
            current.setdefault("README", {})[language] = place
    return current


def _figures(root: Path, page: Page, section: Section) -> str:
    """What the section's own images hold: the words in a diagram are text too."""
    named = [d.argument for d in section.directives if d.name in ("figure", "image")]
    named += [mark.text for mark in section.links]
    files = [(root / page.path).parent / name for name in named if "://" not in name]
    images = [file for file in files if file.suffix in (".svg", ".png") and file.is_file()]
    return "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in images)


def _fingerprints(places: dict[str, Place]) -> dict[str, str]:
    return {side: places[side].fingerprint for side in LANGUAGES if side in places}


def _read(root: Path) -> Record:
    path = root / PATH
    if not path.exists():
        return {}
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def _write(root: Path, record: Record) -> None:
    """One section a line, sorted: the diff of a change shows the sections changed."""
    lines = [f"  {json.dumps(key)}: {json.dumps(record[key])}" for key in sorted(record)]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (root / PATH).write_text(text, encoding="utf-8")


def _line_of(root: Path, key: str) -> int:
    lines = (root / PATH).read_text(encoding="utf-8").splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.startswith(f"  {json.dumps(key)}:"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line(__doc__)
    actions = ("check", "record", "acknowledge")
    parser.add_argument("action", nargs="?", choices=actions, default="check")
    parser.add_argument("section", nargs="?", help="to acknowledge: page#anchor")
    parser.add_argument("--why", default="", help="to acknowledge: why no translation is needed")
    options = parser.parse_intermixed_args(arguments)
    if (options.action == "acknowledge") != (options.section is not None):
        parser.error("acknowledge, and only acknowledge, takes a section")
    if options.action == "acknowledge":
        try:
            acknowledge(options.root, options.section, options.why)
        except ValueError as error:
            parser.error(str(error))
        print(f"fingerprints: {options.section} acknowledged in {LOG}")
        return 0
    run = record if options.action == "record" else check
    return report("fingerprints", run(options.root))


if __name__ == "__main__":
    sys.exit(main())
