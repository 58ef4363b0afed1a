"""build_all.sh: its options, and an environment that is installed only when it must be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def build_all(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the script with options that end it early."""
    return subprocess.run(
        [REPOSITORY / "build_all.sh", *options], capture_output=True, text=True, check=False
    )


def test_help_names_every_option() -> None:
    run = build_all("--help")
    assert run.returncode == 0
    for option in ("--clean", "--serve [PORT]", "--help"):
        assert option in run.stdout


@pytest.mark.parametrize("options", [["--sreve"], ["--serve", "eight"], ["docs/en"]])
def test_an_unknown_option_is_refused(options: list[str]) -> None:
    run = build_all(*options)
    assert run.returncode == 2
    assert f"unknown option: {options[-1]}" in run.stderr


def test_packages_are_installed_only_when_a_pin_is_new(tmp_path: Path) -> None:
    """A build after the larger environment of the tests installs nothing."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$*" in *pip*) echo "$*" >>calls;; esac\n')
    python.chmod(0o755)
    book, test = tmp_path / "book.txt", tmp_path / "test.txt"
    book.write_text("# lock\njinja2==3.1 \\\n    --hash=sha256:00\nsphinx==7.4\n    # via book\n")
    test.write_text("jinja2==3.1 ; python_version > '3'\npytest==9.2\nsphinx==7.4\n")
    installs = []

    def ensure(lock: Path) -> None:
        script = f"set -euo pipefail; source {REPOSITORY}/scripts/environment.sh"
        subprocess.run(
            ["bash", "-c", f"{script}; ensure_environment {lock.name}"], cwd=tmp_path, check=True
        )
        calls = tmp_path / "calls"
        installs.append(len(calls.read_text().splitlines()) if calls.exists() else 0)

    for lock in (book, book, test, book, test):
        ensure(lock)
    assert installs == [1, 1, 2, 2, 2]
    book.write_text("jinja2==3.1\nsphinx==7.5\n")
    for lock in (book, book, test):
        ensure(lock)
    assert installs[5:] == [3, 3, 4]
