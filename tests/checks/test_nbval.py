"""nbval, as ./test_all.sh calls it, notices one digit in a stored output."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from sample_book import sound_notebook


@pytest.mark.parametrize(("stored", "fails"), [("score 1.0\n", False), ("score 1.1\n", True)])
def test_a_digit_in_a_stored_output(tmp_path: Path, stored: str, fails: bool) -> None:
    notebook = sound_notebook()
    del notebook.cells[4]  # its function is not defined here
    notebook.cells[2].outputs[0].text = stored
    nbformat.write(notebook, tmp_path / "runs.ipynb")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "--nbval", "runs.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode != 0) == fails, result.stdout
    if fails:
        assert "FAILED runs.ipynb::Cell 1" in result.stdout
