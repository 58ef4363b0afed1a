"""The judge's client, against a server that fails in every way: no failure becomes a score."""

import asyncio
import json
import math
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from examples.generative import deep_research_judge
from examples.generative.base_judge import Item, Reply
from examples.generative.canaries import CanaryFailure
from examples.generative.deep_research_judge import (
    DeepResearchReward,
    Judge,
    deep_research_reward_fn,
    parse_verdict,
)
from examples.generative.faulty_server import key_of
from examples.generative.prompts import CHINESE
from examples.generative.reply_cache import ReplyCache
from examples.shared.outcome import Abstained, Outcome, Reason

ROOT = Path(__file__).parent.parent.parent
QUESTION = "Which word opens the gate?"
REFERENCE = "sesame"
TRUE = "The one in the tale of the forty thieves, truthful as ever"  # correct, says the server
FALSE = "The one that the porter was told last night"


def client(address: str, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=address, api_key="none", **options)


def stats(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address.removesuffix('/v1')}/stats") as reply:
        numbers: dict[str, Any] = json.load(reply)
    return numbers


def grade(address: str, script: str, response: str = TRUE, **options: Any) -> Outcome:
    """One grade by a new judge whose server follows the script."""

    async def go() -> Outcome:
        async with client(address) as one:
            judge = Judge(one, script, **{"decoys": 0, **options})
            return await judge.grade(QUESTION, response, REFERENCE)

    return asyncio.run(go())


def test_a_verdict_is_a_score(faulty: str) -> None:
    assert grade(faulty, "ok", TRUE) == Outcome(1.0, Reason.CORRECT, "judge")
    assert grade(faulty, "ok", FALSE) == Outcome(0.0, Reason.WRONG, "judge")


def test_what_the_rules_decide_never_reaches_the_server(faulty: str) -> None:
    assert grade(faulty, "ok", "Sesame.").score == 1.0
    assert grade(faulty, "ok", ":").reason is Reason.NO_ANSWER
    assert stats(faulty)["requests"] == 0


def test_without_rules_the_server_hears_every_answer(faulty: str) -> None:
    assert grade(faulty, "ok", "Sesame.", rules=False).score == 0.0  # its verdict is another
    assert stats(faulty)["requests"] == 1


@pytest.mark.parametrize("step", ["429", "500", "503", "reset", "truncated", "html", "schema"])
def test_what_may_pass_is_tried_again(faulty: str, step: str) -> None:
    assert grade(faulty, f"{step} ok").score == 1.0
    assert stats(faulty)["requests"] == 2


@pytest.mark.parametrize("step", ["null", "contradiction", "echo", "length"])
def test_a_reply_without_verdict_is_asked_for_again(faulty: str, step: str) -> None:
    assert grade(faulty, f"{step} ok").score == 1.0
    outcome = grade(faulty, step, FALSE, tries=2)
    assert outcome.reason is Reason.JUDGE_UNPARSEABLE
    assert "2 replies" in outcome.detail


@pytest.mark.parametrize(
    "reason", ["stop", "eos", "eos_token", "null", "", "stop_sequence", "COMPLETE", "unheard_of"]
)
def test_a_verdict_counts_whatever_the_server_calls_the_end(faulty: str, reason: str) -> None:
    assert grade(faulty, f"finish={reason}").score == 1.0
    assert grade(faulty, f"finish={reason}", FALSE).score == 0.0
    assert stats(faulty)["requests"] == 2


@pytest.mark.parametrize(
    "reason",
    [
        "length",
        "max_tokens",
        "MAX_TOKENS",
        "content_filter",
        "SAFETY",
        "abort",
        "error",
        "tool_calls",
    ],
)
def test_a_reply_that_is_not_whole_has_no_verdict(faulty: str, reason: str) -> None:
    outcome = grade(faulty, f"finish={reason}", tries=2)
    assert outcome.reason is Reason.JUDGE_UNPARSEABLE
    assert stats(faulty)["requests"] == 2


def test_a_reply_as_long_as_it_may_be_is_whole_only_if_the_server_says_stop(faulty: str) -> None:
    assert grade(faulty, "finish=stop", max_tokens=10).score == 1.0  # the server counts 10 tokens
    for reason in ("null", "", "unheard_of"):
        outcome = grade(faulty, f"finish={reason}", max_tokens=10)
        assert outcome.reason is Reason.JUDGE_UNPARSEABLE
        assert grade(faulty, f"finish={reason}", max_tokens=11).score == 1.0


@pytest.mark.parametrize("reason", [7, True, {"type": "length"}, ["stop"]])
def test_a_finish_reason_that_is_no_word_says_nothing(reason: Any) -> None:
    assert deep_research_judge._is_cut_off(reason, at_the_limit=False)


@pytest.mark.parametrize("step", ["hang", "drip"])
def test_a_request_that_takes_too_long_is_sent_again(faulty: str, step: str) -> None:
    assert grade(faulty, f"{step} ok", timeout_seconds=0.3).score == 1.0


@pytest.mark.parametrize("step", ["429", "500", "reset", "hang", "drip", "truncated", "schema"])
def test_what_does_not_pass_abstains_at_the_deadline(faulty: str, step: str) -> None:
    start = time.monotonic()
    outcome = grade(faulty, step, deadline_seconds=0.8, timeout_seconds=0.3)
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert "0.8 s" in outcome.detail
    assert time.monotonic() - start < 10


def test_retry_after_is_obeyed(faulty: str) -> None:
    outcome = grade(faulty, "429-late", deadline_seconds=1.0)
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert stats(faulty)["requests"] == 1


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "422"])
def test_a_refusal_is_not_tried_again(faulty: str, status: str) -> None:
    outcome = grade(faulty, status)
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert status in outcome.detail
    assert stats(faulty)["requests"] == 1


def test_nobody_listens() -> None:
    outcome = grade("http://127.0.0.1:9/v1", "ok", deadline_seconds=0.5)
    assert outcome == Outcome(None, Reason.JUDGE_UNREACHABLE, "no reply within 0.5 s")


# --- Votes, confidence ---------------------------------------------------------------------------


def test_votes_agree(faulty: str) -> None:
    outcome = grade(faulty, "ok", TRUE, votes=5, temperature=0.7)
    assert outcome == Outcome(1.0, Reason.CORRECT, "judge, confidence 1.00")
    assert stats(faulty)["requests"] == 5


def test_a_missing_vote_counts_only_where_it_could_decide(faulty: str) -> None:
    # Requests are counted by messages, so the five votes draw the five steps.
    enough = grade(faulty, "400 400 ok ok ok", votes=5, temperature=0.7)
    assert enough == Outcome(1.0, Reason.CORRECT, "judge, confidence 0.60")
    too_few = grade(faulty, "400 400 400 ok ok", FALSE, votes=5, temperature=0.7)
    assert too_few.reason is Reason.JUDGE_UNREACHABLE


def test_an_unsure_verdict_abstains(faulty: str) -> None:
    options: dict[str, Any] = {"votes": 3, "temperature": 1.0, "min_confidence": 0.9}
    assert grade(faulty, "ok", TRUE, **options).score == 1.0
    assert grade(faulty, "400 ok ok", FALSE, **options).reason is Reason.JUDGE_UNSURE
    unknown = grade(faulty, "ok", min_confidence=0.9)
    assert unknown == Outcome(None, Reason.JUDGE_UNSURE, "below 0.90: not known")


@pytest.mark.parametrize(
    "options",
    [
        {"votes": 2, "temperature": 1.0},
        {"votes": 0},
        {"votes": 3},
        {"tries": 0},
        {"max_concurrency": 0},
        {"min_confidence": 1.5},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"votes|tries|confidence"):
        Judge(client("http://127.0.0.1:9"), "any", **options)


def token(text: str, probability: float, **rivals: float) -> dict[str, Any]:
    return {
        "token": text,
        "logprob": math.log(probability),
        "top_logprobs": [
            {"token": rival, "logprob": math.log(p)}
            for rival, p in {text: probability, **rivals}.items()
        ],
    }


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([token("correct", 0.6, inc=0.2, no=0.1)], 0.75),
        ([token("inc", 0.3, correct=0.1), token("orrect", 1.0)], 0.75),
        ([token("in", 0.6, correct=0.2), token("correct", 1.0)], 0.75),
        ([token('{"verdict": "', 1.0), token("correct", 0.9, inc=0.1), token('"}', 1.0)], 0.9),
        (
            [token('{"verdict": ', 1.0), token('"correct', 0.9, **{'"inc': 0.1}), token('"}', 1)],
            0.9,
        ),
        ([token("correct", 0.5)], 1.0),
    ],
)
def test_confidence_is_the_word_against_the_other(
    tokens: list[dict[str, Any]], expected: float
) -> None:
    text = "".join(one["token"] for one in tokens)
    confidence = deep_research_judge._confidence(text, {"content": tokens})
    assert confidence == pytest.approx(expected)


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": [token("x", 1)]}])
def test_no_confidence_without_log_probabilities(logprobs: Any) -> None:
    assert deep_research_judge._confidence("correct", logprobs) is None


# --- Cache, usage, shared client -----------------------------------------------------------------


def test_the_cache_answers_the_same_question_only(faulty: str, tmp_path: Path) -> None:
    cache = tmp_path / "replies.sqlite"
    for _ in range(2):
        assert grade(faulty, "ok", cache=cache).score == 1.0
    assert stats(faulty)["requests"] == 1
    others: list[dict[str, Any]] = [{"prompt": CHINESE}, {"max_tokens": 5}, {"structured": False}]
    for options in [*others, {"extra_body": {"top_k": 1}}]:
        grade(faulty, "ok", cache=cache, **options)
    assert stats(faulty)["requests"] == 5
    assert grade(faulty, "ok", FALSE, cache=cache).score == 0.0


def test_the_cache_stores_no_failure(faulty: str, tmp_path: Path) -> None:
    cache = tmp_path / "replies.sqlite"
    for script in ("400", "contradiction", "hang"):
        outcome = grade(faulty, script, cache=cache, tries=1, deadline_seconds=0.5)
        assert outcome.score is None
    rows = sqlite3.connect(cache).execute("SELECT * FROM replies").fetchall()
    assert rows == []


def test_the_cache_is_shared_by_threads(tmp_path: Path) -> None:
    caches = [ReplyCache(tmp_path / "replies.sqlite") for _ in range(4)]

    def write(number: int) -> None:
        caches[number % 4].put({"number": number % 50}, {"verdict": True})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(400)))
    assert all(caches[0].get({"number": number}) == {"verdict": True} for number in range(50))
    assert caches[1].get({"number": 50}) is None


def test_usage_counts_what_was_sent(faulty: str, tmp_path: Path) -> None:
    async def go() -> None:
        async with client(faulty) as one:
            judge = Judge(one, "500 ok", decoys=0, cache=tmp_path / "replies.sqlite")
            for _ in range(3):
                await judge.grade(QUESTION, TRUE, REFERENCE)
            usage = judge.usage
            assert (usage.requests, usage.retries, usage.cached) == (2, 1, 2)
            assert (usage.prompt_tokens, usage.completion_tokens) == (100, 10)
            assert usage.cost(2.0, 10.0) == pytest.approx(0.0003)
            assert judge.counts == {Reason.CORRECT: 3}

    asyncio.run(go())


def test_a_shared_client_stays_open(faulty: str) -> None:
    async def go() -> None:
        async with DefaultAsyncHttpxClient() as shared:
            for _ in range(3):
                judge = Judge(client(faulty, http_client=shared), "ok")
                assert (await judge.grade(QUESTION, TRUE, REFERENCE)).score == 1.0
                del judge
            assert not shared.is_closed

    asyncio.run(go())


async def ask_many(judge: Judge, start: int = 0) -> list[float | None]:
    answers = (f"{TRUE} {number}" for number in range(start, start + 12))
    outcomes = await asyncio.gather(*(judge.ask(QUESTION, one, [REFERENCE]) for one in answers))
    return [outcome.score for outcome in outcomes]


def test_one_judge_works_in_one_loop_after_another(faulty: str) -> None:
    judge = Judge(client(faulty), "ok", max_concurrency=2)
    for number in range(3):
        assert asyncio.run(ask_many(judge, 12 * number)) == [1.0] * 12
    assert judge.usage.requests == stats(faulty)["requests"] == 36
    assert len(judge._lines) == 1  # nothing is kept of a loop that is closed


def test_one_judge_works_in_two_loops_at_once(faulty: str) -> None:
    judge = Judge(client(faulty), "429 ok", max_concurrency=2)
    with ThreadPoolExecutor(2) as pool:
        scores = list(pool.map(lambda start: asyncio.run(ask_many(judge, start)), (0, 100)))
    assert scores == [[1.0] * 12] * 2
    assert stats(faulty)["most_in_flight"] <= 4  # two in each


def test_a_client_with_an_http_client_of_the_readers_keeps_it_in_every_loop(faulty: str) -> None:
    seen: list[str] = []

    async def note(request: Any) -> None:
        seen.append(request.headers["Connection"])

    # It keeps no connection, so it belongs to no loop.
    http_client = DefaultAsyncHttpxClient(
        headers={"Connection": "close"}, event_hooks={"request": [note]}
    )
    judge = Judge(client(faulty, http_client=http_client), "ok", max_concurrency=2)
    for number in range(2):
        assert asyncio.run(ask_many(judge, 12 * number)) == [1.0] * 12
    assert seen == ["close"] * 24


def test_requests_are_spaced(faulty: str) -> None:
    async def go() -> float:
        async with client(faulty) as one:
            judge = Judge(one, "ok", requests_per_minute=600)
            start = time.monotonic()
            await asyncio.gather(*(judge.ask(QUESTION, f"{n}", [REFERENCE]) for n in range(6)))
            return time.monotonic() - start

    assert asyncio.run(go()) >= 0.5


# --- Thousands of calls --------------------------------------------------------------------------


class WatchedJudge(Judge):
    """Counts what only a client knows: requests under way, and those that it gave up."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given_up: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0

    async def _send(self, request: dict[str, Any], is_retry: bool) -> Reply | None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await super()._send(request, is_retry)
        except TimeoutError:
            self.given_up[key_of(request["model"], request["messages"])] += 1
            raise
        finally:
            self.in_flight -= 1


def test_thousands_of_calls_through_every_fault(faulty: str) -> None:
    """How many requests time out is the machine's doing; all else is counted, whatever it is."""
    calls, cap, tries = 2_000, 64, 5

    async def go() -> tuple[WatchedJudge, list[Outcome]]:
        async with client(faulty) as one:
            judge = WatchedJudge(
                one,
                "random",
                max_concurrency=cap,
                timeout_seconds=3,  # of the steps hang and drip
                deadline_seconds=3600,
                tries=tries,
            )
            answers = (f"{'truthful' if n % 2 else 'deceitful'} {n}" for n in range(calls))
            asked = (judge.ask(QUESTION, answer, [REFERENCE]) for answer in answers)
            return judge, await asyncio.gather(*asked)

    judge, outcomes = asyncio.run(go())
    scored = [number for number, outcome in enumerate(outcomes) if outcome.score is not None]
    assert all(outcomes[number].score == number % 2 for number in scored)
    lost = [outcome for outcome in outcomes if outcome.score is None]
    assert {outcome.reason for outcome in lost} <= {Reason.JUDGE_UNPARSEABLE}
    assert len(lost) < calls / 100
    assert judge.most_in_flight == cap
    usage, given_up = judge.usage, judge.given_up.total()
    assert calls <= usage.requests - usage.retries <= calls * tries
    assert (
        given_up < usage.retries < calls + given_up
    )  # of two requests that end, one has a verdict

    for _ in range(600):  # until the server has seen that nobody waits for its last replies
        told = stats(faulty)
        if not told["in_flight"]:
            break
        time.sleep(0.1)
    assert told["in_flight"] == 0
    assert told["questions"] == calls  # none lost
    assert len(scored) <= told["answered"] <= calls
    assert usage.requests - given_up <= told["requests"] <= usage.requests
    for question, times in told["answered_again"].items():  # none doubled, but where it came late
        assert times <= 1 + judge.given_up[question]


@pytest.mark.parametrize("batch", [True, False])
def test_cancelling_leaves_nothing_running(faulty: str, batch: bool) -> None:
    async def go() -> None:
        async with client(faulty) as one:
            judge = Judge(one, "hang", max_concurrency=8)
            if batch:
                items = [Item(QUESTION, f"{FALSE} {n}", REFERENCE) for n in range(40)]
                call: Coroutine[Any, Any, Any] = judge.grade_batch(items)
            else:
                call = judge.grade(QUESTION, FALSE, REFERENCE)
            task = asyncio.create_task(call)
            while not stats(faulty)["in_flight"]:
                await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}
            for _ in range(100):
                if not stats(faulty)["in_flight"]:
                    break
                await asyncio.sleep(0.05)
            assert stats(faulty)["in_flight"] == 0

    asyncio.run(go())


# --- Batches -----------------------------------------------------------------------------------------


def test_a_batch_keeps_its_order(faulty: str) -> None:
    async def go() -> list[Outcome]:
        async with client(faulty) as one:
            items = [
                Item(f"{QUESTION} {n}", TRUE if n % 3 else FALSE, f"{REFERENCE} {n}")
                for n in range(30)
            ]
            return await Judge(one, "ok").grade_batch(items, canaries=0)

    assert [outcome.score for outcome in asyncio.run(go())] == [float(n % 3 > 0) for n in range(30)]


def test_a_judge_that_fails_its_canaries_scores_nothing(faulty: str) -> None:
    async def go() -> None:
        async with client(faulty) as one:
            items = [Item(f"{QUESTION} {n}", TRUE, f"{REFERENCE} {n}") for n in range(9)]
            await Judge(one, "ok").grade_batch(items)

    # This server says incorrect to every canary, the references included.
    with pytest.raises(CanaryFailure, match=r"3 of 9 canaries \(3 right\)") as caught:
        asyncio.run(go())
    assert [canary.kind for canary in caught.value.failed] == ["right"] * 3


def test_canaries_without_an_answer_are_no_failures(faulty: str) -> None:
    async def go() -> list[Outcome]:
        async with client(faulty) as one:
            items = [Item(f"{QUESTION} {n}", TRUE, f"{REFERENCE} {n}") for n in range(9)]
            return await Judge(one, "400").grade_batch(items)

    assert {outcome.reason for outcome in asyncio.run(go())} == {Reason.JUDGE_UNREACHABLE}


# --- The reward function -------------------------------------------------------------------------------


def columns(**others: Any) -> dict[str, Any]:
    return {"question": QUESTION, "answer": REFERENCE, **others}


def test_the_reward_function_scores_or_raises(faulty: str) -> None:
    reward_fn = DeepResearchReward(faulty, "ok")
    assert reward_fn("prompt", TRUE, [1], [2], **columns(self=1, level="hard")) == 1.0
    assert reward_fn("prompt", FALSE, **columns(answer=[REFERENCE, "open sesame"])) == 0.0
    with pytest.raises(Abstained) as caught:
        DeepResearchReward(faulty, "400")("prompt", TRUE, **columns())
    assert caught.value.outcome.reason is Reason.JUDGE_UNREACHABLE


def test_the_reward_function_awaited(faulty: str) -> None:
    reward_fn = DeepResearchReward(faulty, "ok", max_concurrency=4)

    async def go() -> list[float]:
        calls = (reward_fn.run("prompt", f"{TRUE} {n}", **columns()) for n in range(20))
        return await asyncio.gather(*calls)

    for _ in range(2):  # in two loops, one after the other
        assert asyncio.run(go()) == [1.0] * 20
    assert stats(faulty)["most_in_flight"] <= 4


def test_many_threads_share_one_judge(faulty: str) -> None:
    reward_fn = DeepResearchReward(faulty, "ok", max_concurrency=3)

    def call(number: int) -> float:
        # As AReaL does, which pickles the function for every call.
        return pickle.loads(pickle.dumps(reward_fn))("prompt", f"{TRUE} {number}", **columns())

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(call, range(64))) == [1.0] * 64
    assert stats(faulty)["most_in_flight"] <= 3


def test_a_forked_worker_makes_its_own_judge(faulty: str) -> None:
    reward_fn = DeepResearchReward(faulty, "ok")
    assert reward_fn("prompt", TRUE, **columns()) == 1.0
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if reward_fn("prompt", f"{FALSE} in a child", **columns()) == 0.0 else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_who_judges_comes_from_the_environment(
    faulty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUDGE_BASE_URL", raising=False)
    monkeypatch.setenv("JUDGE_MODEL", "ok")
    with pytest.raises(RuntimeError, match="JUDGE_BASE_URL is not set"):
        deep_research_reward_fn("prompt", TRUE, **columns())
    monkeypatch.setenv("JUDGE_BASE_URL", faulty)
    hostile = columns(base_url="http://192.0.2.1/v1", model="evil", judge="evil", cache="/etc/x")
    assert deep_research_reward_fn("prompt", TRUE, **hostile) == 1.0


def test_the_key_is_not_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "a-secret")
    assert b"a-secret" not in pickle.dumps(DeepResearchReward("http://127.0.0.1:9/v1", "any"))


def test_a_missing_column_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="question"):
        deep_research_reward_fn("prompt", TRUE, answer=REFERENCE)


def test_a_program_that_used_it_ends(faulty: str) -> None:
    program = (
        "from examples.generative.deep_research_judge import DeepResearchReward\n"
        f"print(DeepResearchReward({faulty!r}, 'ok')('', {TRUE!r}, question='q', answer='sesame'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.strip() == "1.0", done.stderr


# --- A real server -----------------------------------------------------------------------------------


def test_a_real_server_gives_verdicts_and_confidence(small_judge_address: str) -> None:
    async def go() -> list[Outcome]:
        async with client(small_judge_address) as one:
            judge = Judge(one, "SmolLM2-135M-Instruct")
            answers = ["Oslo, the seat of its government", "Bergen", "I would say Trondheim"]
            return [await judge.ask("What is the capital of Norway?", a, ["Oslo"]) for a in answers]

    first = asyncio.run(go())
    # The schema leaves two words; which one this small model says, it says by chance.
    assert all(outcome.score in (0.0, 1.0) for outcome in first)
    assert all(outcome.detail.startswith("judge, confidence ") for outcome in first), first
    assert asyncio.run(go()) == first


def test_a_real_server_without_a_schema_never_scores_what_cannot_be_read(
    small_judge_address: str,
) -> None:
    async def go() -> Outcome:
        async with client(small_judge_address) as one:
            judge = Judge(one, "any", structured=False, max_tokens=24, tries=2)
            return await judge.ask("What is the capital of Norway?", "Bergen", ["Oslo"])

    outcome = asyncio.run(go())
    assert outcome.score is not None or outcome.reason is Reason.JUDGE_UNPARSEABLE


def test_parse_verdict_is_part_of_this_module() -> None:
    assert parse_verdict('{"verdict": "incorrect"}') is False
    assert threading.active_count() < 50
