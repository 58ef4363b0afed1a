"""Every notebook was run from top to bottom and holds what it shows.

nbval compares stored output with new output, so it passes over output that was never stored. Here:
cells were executed in order, 1 to n; a cell that must print or show something holds output; an
error is stored where, and only where, the tag ``raises-exception`` announces it; nothing stored
names a machine. Every tag that a page's ``nb-cell`` asks for is on exactly one code cell.

A cell that is meant to write to stderr says so with the tag ``shows-stderr``.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from .pages import LANGUAGES, read_pages
from .problems import Problem, command_line, report

# These say how a cell behaves, so many cells may share one; any other tag names one cell.
_BEHAVIOUR = re.compile(r"nbval-.*|raises-exception|shows-stderr")
_UNCHECKED = re.compile(r"nbval[-_](?:skip|ignore[-_]output)", re.IGNORECASE)
_WIDGET = "application/vnd.jupyter.widget"
_MACHINE_PATH = re.compile(
    r"(?<![\w.])(?:/home/|/root/|/tmp/|/Users/|/var/folders/|[A-Z]:\\Users\\)"
    r"|\bFile (?:~?/|[A-Z]:\\)"  # as a traceback names a module
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CELL_SOURCE = re.compile(r'^   "source":', re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A code cell: its number among all cells, from 1, and the line where its source starts."""

    number: int
    line: int
    source: str
    tags: tuple[str, ...]
    execution_count: int | None
    outputs: list[dict[str, Any]]


@dataclass(frozen=True)
class Notebook:
    path: str
    metadata: dict[str, Any]
    cells: list[Cell]


def check(root: Path) -> list[Problem]:
    problems: list[Problem] = []
    sound: dict[str, Notebook] = {}
    for path in sorted((root / "notebooks").rglob("*.ipynb")):
        name = path.relative_to(root).as_posix()
        if ".ipynb_checkpoints" in path.parts:
            continue
        try:
            notebook = read_notebook(path, name)
        except json.JSONDecodeError as error:
            problems.append(Problem(name, error.lineno, f"not JSON: {error.msg}"))
        except nbformat.ValidationError as error:
            problems.append(Problem(name, 1, f"not a valid notebook: {str(error).splitlines()[0]}"))
        else:
            problems += check_notebook(notebook)
            key = path.relative_to(root / "notebooks").with_suffix("").as_posix()
            sound[key] = notebook
    if not sound and not problems:
        problems.append(Problem("notebooks", 1, "no notebooks here"))
    return problems + list(_check_shown_cells(root, sound))


def read_notebook(path: Path, name: str) -> Notebook:
    text = path.read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    nbformat.validate(content)
    starts = [text.count("\n", 0, m.start()) + 1 for m in _CELL_SOURCE.finditer(text)]
    if len(starts) != len(content["cells"]):  # not written by Jupyter: its lines say nothing
        starts = [1] * len(content["cells"])
    cells = [
        Cell(
            number=number,
            line=line,
            source=_joined(cell["source"]),
            tags=tuple(cell["metadata"].get("tags", ())),
            execution_count=cell["execution_count"],
            outputs=cell["outputs"],
        )
        for number, (cell, line) in enumerate(zip(content["cells"], starts, strict=True), 1)
        if cell["cell_type"] == "code"
    ]
    return Notebook(name, content["metadata"], cells)


def check_notebook(notebook: Notebook) -> Iterator[Problem]:
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield Problem(notebook.path, 1, f"kernelspec is {kernel!r}; make it 'python3'")
    if "widgets" in notebook.metadata:
        yield Problem(notebook.path, 1, "holds widget state: clear it and store plain output")

    named: dict[str, int] = {}
    written = [cell for cell in notebook.cells if cell.source.strip()]
    for expected, cell in enumerate(written, 1):
        messages = [*_check_execution(cell, expected), *_check_outputs(cell), *_check_shows(cell)]
        for tag in cell.tags:
            if _BEHAVIOUR.fullmatch(tag):
                continue
            if tag in named:
                messages.append(f"tag {tag!r} is already on cell {named[tag]}")
            named.setdefault(tag, cell.number)
        for message in messages:
            yield Problem(notebook.path, cell.line, f"cell {cell.number}: {message}")


def _check_execution(cell: Cell, expected: int) -> Iterator[str]:
    if cell.execution_count is None:
        yield "not executed"
    elif cell.execution_count != expected:
        yield f"executed as [{cell.execution_count}], expected [{expected}]: restart and run all"


def _check_outputs(cell: Cell) -> Iterator[str]:
    """What is stored is this run's, expected, and the same on every machine."""
    errors = _errors(cell)
    if "raises-exception" in cell.tags and not errors:
        yield "tagged raises-exception, but holds no error"
    if "raises-exception" not in cell.tags and errors:
        yield f"holds {errors[0]}, but is not tagged raises-exception"
    for output in cell.outputs:
        if output.get("execution_count", cell.execution_count) != cell.execution_count:
            yield f"its output is of another run, [{output['execution_count']}]"
        # nbval compares the error's name and message, but pages show its traceback.
        if output["output_type"] == "error":
            shown = _COLOUR.sub("", _joined(output["traceback"][-1:])).strip()
            if not shown.endswith(f"{output['ename']}: {output['evalue']}".strip().rstrip(":")):
                yield "its traceback does not end in the error that it stores"
        if output.get("name") == "stderr" and "shows-stderr" not in cell.tags:
            yield "holds text on stderr, but is not tagged shows-stderr"
        if any(kind.startswith(_WIDGET) for kind in output.get("data", {})):
            yield "holds a widget, which a page cannot show"
        machine_path = _MACHINE_PATH.search(_text(output))
        if machine_path:
            yield f"its output names a path of one machine: {machine_path.group()}"


def _errors(cell: Cell) -> list[str]:
    return [output["ename"] for output in cell.outputs if output["output_type"] == "error"]


def _check_shows(cell: Cell) -> Iterator[str]:
    """What the source surely prints or shows is stored."""
    if "raises-exception" in cell.tags or _errors(cell):
        return  # it may stop before its last line
    source = TransformerManager().transform_cell(cell.source)  # type: ignore[no-untyped-call]
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        yield f"not Python: {error.msg}"
        return
    if _ends_with_semicolon(source):
        yield "ends with ';', which strict nbval fails: write `_ = ...`"
        return
    stdout = any(output.get("name") == "stdout" for output in cell.outputs)
    shown = any(o["output_type"] in ("execute_result", "display_data") for o in cell.outputs)
    if any(_prints(statement) for statement in statements) and not stdout:
        yield "calls print, but holds no printed output"
    if statements and _shows(statements[-1]) and not shown:
        yield "ends in an expression, but holds no value"


def _prints(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Name("print"), keywords=keywords)):
            return not any(keyword.arg == "file" for keyword in keywords)
    return False


def _shows(statement: ast.stmt) -> bool:
    """Whether it is an expression with a value; a call may return None, so it is not."""
    match statement:
        case ast.Expr(ast.Constant(None) | ast.Call() | ast.Await() | ast.Yield()):
            return False
        case ast.Expr():
            return True
    return False


def _ends_with_semicolon(source: str) -> bool:
    trivia = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    words = [token.string for token in tokens if token.type not in trivia]
    return words[-1:] == [";"]


def _check_shown_cells(root: Path, notebooks: dict[str, Notebook]) -> Iterator[Problem]:
    """A page shows exactly one cell by its tag, and one whose output nbval compares."""
    for language in LANGUAGES:
        for page in read_pages(root, language).values():
            for section in page.sections:
                for directive in section.directives:
                    if directive.name != "nb-cell":
                        continue
                    name, _, tag = directive.argument.partition("#")
                    path = f"notebooks/{name}.ipynb"
                    cells = (
                        [c for c in notebooks[name].cells if tag in c.tags]
                        if name in notebooks
                        else []
                    )
                    if name not in notebooks:
                        message = f"nb-cell: there is no sound {path}"
                    elif len(cells) != 1:
                        message = (
                            f"nb-cell: {path} has {len(cells)} code cells tagged {tag!r}, not 1"
                        )
                    elif _UNCHECKED.search(" ".join((*cells[0].tags, cells[0].source))):
                        message = (
                            f"nb-cell: the output of {directive.argument} is not compared by nbval"
                        )
                    else:
                        continue
                    yield Problem(page.path, directive.line, message)


def _text(output: dict[str, Any]) -> str:
    """All text of an output, as a page may show it; images are left out."""
    parts = [output.get("text", ""), output.get("evalue", "")]
    parts += output.get("traceback", [])
    data = output.get("data", {})
    parts += [value for kind, value in data.items() if not kind.startswith("image/")]
    return _COLOUR.sub("", "\n".join(_joined(part) for part in parts))


def _joined(text: Any) -> str:
    """nbformat stores text as one string or as a list of lines; JSON data stay as they are."""
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)


def main(arguments: Sequence[str] | None = None) -> int:
    options = command_line(__doc__).parse_args(arguments)
    return report("notebooks", check(options.root))


if __name__ == "__main__":
    sys.exit(main())
