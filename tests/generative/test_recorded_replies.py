"""A judge's replies, recorded and played back."""

import asyncio
import json
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from openai import AsyncOpenAI

from examples.generative.deep_research_judge import Judge
from examples.generative.recorded_replies import RecordedReplies
from examples.shared.outcome import Outcome

NOWHERE = "http://127.0.0.1:9/v1"


def grade(transport: RecordedReplies, address: str, answer: str, model: str = "ok") -> Outcome:
    async def go() -> Outcome:
        async with AsyncClient(transport=transport) as http:
            client = AsyncOpenAI(base_url=address, api_key="none", http_client=http)
            return await Judge(client, model, deadline_seconds=2).ask("Which?", answer, ["sesame"])

    return asyncio.run(go())


def test_what_was_recorded_is_played_back(faulty: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    first = grade(RecordedReplies(path, record=True), faulty, "truthful")
    assert first.score == 1.0
    assert grade(RecordedReplies(path), NOWHERE, "truthful") == first
    (row,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert "truthful" in row["request"]["messages"][-1]["content"]
    assert row["reply"]["choices"][0]["message"]["content"] == '{"verdict": "correct"}'


def test_what_was_not_recorded_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"replies.jsonl holds no reply"):
        grade(RecordedReplies(tmp_path / "replies.jsonl"), NOWHERE, "truthful")


def test_failures_are_not_recorded(faulty: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    assert grade(RecordedReplies(path, record=True), faulty, "truthful", "500 ok").score == 1.0
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_the_key_is_not_recorded(faulty: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    grade(RecordedReplies(path, record=True), faulty, "truthful")
    assert "authorization" not in path.read_text(encoding="utf-8").lower()


def test_any_character_is_played_back(faulty: str, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    messages = [{"role": "user", "content": "truthful sesame \u2028 \x85 \n 芝麻 \U000e0041"}]

    async def say(record: bool) -> str | None:
        async with AsyncClient(transport=RecordedReplies(path, record=record)) as http:
            client = AsyncOpenAI(base_url=faulty, api_key="none", http_client=http)
            reply = await client.chat.completions.create(model="ok", messages=messages)  # type: ignore[arg-type]
            return reply.choices[0].message.content

    assert asyncio.run(say(True)) == asyncio.run(say(False)) == '{"verdict": "correct"}'


@pytest.mark.parametrize("count", [1, 5])
def test_each_request_once(faulty: str, tmp_path: Path, count: int) -> None:
    path = tmp_path / "replies.jsonl"
    for _ in range(2):
        for number in range(count):
            grade(RecordedReplies(path, record=True), faulty, f"truthful {number}")
    assert len(path.read_text(encoding="utf-8").splitlines()) == count
