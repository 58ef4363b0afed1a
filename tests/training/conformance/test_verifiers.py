"""verifiers 0.4.0 itself rolls out, scores, retries and records.

Real: its loading of tasksets, environment, agent, interception server, client, scoring and retries.
Made up: a server on the loopback address that generates, and a harness that calls it once.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import pytest
import verifiers.v1 as vf
from aiohttp import web
from verifiers.v1.gepa.adapter import _episode_score

from examples.shared.outcome import Outcome, Reason
from examples.training.verifiers_adapter import ADAPTER, verifiers_reward

SNIPPETS = Path(__file__).parents[1] / "snippets"

# verifiers' own harnesses install their program with uv; this one calls the model from here.
HARNESS = """
import httpx
import verifiers.v1 as vf

__all__ = ["OneCall"]

class OneCall(vf.Harness[vf.HarnessConfig]):
    EXECUTES_CODE = NEEDS_CONTAINER = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data, **options):
        body = {"model": ctx.model, "messages": [{"role": "user", "content": data.prompt}]}
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as client:
            reply = await client.post(f"{endpoint}/chat/completions", json=body, timeout=60)
        reply.raise_for_status()
        return vf.ProgramResult(0, "", "")
"""

down = 0
"""How many calls of the judge fail, from now on."""


async def judge(question: str, response: str, reference: str) -> Outcome:
    global down
    if down > 0:
        down -= 1
        return Outcome(None, Reason.JUDGE_UNREACHABLE, "refused")
    if reference == "slow":
        await asyncio.sleep(30)
    if reference == "bug":
        raise ZeroDivisionError("a bug")
    return Outcome(float(reference in response and question in response), Reason.SCORED)


judged = verifiers_reward(judge)


class JudgedData(vf.TaskData):
    question: str
    answer: str


class JudgedTask(vf.Task[JudgedData]):
    @vf.reward
    async def judged(self, trace: vf.Trace) -> float:
        return await judged(self.data, trace)


class LateTask(JudgedTask):
    """A reward of a reader's who does not know the adapter."""

    @vf.reward
    async def judged(self, trace: vf.Trace) -> float:
        return (await judge("", "", self.data.answer)).require_score()


def task(answer: str, of: type[JudgedTask] = JudgedTask, **fields: Any) -> JudgedTask:
    return of(JudgedData(prompt="8 * 9?", question="8 * 9?", answer=answer, **fields))


@pytest.fixture(scope="module", autouse=True)
def _plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "one_call.py").write_text(HARNESS, encoding="utf-8")
    sys.path[:0] = [str(folder), str(SNIPPETS)]
    yield
    del sys.path[:2]


@pytest.fixture(autouse=True)
def _gsm8k(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {
        "question": ["8 * 9?", "2 + 3?", "1 + 1?"],
        "answer": ["#### 72", "#### 6", "no number"],
    }
    data = datasets.Dataset.from_dict(rows)
    monkeypatch.setattr(datasets, "load_dataset", lambda *arguments, **options: data)


@asynccontextmanager
async def policy(seconds: float = 0.0) -> Any:
    """A model that answers 72 or 5, behind a chat endpoint; yields its context for a run."""

    async def answer(request: web.Request) -> web.Response:
        question = (await request.json())["messages"][-1]["content"]
        await asyncio.sleep(seconds)
        text = f"{question} #### {72 if '9' in question else 5}"
        choice = {"index": 0, "finish_reason": "stop"}
        choice["message"] = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        return web.json_response(body | {"choices": [choice], "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield vf.ModelContext("m", vf.EvalClientConfig(base_url=url, api_key_var="UNSET"))
    await runner.cleanup()


def run(tasks: list[Any] | None = None, seconds: float = 0.0, **agent: Any) -> list[Any]:
    """Run each task of the snippet's taskset, or of these, as `vf-eval` does."""
    config = vf.resolve_env_config(
        {
            "taskset": {"id": "verifiers_gsm8k"},
            "agent": {
                "harness": {"id": "one_call"},
                "runtime": {"type": "subprocess"},
                **agent,
            },
        }
    )

    async def roll_out() -> list[Any]:
        env = vf.load_environment(config)
        async with policy(seconds) as context, env.serving():
            slots = [slot for each in tasks or env.taskset for slot in env.slots(each)]
            return [await env.run_slot(slot, context) for slot in slots]

    return asyncio.run(roll_out())


def only(episodes: list[Any]) -> Any:
    """The one trace of the one episode."""
    [episode] = episodes
    [trace] = episode.traces
    assert episode.ok == trace.ok
    return trace


def test_the_installed_version_is_the_one_that_the_adapter_names() -> None:
    assert version("verifiers") == ADAPTER.version


def test_the_snippet_is_loaded_rolled_out_and_scored() -> None:
    right, wrong, abstained = (episode.traces[0] for episode in run())
    assert right.last_reply == "8 * 9? #### 72"
    assert (right.ok, right.rewards["correct"].score, right.reward) == (True, 1.0, 1.0)
    assert (wrong.ok, wrong.rewards["correct"].score, wrong.reward) == (True, 0.0, 0.0)
    assert not abstained.ok
    assert abstained.rewards == {"correct": None}


def test_an_abstention_is_recorded_as_an_error_with_its_reason() -> None:
    episode = run()[2]
    trace = episode.traces[0]
    assert (episode.ok, trace.ok, trace.has_error, trace.is_completed) == (False, False, True, True)
    assert trace.stop_condition == "agent_completed"  # which says nothing about the reward
    [error] = trace.errors
    assert error.type == "TaskError"
    assert "Abstained: bad_reference" in error.message
    record = trace.to_record()
    assert (record["ok"], record["rewards"]) == (False, {"correct": None})


def test_the_sum_of_rewards_and_the_prompt_optimiser_read_an_abstention_as_zero() -> None:
    """What the docstring warns of: only `ok` tells."""
    episode = run()[2]
    assert episode.traces[0].reward == 0.0
    assert _episode_score(episode) == 0.0


def test_an_async_grader_is_awaited_with_its_question() -> None:
    trace = only(run([task("72")]))
    assert (trace.ok, trace.rewards["judged"].score) == (True, 1.0)


def test_by_default_nothing_is_retried() -> None:
    global down
    down = 1
    trace = only(run([task("72")]))
    assert (trace.ok, down, len(trace.errors)) == (False, 0, 1)


def test_a_rule_for_abstentions_rolls_out_again() -> None:
    global down
    down = 1
    rule = {"type": "TaskError", "message": "Abstained: judge_", "max_retries": 1}
    trace = only(run([task("72")], retries={"rules": [rule]}))
    assert (trace.ok, trace.rewards["judged"].score) == (True, 1.0)
    assert "Abstained: judge_unreachable: refused" in trace.errors[0].message  # its history stays


def test_an_abstention_that_outlasts_the_retries_stays_an_error() -> None:
    global down
    down = 2
    trace = only(run([task("72")], retries={"max_retries": 1}))
    assert (trace.ok, trace.rewards, len(trace.errors)) == (False, {"judged": None}, 2)


def test_an_error_of_the_grader_is_recorded_and_never_a_score() -> None:
    trace = only(run([task("bug")]))
    assert (trace.ok, trace.rewards) == (False, {"judged": None})
    assert "ZeroDivisionError: a bug" in trace.errors[0].message


def test_verifiers_own_deadline_for_scoring_ends_with_ok_and_zero() -> None:
    """Why the adapter refuses it."""
    trace = only(run([task("slow", LateTask)], timeout={"scoring": 0.2}))
    assert (trace.ok, trace.is_timeout, trace.reward) == (True, True, 0.0)
    assert trace.rewards == {"judged": None}


@pytest.mark.parametrize("of_the_task", [True, False])
def test_a_deadline_for_scoring_is_refused_as_an_error(of_the_task: bool) -> None:
    if of_the_task:
        trace = only(run([task("72", timeout=vf.TaskTimeout(scoring=5))]))
    else:
        trace = only(run([task("72")], timeout={"scoring": 5}))
    assert (trace.ok, trace.rewards) == (False, {"judged": None})
    assert "unset it" in trace.errors[0].message


def test_a_rollout_that_a_deadline_cut_off_is_an_error_and_no_zero() -> None:
    trace = only(run([task("72")], seconds=1, timeout={"rollout": 0.3}))
    assert (trace.ok, trace.rewards) == (False, {"judged": None})
    assert "Abstained: timed_out: rollout: agent_timeout" in trace.errors[0].message


def test_the_check_reads_the_data_of_real_tasks() -> None:
    judged.check([task("72").data])
    with pytest.raises(LookupError, match="no column 'reference'"):
        verifiers_reward(judge, reference="reference").check([task("72").data])
