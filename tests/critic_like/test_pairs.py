"""Preference pairs: every form is read, every row that cannot teach is reported, groups stay whole."""

import collections
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.critic_like.pairs import (
    OWN_HELD_OUT,
    OWN_PAIRS,
    LeftOut,
    Pair,
    read_pairs,
    split_by_group,
)

GOOD = {"prompt": "Hi", "chosen": "Hello!", "rejected": "What?"}


def write(path: Path, *rows: Any) -> Path:
    """Rows as JSON Lines; a string is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


# --- Forms -------------------------------------------------------------------------------------

FORMS: dict[str, dict[str, Any]] = {
    "dialogue text": {
        "chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: 巴黎?\n\nAssistant: Hello!",
        "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: 巴黎?\n\nAssistant: What?",
    },
    "whole conversations": {
        side: [
            message("user", "Hi"),
            message("assistant", "Yes?"),
            message("user", "巴黎?"),
            message("assistant", response),
        ]
        for side, response in (("chosen", "Hello!"), ("rejected", "What?"))
    },
    "a prompt of messages apart": {
        "prompt": [message("user", "Hi"), message("assistant", "Yes?"), message("user", "巴黎?")],
        "chosen": [message("assistant", "Hello!")],
        "rejected": [message("assistant", "What?")],
    },
    "a prompt of messages and responses of text": {
        "prompt": [message("user", "Hi"), message("assistant", "Yes?"), message("user", "巴黎?")],
        "chosen": "Hello!",
        "rejected": "What?",
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_every_form_gives_the_same_pair(form: str, suffix: str, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", FORMS[form])
    if suffix == ".jsonl.gz":
        path = tmp_path / "pairs.jsonl.gz"
        path.write_bytes(gzip.compress((tmp_path / "pairs.jsonl").read_bytes()))
    pairs, left_out = read_pairs(path)
    assert not left_out
    (pair,) = pairs
    assert [dict(m) for m in pair.prompt] == [
        message("user", "Hi"),
        message("assistant", "Yes?"),
        message("user", "巴黎?"),
    ]
    assert (pair.chosen, pair.rejected, pair.group) == ("Hello!", "What?", "Hi")


def test_a_prompt_of_text_is_one_message_of_the_user(tmp_path: Path) -> None:
    ((pair,), _) = read_pairs(str(write(tmp_path / "pairs.jsonl", GOOD)))
    chosen, rejected = pair.conversations()
    assert chosen == [message("user", "Hi"), message("assistant", "Hello!")]
    assert rejected == [message("user", "Hi"), message("assistant", "What?")]


def test_a_system_message_belongs_to_the_prompt_and_names_no_group(tmp_path: Path) -> None:
    prompt = [message("system", "Be brief."), message("user", "Hi")]
    ((pair,), _) = read_pairs(write(tmp_path / "pairs.jsonl", GOOD | {"prompt": prompt}))
    assert [m["role"] for m in pair.prompt] == ["system", "user"]
    assert pair.group == "Hi"


@pytest.mark.parametrize(("given_group", "group"), [("a", "a"), (7, "7"), (0, "0"), (None, "Hi")])
def test_the_rows_own_group_counts_before_the_prompt(
    given_group: Any, group: str, tmp_path: Path
) -> None:
    ((pair,), _) = read_pairs(write(tmp_path / "pairs.jsonl", GOOD | {"group": given_group}))
    assert pair.group == group


def test_other_fields_are_ignored(tmp_path: Path) -> None:
    row = GOOD | {"score_chosen": 9, "lang": None, "messages": [], "path": "/etc/passwd"}
    assert read_pairs(write(tmp_path / "pairs.jsonl", row)) == read_pairs(
        write(tmp_path / "plain.jsonl", GOOD)
    )


# --- Rows left out -----------------------------------------------------------------------------

HUMAN_LAST = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Bye"
LEFT_OUT: dict[str, tuple[Any, str]] = {
    "not JSON": ('{"prompt": ', "not JSON"),
    "a list": ([1, 2], "needs the fields chosen and rejected"),
    "a number": (17, "needs the fields chosen and rejected"),
    "null": ("null", "needs the fields chosen and rejected"),
    "text": ('"chosen rejected"', "needs the fields chosen and rejected"),
    "no rejected": ({"prompt": "Hi", "chosen": "Hello!"}, "needs the fields chosen and rejected"),
    "identical": (GOOD | {"rejected": " Hello!\n"}, "the two responses are identical"),
    "chosen empty": (GOOD | {"chosen": " \n"}, "the chosen response is empty"),
    "rejected empty": (GOOD | {"rejected": ""}, "the rejected response is empty"),
    "chosen a number": (GOOD | {"chosen": 5}, "expected text or messages"),
    "chosen null": (GOOD | {"chosen": None}, "expected text or messages"),
    "rejected an object": (GOOD | {"rejected": {"role": "assistant"}}, "expected text or messages"),
    "rejected an empty list": (GOOD | {"rejected": []}, "expected text or messages"),
    "content a number": (GOOD | {"chosen": [message("assistant", 5)]}, "expected text or messages"),
    "content of parts": (
        GOOD | {"chosen": [message("assistant", [{"type": "text", "text": "Hello!"}])]},
        "expected text or messages",
    ),
    "message without role": (GOOD | {"chosen": [{"content": "Hi"}]}, "expected text or messages"),
    "prompt a number": (GOOD | {"prompt": 5}, "expected text or messages"),
    "two responses": (
        GOOD | {"chosen": [message("assistant", "a"), message("assistant", "b")]},
        "chosen must be one response of the assistant",
    ),
    "response of the user": (
        GOOD | {"rejected": [message("user", "a")]},
        "rejected must be one response of the assistant",
    ),
    "unknown role": (GOOD | {"prompt": [message("human", "Hi")]}, "role"),
    "no dialogue": ({"chosen": "Hello!", "rejected": "What?"}, "must begin with 'Human:'"),
    "the user has the last word": (
        {"chosen": HUMAN_LAST, "rejected": HUMAN_LAST + "!"},
        "chosen must be one response of the assistant",
    ),
    "prompts differ": (
        {
            "chosen": "\n\nHuman: Hi\n\nAssistant: Hello!",
            "rejected": "\n\nHuman: Ho\n\nAssistant: What?",
        },
        "the prompts of chosen and rejected differ",
    ),
    "no prompt": (
        {"chosen": "\n\nAssistant: Hello!", "rejected": "\n\nAssistant: What?"},
        "there is no prompt before the response",
    ),
    "prompt empty": (GOOD | {"prompt": ""}, "must begin with 'Human:'"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_row_that_cannot_teach_is_left_out_with_its_place_and_reason(
    name: str, tmp_path: Path
) -> None:
    row, why = LEFT_OUT[name]
    pairs, left_out = read_pairs(write(tmp_path / "pairs.jsonl", GOOD, "", row, GOOD))
    assert len(pairs) == 2
    assert [bad.where for bad in left_out] == ["pairs.jsonl:3"]
    assert why in left_out[0].why
    assert str(left_out[0]).startswith("pairs.jsonl:3: ")


def test_a_place_in_a_compressed_file_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(f"{json.dumps(GOOD)}\n[]\n".encode()))
    _, left_out = read_pairs(path)
    assert [bad.where for bad in left_out] == ["pairs.jsonl.gz:2"]


def test_a_source_without_any_pair_is_refused_with_its_first_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", [], GOOD | {"chosen": ""})
    with pytest.raises(ValueError, match=r"no usable pair; the first row: pairs.jsonl:1: the row"):
        read_pairs(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no usable pair"):
        read_pairs(write(tmp_path / "pairs.jsonl", ""))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.jsonl"):
        read_pairs(tmp_path / "missing.jsonl")


# --- Data sets of the hub, here a folder on the disk --------------------------------------------


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hh"
    (folder / "harmless-base").mkdir(parents=True)
    text = "\n\nHuman: Hi\n\nAssistant: {}"
    row = {"chosen": text.format("Hello!"), "rejected": text.format("What?")}
    empty = {"chosen": text.format(""), "rejected": text.format("What?")}
    write(folder / "harmless-base" / "train.jsonl", row, empty, row)
    write(folder / "harmless-base" / "test.jsonl", row)
    (folder / "helpful-base").mkdir()
    write(folder / "helpful-base" / "train.jsonl", row)
    return folder


def test_a_data_set_is_read_by_its_name(dataset: Path) -> None:
    pairs, left_out = read_pairs(str(dataset), data_dir="harmless-base")
    assert [pair.chosen for pair in pairs] == ["Hello!", "Hello!"]
    assert left_out == [LeftOut(f"{dataset}[train]:1", "the chosen response is empty")]


def test_another_split_of_a_data_set_is_read(dataset: Path) -> None:
    pairs, left_out = read_pairs(str(dataset), split="test", data_dir="harmless-base")
    assert (len(pairs), left_out) == (1, [])


# --- Splitting ---------------------------------------------------------------------------------


def pairs_of(groups: list[str]) -> list[Pair]:
    return [Pair((message("user", g),), str(i), "no", g) for i, g in enumerate(groups)]


fractions = st.lists(st.floats(0, 1), max_size=3).filter(lambda parts: sum(parts) <= 1)


@given(st.lists(st.sampled_from("abcdefghij")), fractions, st.integers(0, 3))
def test_a_split_is_a_partition_and_keeps_groups_whole(
    groups: list[str], parts: list[float], seed: int
) -> None:
    pairs = pairs_of(groups)
    split = split_by_group(pairs, parts, seed)
    assert len(split) == len(parts) + 1
    assert sorted(pair.chosen for part in split for pair in part) == sorted(p.chosen for p in pairs)
    sides = collections.Counter(group for part in split for group in {p.group for p in part})
    assert all(count == 1 for count in sides.values())
    for part in split:
        assert [int(pair.chosen) for pair in part] == sorted(int(pair.chosen) for pair in part)


@given(st.integers(1, 300), fractions, st.integers(0, 3))
def test_parts_have_about_the_sizes_asked_for(count: int, parts: list[float], seed: int) -> None:
    split = split_by_group(pairs_of([str(i) for i in range(count)]), parts, seed)
    for part, fraction in zip(split[1:], parts, strict=True):
        assert abs(len(part) - fraction * count) <= 1


def test_a_split_depends_on_the_seed_and_not_on_the_order_of_rows() -> None:
    pairs = pairs_of([str(i) for i in range(50)])
    first, again, other = (split_by_group(pairs, [0.2, 0.3], seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    backwards = split_by_group(pairs[::-1], [0.2, 0.3], 0)
    assert [set(map(str, part)) for part in backwards] == [set(map(str, part)) for part in first]


def test_another_part_leaves_the_parts_before_it_as_they_are() -> None:
    pairs = pairs_of([str(i) for i in range(50)])
    assert split_by_group(pairs, [0.2], 0)[1] == split_by_group(pairs, [0.2, 0.3], 0)[1]


# --- The book's own pairs ----------------------------------------------------------------------

OWN = {"training": (OWN_PAIRS, 840), "held out": (OWN_HELD_OUT, 140)}


@pytest.mark.parametrize("part", OWN)
def test_the_own_pairs_are_all_usable(part: str) -> None:
    path, count = OWN[part]
    pairs, left_out = read_pairs(path)
    assert (len(pairs), left_out) == (count, [])


@pytest.mark.parametrize("part", OWN)
def test_a_response_of_the_own_pairs_is_as_often_right_as_wrong(part: str) -> None:
    """So no look at the responses alone, such as at their length, is right more than by chance."""
    pairs, _ = read_pairs(OWN[part][0])
    chosen = collections.Counter(pair.chosen for pair in pairs)
    assert len(set(chosen.values())) == 1
    assert chosen == collections.Counter(pair.rejected for pair in pairs)


def test_a_held_out_group_is_two_prompts_and_their_two_responses() -> None:
    groups: dict[str, list[Pair]] = collections.defaultdict(list)
    for pair in read_pairs(OWN_HELD_OUT)[0]:
        groups[pair.group].append(pair)
    for one, other in groups.values():
        assert one.prompt != other.prompt
        assert (one.chosen, one.rejected) == (other.rejected, other.chosen)


@pytest.mark.parametrize("part", OWN)
def test_no_response_is_in_two_groups(part: str) -> None:
    group_of: dict[str, str] = {}
    for pair in read_pairs(OWN[part][0])[0]:
        for text in (pair.chosen, pair.rejected):
            assert group_of.setdefault(text, pair.group) == pair.group


def test_no_group_prompt_or_response_of_the_own_pairs_is_on_both_sides() -> None:
    training, held_out = (read_pairs(path)[0] for path, _ in OWN.values())
    for seen in (
        lambda pair: pair.group,
        lambda pair: pair.chosen,
        lambda pair: pair.prompt[0]["content"],
    ):
        assert not {seen(pair) for pair in training} & {seen(pair) for pair in held_out}


@pytest.mark.parametrize("part", OWN)
def test_half_of_the_own_pairs_are_chinese_and_each_says_what_it_is(part: str) -> None:
    path, count = OWN[part]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert collections.Counter(row["lang"] for row in rows) == {"en": count / 2, "zh": count / 2}
    assert {row["kind"] for row in rows} == {"answers", "care"}
    for row in rows:
        chinese = any("\u4e00" <= c <= "\u9fff" for c in row["prompt"])
        assert chinese == (row["lang"] == "zh"), row["prompt"]


@pytest.mark.parametrize(
    "bad", [b'{"prompt": "\xff"}', b"[" * 100_000], ids=["no UTF-8", "nested too deeply"]
)
def test_a_line_that_cannot_be_read_costs_no_other(bad: bytes, tmp_path: Path) -> None:
    good = json.dumps(GOOD).encode()
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"\n".join([good, bad, good]))
    pairs, left_out = read_pairs(path)
    assert len(pairs) == 2
    assert [row.where for row in left_out] == ["pairs.jsonl:2"]
