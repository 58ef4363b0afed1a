"""AReaL's adapter, without AReaL."""

import asyncio
import functools
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from examples.deadlines.async_reward import AsyncRewardWrapper
from examples.rule_based.gsm8k import grade as gsm8k_grade
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.adapters import Becomes, table
from examples.training.areal_adapter import (
    ADAPTER,
    ArealReward,
    AsyncArealReward,
    GradingAgent,
    areal_reward_fn,
)

ROW = {"messages": [{"role": "user", "content": "8 * 9?"}], "question": "8 * 9?", "answer": "72"}


def grade(response: str, reference: str) -> Outcome:
    right = response == reference
    return Outcome(float(right), Reason.CORRECT if right else Reason.WRONG)


def abstain(response: str, reference: str) -> Outcome:
    return Outcome(None, Reason.BAD_REFERENCE, "unreadable")


def raise_abstained(response: str, reference: str) -> Outcome:
    raise Abstained(Outcome(None, Reason.TIMED_OUT))


def crash(response: str, reference: str) -> Outcome:
    raise ZeroDivisionError("a bug in the grader")


async def judge(question: str, response: str, reference: str) -> Outcome:
    assert question == ROW["question"]
    return grade(response, reference)


async def absent_judge(response: str, reference: str) -> Outcome:
    raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE, "refused"))


def score(reward_fn: Any, response: str, **columns: Any) -> float:
    """Call it as AReaL does."""
    result = reward_fn("the prompt", response, [1, 2], [3], **columns)
    return asyncio.run(result) if asyncio.iscoroutine(result) else result


@pytest.mark.parametrize("grader", [grade, judge])
def test_a_response_scores_a_float(grader: Any) -> None:
    reward_fn = areal_reward_fn(grader)
    assert [score(reward_fn, text, **ROW) for text in ("72", "71", "")] == [1.0, 0.0, 0.0]
    assert type(score(reward_fn, "72", **ROW)) is float


def test_areals_arguments_also_come_by_name() -> None:
    """As its VisionRLVRWorkflow passes them."""
    reward_fn = areal_reward_fn(grade)
    arguments = {"prompt": "", "completions": "72", "prompt_ids": [], "completion_ids": []}
    assert reward_fn(**arguments, **ROW) == 1.0


def test_the_reward_is_of_the_kind_that_the_grader_is() -> None:
    assert type(areal_reward_fn(grade)) is ArealReward
    assert type(areal_reward_fn(judge)) is AsyncArealReward
    assert type(areal_reward_fn(functools.partial(judge, question="8 * 9?"))) is AsyncArealReward


@pytest.mark.parametrize("grader", [grade, judge])
@pytest.mark.parametrize("token", ["<|im_end|>", "<|eot_id|>", "</s>"])
def test_one_end_token_is_taken_off(token: str, grader: Any) -> None:
    reward_fn = areal_reward_fn(grader)
    assert score(reward_fn, f"72{token}", **ROW) == 1.0
    assert score(reward_fn, f"72{token}{token}", **ROW) == 0.0
    assert score(reward_fn, f"{token}72", **ROW) == 0.0


def test_the_end_tokens_are_the_readers_to_name() -> None:
    reward_fn = areal_reward_fn(grade, end_tokens=("<stop>",))
    assert score(reward_fn, "72<stop>", **ROW) == 1.0
    assert score(reward_fn, "72</s>", **ROW) == 0.0


@pytest.mark.parametrize("grader", [abstain, raise_abstained, absent_judge])
def test_an_abstention_is_raised_and_logged(grader: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Abstained) as abstained:
        score(areal_reward_fn(grader), "72", **ROW)
    assert caplog.messages[0].startswith(abstained.value.outcome.reason)


def test_an_error_of_the_grader_comes_through() -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        score(areal_reward_fn(crash), "72", **ROW)


def test_text_is_data() -> None:
    for text in ("{answer}", "__import__('os').abort()", "%s" * 99, "\x00", "</s>" * 100_000):
        assert score(areal_reward_fn(gsm8k_grade), text, **ROW) == 0.0


def test_a_reward_survives_the_way_to_a_worker() -> None:
    reward_fn = pickle.loads(pickle.dumps(areal_reward_fn(grade, reference="gold")))
    assert score(reward_fn, "72", gold="72") == 1.0
    assert len(pickle.dumps(reward_fn)) < 1000


def test_an_abstention_survives_the_way_back() -> None:
    abstained = pickle.loads(pickle.dumps(Abstained(Outcome(None, Reason.TIMED_OUT, "late"))))
    assert str(abstained) == "timed_out: late"


def test_a_grader_that_no_worker_can_import_is_refused() -> None:
    with pytest.raises(TypeError, match=r"cannot be sent to AReaL's workers.*def at the top"):
        areal_reward_fn(lambda response, reference: grade(response, reference))


def test_the_deadlines_wrapper_takes_it() -> None:
    wrapper = AsyncRewardWrapper(areal_reward_fn(abstain), timeout_seconds=30, max_workers=1)
    with pytest.raises(Abstained, match="unreadable"):
        score(wrapper, "72", **ROW)


def test_a_data_set_is_checked_before_training() -> None:
    reward_fn = areal_reward_fn(grade)
    reward_fn.check([ROW, ROW])
    with pytest.raises(LookupError, match=r"row 1: no column 'answer'"):
        reward_fn.check([ROW, {"messages": []}])
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        reward_fn.check([{"answer": 72}])
    with pytest.raises(LookupError, match="no rows"):
        reward_fn.check([])


@pytest.mark.parametrize("name", ["prompt", "completions", "prompt_ids", "completion_ids", "self"])
def test_a_column_with_a_name_of_areals_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"uses the name '{name}': rename"):
        areal_reward_fn(grade).check([{**ROW, name: "x"}])


@pytest.mark.parametrize("grader", [grade, judge])
def test_a_missing_column_is_an_error_and_no_zero(grader: Any) -> None:
    with pytest.raises(LookupError, match="no column"):
        score(areal_reward_fn(grader), "72", solution="72")


def test_the_adapter_is_in_the_table() -> None:
    assert ADAPTER.becomes is Becomes.DROPPED
    assert "AReaL" in table(["areal_adapter"])


def test_areal_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, examples.training.areal_adapter as adapter\n"
        "assert not {'areal', 'openai', 'torch'} & set(sys.modules)\n"
        "try: adapter.AwaitingWorkflow\n"
        "except ModuleNotFoundError as error: print(error.name)\n"
        "try: adapter.Nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1].endswith("has no attribute 'Nothing'")
    assert result.stdout.splitlines()[0] == "areal"


# --- The agent ----------------------------------------------------------------------------------


@pytest.fixture
def policy() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers 72, its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**body, "key": self.headers["Authorization"]})
            message = {"role": "assistant", "content": "72"}
            reply = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "default",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("grader", [grade, judge])
def test_an_agent_asks_the_policy_and_grades_the_reply(grader: Any, policy: Any) -> None:
    address, asked = policy
    agent = GradingAgent(grader, temperature=0.5)
    agent.check([ROW])
    reward = asyncio.run(agent.run(ROW, base_url=address, api_key="session", http_client=None))
    assert type(reward) is float
    assert reward == 1.0
    assert asked == [
        {
            "model": "default",
            "messages": ROW["messages"],
            "temperature": 0.5,
            "key": "Bearer session",
        }
    ]


def test_an_agent_in_a_process_of_its_own_reads_the_environment(
    policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", policy[0])
    monkeypatch.setenv("OPENAI_API_KEY", "session")
    agent = pickle.loads(pickle.dumps(GradingAgent(grade)))
    assert asyncio.run(agent.run(ROW)) == 1.0


def test_an_agent_uses_the_shared_client_and_leaves_it_open(policy: Any) -> None:
    from openai import DefaultAsyncHttpxClient

    sent = []

    async def note(request: Any) -> None:
        sent.append(request.url.path)

    async def twice() -> list[float]:
        async with DefaultAsyncHttpxClient(event_hooks={"request": [note]}) as shared:
            keys = {"base_url": policy[0], "api_key": "session", "http_client": shared}
            return [await GradingAgent(grade).run(ROW, **keys) for _ in range(2)]

    assert asyncio.run(twice()) == [1.0, 1.0]
    assert sent == ["/chat/completions"] * 2


@pytest.mark.parametrize("grader", [abstain, absent_judge])
def test_an_agent_raises_an_abstention(grader: Any, policy: Any) -> None:
    with pytest.raises(Abstained):
        asyncio.run(GradingAgent(grader).run(ROW, base_url=policy[0], api_key="session"))


def test_an_unreachable_policy_is_an_error_and_no_zero() -> None:
    from openai import APIConnectionError

    with pytest.raises(APIConnectionError):
        asyncio.run(GradingAgent(grade).run(ROW, base_url="http://127.0.0.1:9", api_key="none"))
