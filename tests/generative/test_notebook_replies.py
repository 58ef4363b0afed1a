"""The replies that the notebook plays back are those of the real server: ask it again, compare."""

import json
from pathlib import Path
from typing import Any

import httpx2

from examples.generative.deep_research_judge import _confidence

REPLIES = Path(__file__).parent.parent.parent / "notebooks" / "data" / "judge_replies.jsonl"


def read(reply: dict[str, Any]) -> tuple[str, float | None]:
    choice = reply["choices"][0]
    text = choice["message"]["content"]
    return text, _confidence(text, choice.get("logprobs"))


def test_the_server_says_again_what_was_recorded(small_judge_address: str) -> None:
    rows = [json.loads(line) for line in REPLIES.read_text(encoding="utf-8").split("\n") if line]
    assert len(rows) > 150
    greedy = [row for row in rows if row["request"]["temperature"] == 0]
    for row in greedy[:: len(greedy) // 10]:
        again = httpx2.post(
            f"{small_judge_address}/chat/completions", json=row["request"], timeout=120
        ).json()
        assert again["usage"]["prompt_tokens"] == row["reply"]["usage"]["prompt_tokens"]
        (now, sure_now), (then, sure_then) = read(again), read(row["reply"])
        if sure_then is None:
            continue  # text without end: another processor may go another way at any word
        assert sure_now is not None
        # Another processor, or another number of threads, changes the last digits: it turns ties.
        assert now == then or max(sure_now, sure_then) < 0.6, row["request"]["messages"][-1]
        if now == then:
            assert abs(sure_now - sure_then) < 0.05


def test_nothing_is_recorded_that_names_a_machine() -> None:
    text = REPLIES.read_text(encoding="utf-8")
    assert "127.0.0.1" not in text
    assert "/site-packages/" not in text
