"""Small books to build in tests, and the finished site to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "docs" / "_ext"))


@pytest.fixture
def tiny_book(tmp_path: Path) -> Path:
    """Return the root of a book of one page in each language, with this book's own machinery."""
    shutil.copy(REPOSITORY / "_config.yml", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "_ext").symlink_to(REPOSITORY / "docs" / "_ext")
    for language, title in [("en", "Home"), ("zh", "首页")]:
        folder = tmp_path / "docs" / language
        folder.mkdir()
        (folder / "_config.yml").symlink_to("../../_config.yml")
        (folder / "_toc.yml").symlink_to("../../_toc.yml")
        (folder / "index.md").write_text(f"(home)=\n# {title}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def jb_build() -> Callable[..., None]:
    """Return a function that runs `jb build -W` as a reader would, and expects it to work."""

    def run(source: str, folder: Path, **variables: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BOOK_")}
        command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
        result = subprocess.run(
            [*command, "build", source, "-W", "--keep-going"],
            cwd=folder,
            env=environment | variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert "WARNING" not in result.stderr

    return run


@pytest.fixture(scope="session")
def site() -> Path:
    """Return the built site: the folder that BOOK_SITE names, or _build/html if it is there."""
    named = os.environ.get("BOOK_SITE")
    folder = Path(named) if named else REPOSITORY / "_build" / "html"
    missing = [name for name in ("index.html", "en", "zh") if not (folder / name).exists()]
    if missing:
        problem = f"{folder} has no {', '.join(missing)}: run ./build_all.sh first"
        if named:
            pytest.fail(problem)
        pytest.skip(problem)
    return folder
