"""What the adapters of this folder have in common, and one table of them.

    >>> print(table(["trl_adapter"]).splitlines()[-1])
    | TRL | 1.16.0 | `None` | `left_out` | `trained` | `GRPOTrainer(reward_funcs=...)` |

Each adapter states in its `ADAPTER` how a framework is given the reward, and what an abstention
becomes there. The conformance tests hold the framework, at that version, to it.

Standard library only.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Adapter", "Becomes", "Checked", "adapters", "table"]


class Becomes(StrEnum):
    """What becomes of a completion whose grader abstained."""

    LEFT_OUT = "left_out"
    """The others of its group are compared among themselves; it gives no gradient."""
    DROPPED = "dropped"
    """The trajectory leaves the batch, and where a framework gathers groups, its group too."""
    RETRIED = "retried"
    """The framework rolls out again, or records an error; nothing is trained on."""
    STOPS = "stops"
    """The framework has no way to say it: the run stops."""


class Checked(StrEnum):
    """How far the tests of this book go."""

    TRAINED = "trained"
    """Its own trainer ran here."""
    CALLED = "called"
    """Its own code that calls rewards ran here."""
    SIGNATURE = "signature"
    """Its package does not import without a GPU: compared with a recorded signature, not run."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One framework.

    Args:
        framework: its name.
        version: the release, or the first digits of the commit, that the adapter was checked with.
        hook: the option or argument that takes the reward, as the reader writes it.
        abstention: what the adapter returns, raises or sets where a grader abstains.
        becomes: what the framework makes of that.
        checked: how far the tests go.
    """

    framework: str
    version: str
    hook: str
    abstention: str
    becomes: Becomes
    checked: Checked


def adapters(modules: Iterable[str] | None = None) -> list[Adapter]:
    """Return the `ADAPTER` of each `*_adapter` module of this folder, in alphabetical order."""
    folder = Path(__file__).parent
    names = (
        sorted(path.stem for path in folder.glob("*_adapter.py")) if modules is None else modules
    )
    return [importlib.import_module(f".{name}", __package__).ADAPTER for name in names]


def table(modules: Iterable[str] | None = None) -> str:
    """Return the adapters as a table in Markdown, one line each."""
    lines = [
        "| framework | checked with | where a grader abstains | it becomes | checked | hook |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {a.framework} | {a.version} | `{a.abstention}` | `{a.becomes}` | `{a.checked}` | `{a.hook}` |"
        for a in adapters(modules)
    ]
    return "\n".join(lines)
