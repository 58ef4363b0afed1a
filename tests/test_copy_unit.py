"""The unit to copy is one chapter's folder and shared; copied, it works under any name."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
FOLDERS = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "__init__.py").exists())
CHAPTERS = [name for name in FOLDERS if name != "shared"]
MODULES = sorted(path for name in FOLDERS for path in (EXAMPLES / name).glob("*.py"))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_imported_from_another_package(chapter: str, tmp_path: Path) -> None:
    package = tmp_path / "acme" / "rewards"
    package.mkdir(parents=True)
    shutil.copytree(EXAMPLES / "shared", package / "shared")
    shutil.copytree(EXAMPLES / chapter, package / chapter)
    names = [
        f"acme.rewards.{chapter}.{path.stem}" for path in (EXAMPLES / chapter).glob("[!_]*.py")
    ]
    code = f"import importlib\nfor name in {names!r}:\n    print(importlib.import_module(name).__all__)"
    result = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_module_imports_what_it_says(path: Path) -> None:
    """The standard library, `..shared`, its chapter, and what its docstring names; nothing else."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            assert all((path.parent / f"{name}.py").exists() for name in names), names
        elif isinstance(node, ast.ImportFrom) and node.level:
            where = f"{path}:{node.lineno}"
            assert (node.level, str(node.module).partition(".")[0]) == (2, "shared"), where
            assert path.parent.name != "shared", where
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            for name in names:
                package = str(name).partition(".")[0]
                known = package in sys.stdlib_module_names or re.search(
                    rf"\b{package.replace('_', '[-_]')}\b", docstring
                )
                assert known, f"{path}:{node.lineno}: {package} is not named in the docstring"


@pytest.mark.parametrize("folder", ["rule_based", "shared"])
def test_a_module_has_a_test_file_of_its_own_name(folder: str) -> None:
    names = {path.name for path in (EXAMPLES / folder).glob("[!_]*.py")}
    tests = {path.name for path in (Path(__file__).parent / folder).glob("test_*.py")}
    assert names
    assert {f"test_{name}" for name in names} <= tests
