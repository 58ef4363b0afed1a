"""Execute notebooks from top to bottom in a fresh kernel and store their outputs.

    .venv/bin/python scripts/execute_notebooks.py [NOTEBOOK...]

Without arguments, all of notebooks/. Unlike `jupyter execute`, no times are stored, so that an
unchanged notebook stays unchanged to the byte.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(map(str, Path("notebooks").glob("*.ipynb")))):
        print(f"Executing {path}")
        execute(path)
