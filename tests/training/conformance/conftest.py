"""The adapters against the real frameworks, each in the environment that holds it.

    .frameworks/areal/bin/python -m pytest tests/training/conformance/test_areal.py

`./test_all.sh` makes these environments and runs each file in its own; in any other it is not collected.
"""

import sys
from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect `test_<name>.py` in `.frameworks/<name>` alone."""
    name = collection_path.stem.removeprefix("test_")
    if collection_path.suffix == ".py" and name != collection_path.stem:
        return None if Path(sys.prefix).name == name else True
    return None
