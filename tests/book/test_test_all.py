"""test_all.sh says at which check it stopped."""

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_failure_names_its_check() -> None:
    script = (REPOSITORY / "test_all.sh").read_text(encoding="utf-8")
    # The script up to its first check, and one that fails.
    head = script[: re.search(r"^ensure_environment", script, re.MULTILINE).start()]  # type: ignore[union-attr]
    program = (
        head.replace('"${BASH_SOURCE[0]}"', '"$0"') + '\nrun "a check that fails" false\necho on\n'
    )
    result = subprocess.run(
        ["bash", "-c", program, str(REPOSITORY / "test_all.sh")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "FAILED at: a check that fails" in result.stderr
    assert "on" not in result.stdout.splitlines()
