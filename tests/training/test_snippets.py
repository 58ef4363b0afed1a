"""What readers copy is what was tested: each file of snippets/ is on both pages."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNIPPETS = sorted(
    path.name for path in (ROOT / "tests/training/snippets").iterdir() if path.is_file()
)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", SNIPPETS)
def test_a_snippet_is_on_the_page(name: str, language: str) -> None:
    page = (ROOT / "docs" / language / "training.md").read_text(encoding="utf-8")
    assert f"../../tests/training/snippets/{name}\n" in page
