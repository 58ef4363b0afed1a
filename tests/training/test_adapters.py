"""The table of adapters, and what every adapter module has."""

import importlib
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from examples.training import adapters as module
from examples.training.adapters import Adapter, Becomes, Checked, adapters, table

FOLDER = Path(module.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*_adapter.py"))
FRAMEWORKS = (
    "areal nemo_rl openrlhf rllm skyrl skyrl_gym skyrl_train slime swift trl verifiers verl "
    "ray torch transformers vllm"
).split()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_is_an_adapter_for_each_framework_of_the_book() -> None:
    assert len(NAMES) >= 10


def test_every_field_of_an_adapter_is_filled(name: str) -> None:
    adapter = importlib.import_module(f"examples.training.{name}").ADAPTER
    assert isinstance(adapter, Adapter)
    assert isinstance(adapter.becomes, Becomes)
    assert isinstance(adapter.checked, Checked)
    for field in fields(adapter):
        value = getattr(adapter, field.name)
        assert value.strip() == value != "", field.name


def test_the_docstring_names_the_framework_and_the_version(name: str) -> None:
    adapter = importlib.import_module(f"examples.training.{name}")
    assert adapter.__doc__ is not None
    assert re.search(rf"\b{re.escape(adapter.ADAPTER.version)}\b", adapter.__doc__)
    assert adapter.ADAPTER.framework in adapter.__doc__


def test_the_docstring_says_what_an_abstention_becomes(name: str) -> None:
    assert re.search("abst[ae]", importlib.import_module(f"examples.training.{name}").__doc__ or "")


def test_what_the_adapter_declares_is_public(name: str) -> None:
    adapter = importlib.import_module(f"examples.training.{name}")
    assert "ADAPTER" in adapter.__all__
    assert all(hasattr(adapter, public) for public in adapter.__all__)


def test_a_framework_has_one_adapter() -> None:
    frameworks = [adapter.framework for adapter in adapters()]
    assert len(set(frameworks)) == len(frameworks) == len(NAMES)


def test_the_table_has_one_line_for_each_adapter() -> None:
    head, rule, *lines = table().splitlines()
    assert len(lines) == len(NAMES)
    for line, adapter in zip(lines, adapters(), strict=True):
        assert line.startswith(f"| {adapter.framework} | {adapter.version} |")
        for field in fields(adapter):
            assert str(getattr(adapter, field.name)) in line
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in (head, rule, *lines)}
    assert columns == {7}, "a field holds a vertical bar, which Markdown takes for a column"


def test_a_table_of_some_adapters_keeps_their_order() -> None:
    lines = table(["verl_adapter", "trl_adapter"]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| verl", "| TRL"]
    assert len(table([]).splitlines()) == 2


def test_an_adapter_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="none_adapter"):
        adapters(["none_adapter"])


def test_importing_the_adapters_imports_no_framework() -> None:
    code = (
        "import sys\n"
        "from examples.training.adapters import adapters\n"
        "adapters()\n"
        f"print(*sorted(set({FRAMEWORKS!r}) & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
