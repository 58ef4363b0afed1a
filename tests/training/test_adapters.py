"""The table of adapters, and what every adapter module has."""

import asyncio
import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from graders import grade, grade_async

from examples.deadlines.async_reward import AsyncRewardWrapper
from examples.training import adapters as module
from examples.training.adapters import Adapter, Becomes, Checked, adapters, table
from examples.training.areal_adapter import areal_reward_fn
from examples.training.ms_swift_adapter import ms_swift_reward
from examples.training.trl_adapter import trl_reward

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


# Names that a parameter on the way of a row has, or could have.
COLUMNS = (
    "self cls args kwargs columns row rows grade grader name response question reference prompt prompts "
    "completion completions prompt_ids completion_ids fn function call data loop log_extra timeout"
).split()


def call_areal(reward: Any, columns: dict[str, Any]) -> Any:
    return reward("8 * 9?", "72", [1], [2], **columns)


def call_in_a_worker(reward: Any, columns: dict[str, Any]) -> Any:
    return AsyncRewardWrapper(reward, timeout_seconds=60, max_workers=1)(
        "8 * 9?", "72", [1], [2], **columns
    )


def call_ms_swift(reward: Any, columns: dict[str, Any]) -> Any:
    lists = {name: [value] for name, value in columns.items()}
    return reward(args=None)(["72"], trainer_state=None, **lists)


def call_trl(reward: Any, columns: dict[str, Any]) -> Any:
    lists = {name: [value] for name, value in columns.items()}
    return reward(prompts=["8 * 9?"], completions=["72"], trainer_state=None, **lists)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    ("make", "call"),
    [
        (lambda: areal_reward_fn(grade), call_areal),
        (lambda: areal_reward_fn(grade), call_in_a_worker),
        (lambda: areal_reward_fn(grade_async), call_areal),
        (lambda: ms_swift_reward(grade), call_ms_swift),
        (lambda: ms_swift_reward(grade_async), call_ms_swift),
        (lambda: trl_reward(grade), call_trl),
        (lambda: trl_reward(grade_async), call_trl),
    ],
    ids=["areal", "worker", "areal async", "ms-swift", "ms-swift async", "trl", "trl async"],
)
def test_a_column_of_any_name_is_refused_by_check_or_does_no_harm(
    make: Any, call: Any, column: str
) -> None:
    row = {"messages": [{"role": "user", "content": "8 * 9?"}], "answer": "72", column: "x"}
    reward = make()
    try:
        reward.check([row])
    except ValueError:
        if column != "self":  # AReaL's own wrapper cannot take it; this adapter can
            return
    if call is call_trl and column in ("prompt", "completion", "completion_ids"):
        return  # TRL passes none of these on
    result = call(reward, row)
    score = asyncio.run(result) if inspect.iscoroutine(result) else result
    assert score in (1.0, [1.0])


def test_no_other_adapter_is_given_columns_as_arguments(name: str) -> None:
    """Else it belongs into the test above."""
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert ("**columns" in source) == (name in ("areal_adapter", "ms_swift_adapter", "trl_adapter"))


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
