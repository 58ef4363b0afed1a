r"""Preference pairs: read, checked, and split.

A pair is a conversation up to the response, and two responses of which people preferred one.
`read_pairs` takes the forms that are in use:

| form | example |
|---|---|
| hh-rlhf's text | `{"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": ...}` |
| whole conversations | `{"chosen": [{"role": "user", ...}, {"role": "assistant", ...}], "rejected": ...}` |
| a prompt apart | `{"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"}`; each may be messages |

from a file of JSON Lines (`.jsonl`, `.jsonl.gz`) or a data set on the Hugging Face hub. A pair that
cannot teach anything is left out and reported with its place and the reason.

Needs transformers, through `conversations`; datasets (written for 5.2) only for names of the hub.
Forms: hh-rlhf (Bai et al. 2022) and TRL 1.16, "preference" type.
"""

import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .conversations import ROLES, Message
from .prompts import parse_human_assistant

__all__ = ["OWN_HELD_OUT", "OWN_PAIRS", "LeftOut", "Pair", "read_pairs", "split_by_group"]

OWN_PAIRS = Path(__file__).parent / "alignment_pairs.jsonl"
"""The book's own pairs, English and Chinese; `README.md` beside it says how they were made."""

OWN_HELD_OUT = Path(__file__).parent / "alignment_pairs_held_out.jsonl"
"""The part of them to measure on."""


@dataclass(frozen=True)
class Pair:
    """Two responses to one conversation; people preferred `chosen`.

    Pairs of one `group` belong on one side of a split. It is the row's field `group`, or the
    first message of the user.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    group: str

    def conversations(self) -> tuple[list[Message], list[Message]]:
        """The conversation with the chosen response, and with the rejected one."""
        chosen = [*self.prompt, {"role": "assistant", "content": self.chosen}]
        rejected = [*self.prompt, {"role": "assistant", "content": self.rejected}]
        return chosen, rejected


@dataclass(frozen=True)
class LeftOut:
    """A row that became no pair: where it is, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def read_pairs(
    source: str | Path,
    *,
    split: str = "train",
    data_dir: str | None = None,
    revision: str | None = None,
) -> tuple[list[Pair], list[LeftOut]]:
    """Read preference pairs from a file, or from a data set of the hub.

    Args:
        source: a path that ends in `.jsonl` or `.jsonl.gz`, or the name of a data set, such as
            `Anthropic/hh-rlhf`.
        split, data_dir, revision: as in `datasets.load_dataset`, for a name of the hub;
            hh-rlhf's harmlessness pairs are in `data_dir="harmless-base"`.

    Returns:
        The pairs, and the rows left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no row of the source is a pair.
    """
    if str(source).endswith((".jsonl", ".jsonl.gz")):
        rows = _rows_of_file(Path(source))
    else:
        rows = _rows_of_hub(str(source), split, data_dir, revision)
    pairs, left_out = [], []
    for where, row in rows:
        try:
            pairs.append(_read_row(row))
        except ValueError as error:
            left_out.append(LeftOut(where, str(error)))
    if not pairs:
        first = f"; the first row: {left_out[0]}" if left_out else ""
        raise ValueError(f"{source} holds no usable pair{first}")
    return pairs, left_out


def split_by_group(
    pairs: Sequence[Pair], fractions: Sequence[float], seed: int
) -> list[list[Pair]]:
    """Split into parts of about these fractions; pairs of one group stay together.

    Args:
        fractions: of the groups, for each part but the first, which gets the rest: `[0.1, 0.1]`
            gives 80, 10 and 10%.

    Returns:
        `len(fractions) + 1` lists, each in the pairs' own order.
    """
    groups = sorted({pair.group for pair in pairs})
    random.Random(seed).shuffle(groups)
    part_of: dict[str, int] = {}
    start = 0.0
    for part, fraction in enumerate(fractions, start=1):
        end = start + fraction * len(groups)
        part_of |= dict.fromkeys(groups[round(start) : round(end)], part)
        start = end
    parts: list[list[Pair]] = [[] for _ in range(len(fractions) + 1)]
    for pair in pairs:
        parts[part_of.get(pair.group, 0)].append(pair)
    return parts


def _rows_of_file(path: Path) -> Iterator[tuple[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as lines:  # bytes, so that one bad character costs one line
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield f"{path.name}:{number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"{path.name}:{number}", error


def _rows_of_hub(
    name: str, split: str, data_dir: str | None, revision: str | None
) -> Iterator[tuple[str, Any]]:
    from datasets import load_dataset  # only here: files do not need it

    rows = load_dataset(name, split=split, data_dir=data_dir, revision=revision)
    return ((f"{name}[{split}]:{number}", row) for number, row in enumerate(rows))


def _read_row(row: Any) -> Pair:
    """Read one row in any of the forms; a ValueError says why it is no pair."""
    if isinstance(row, Exception):
        raise ValueError(f"not JSON: {row}")
    if not isinstance(row, Mapping) or not {"chosen", "rejected"} <= row.keys():
        raise ValueError("the row needs the fields chosen and rejected")
    if row.get("prompt"):
        prompt = _messages(row["prompt"], role="user")
        chosen_turns = _messages(row["chosen"], role="assistant")
        rejected_turns = _messages(row["rejected"], role="assistant")
    else:
        *prompt, chosen_turn = _messages(row["chosen"])
        *other_prompt, rejected_turn = _messages(row["rejected"])
        if prompt != other_prompt:
            raise ValueError("the prompts of chosen and rejected differ")
        chosen_turns, rejected_turns = [chosen_turn], [rejected_turn]
    for name, turns in (("chosen", chosen_turns), ("rejected", rejected_turns)):
        if len(turns) != 1 or turns[0]["role"] != "assistant":
            raise ValueError(f"{name} must be one response of the assistant")
        if not turns[0]["content"].strip():
            raise ValueError(f"the {name} response is empty")
    if not prompt:
        raise ValueError("there is no prompt before the response")
    asked = next((turn["content"] for turn in prompt if turn["role"] == "user"), "")
    group = asked if row.get("group") is None else str(row["group"])
    pair = Pair(tuple(prompt), chosen_turns[0]["content"], rejected_turns[0]["content"], group)
    if pair.chosen.strip() == pair.rejected.strip():
        raise ValueError("the two responses are identical")
    return pair


def _messages(value: Any, role: str | None = None) -> list[dict[str, str]]:
    """Messages as given; text as hh-rlhf's dialogue, or as one message of `role`."""
    if isinstance(value, str):
        return parse_human_assistant(value) if role is None else [{"role": role, "content": value}]
    try:
        messages = [{"role": turn["role"], "content": turn["content"]} for turn in value]
    except (TypeError, KeyError):
        messages = []
    if not messages or not all(
        isinstance(text, str) for turn in messages for text in turn.values()
    ):
        raise ValueError(
            f"expected text or messages with role and content, not {str(value)[:60]!r}"
        )
    if unknown := {turn["role"] for turn in messages} - set(ROLES):
        raise ValueError(f"unknown role {unknown.pop()!r}; known are {', '.join(ROLES)}")
    return messages
