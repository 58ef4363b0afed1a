"""What a gate reports, and how it says so."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Problem:
    """One fault, at one line of one file; the path is relative to the book's root."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def command_line(description: str | None) -> argparse.ArgumentParser:
    """The arguments that every gate takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path(), help="the book's root folder")
    return parser


def report(gate: str, problems: Iterable[Problem]) -> int:
    """Print the problems and a one-line summary; return the exit status."""
    found = sorted(set(problems))
    for problem in found:
        print(problem)
    count = {0: "no problems", 1: "1 problem"}.get(len(found), f"{len(found)} problems")
    print(f"{gate}: {count}")
    return 1 if found else 0
