"""The workflow for a GPU runner cannot pass on a CPU."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

WORKFLOW = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "gpu.yml"


def steps() -> list[dict[str, str]]:
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    found: list[dict[str, str]] = jobs["nbval"]["steps"]
    return found


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is visible here")
def test_the_guard_fails_without_cuda() -> None:
    (guard,) = [step["run"] for step in steps() if "CUDA" in step.get("name", "")]
    script = guard.replace(".venv/bin/python", sys.executable)
    result = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "CUDA is not visible to torch" in result.stderr


def test_the_guard_runs_before_the_notebooks() -> None:
    names = [step.get("name", "") + step.get("run", "") for step in steps()]
    guard = next(i for i, name in enumerate(names) if "is_available" in name)
    notebooks = next(i for i, name in enumerate(names) if "--nbval" in name)
    assert guard < notebooks
