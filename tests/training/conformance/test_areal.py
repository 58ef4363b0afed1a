"""The adapter against AReaL's own workflow, wrapper, executor, proxy workflow and loader.

The engine is AReaL's `RemoteInfEngine`, but for `agenerate`, which asks SmolLM2 in this process, or
says what a test has it say. Its trackers of experiments are left out; its proxy's HTTP routes are a
stand-in over AReaL's own client and sessions. No trainer runs.
"""

import asyncio
import importlib.metadata
import inspect
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import areal
import pytest
import torch
from aiohttp import web
from areal.api import ModelRequest, ModelResponse
from areal.api.cli_args import (
    AgentConfig,
    GenerationHyperparameters,
    InferenceEngineConfig,
    NormConfig,
)
from areal.experimental.openai.client import ArealOpenAI
from areal.experimental.openai.proxy.server import SessionData, serialize_interactions
from areal.infra import RolloutController, WorkflowExecutor
from areal.infra.remote_inf_engine import RemoteInfEngine
from areal.utils import stats_tracker
from areal.utils.data import Normalization
from areal.workflow.rlvr import RLVRWorkflow
from datasets import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.critic_like.bases import smollm2
from examples.deadlines.async_reward import AsyncRewardWrapper
from examples.rule_based.gsm8k import grade as gsm8k_grade
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.areal_adapter import ADAPTER, GradingAgent, areal_reward_fn

SNIPPETS = Path(__file__).parents[1] / "snippets"
AWAITING = "examples.training.areal_adapter.AwaitingWorkflow"
CALLS = "AREAL_TEST_CALLS"
ROW = {
    "messages": [{"role": "user", "content": "What is 8 * 9? Answer with the number."}],
    "answer": "#### 72",
}
GENERATION = GenerationHyperparameters(max_new_tokens=8, temperature=1.0)


def grade(response: str, reference: str) -> Outcome:
    """GSM8K's, and it counts its calls; a response "?" means that the grader broke down."""
    with open(os.environ[CALLS], "a") as calls:
        calls.write(f"{os.getpid()}\n")
    if response == "?":
        return Outcome(None, Reason.TIMED_OUT, "broke down")
    return gsm8k_grade(response, reference)


def equal_grade(response: str, reference: str) -> Outcome:
    return Outcome(1.0, Reason.CORRECT) if response == "72" else Outcome(0.0, Reason.WRONG)


def broken_grade(response: str, reference: str) -> Outcome:
    raise ZeroDivisionError("a bug in the grader")


def slow_grade(response: str, reference: str) -> Outcome:
    time.sleep(1)
    return Outcome(1.0, Reason.CORRECT)


async def judge(response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    return grade(response, reference)


down = threading.Event()


async def failing_judge(response: str, reference: str) -> Outcome:
    await asyncio.sleep(0.05)
    if down.is_set():
        raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE))
    return grade(response, reference)


class Engine(RemoteInfEngine):
    """Says `replies` in turn, or else asks the model."""

    def __init__(self, model: Any, tokenizer: Any, replies: list[str] | None = None) -> None:
        config = InferenceEngineConfig(
            backend="sglang:d1",
            experiment_name="test",
            trial_name="test",
            consumer_batch_size=2,
            max_concurrent_rollouts=2,
            max_head_offpolicyness=8,
            check_trajectory_format=True,
            agent=AgentConfig(agent_cls_path="unused", mode="inline"),
        )
        super().__init__(config, backend=None)
        self.model, self.tokenizer = model, tokenizer
        self.replies = itertools.cycle(replies) if replies else None
        self.lock = threading.Lock()
        self.logger = logging.getLogger(f"engine {id(self)}")
        self.messages: list[str] = []
        self.logger.addFilter(lambda record: not self.messages.append(record.getMessage()))
        self._workflow_executor = WorkflowExecutor(config, self)
        self._initialized = True
        self._workflow_executor.initialize(self.logger, train_data_parallel_size=1)

    async def agenerate(self, req: ModelRequest) -> ModelResponse:
        if self.replies is not None:
            tokens = self.tokenizer.encode(next(self.replies), add_special_tokens=False)
            logprobs = [0.0] * len(tokens)
        else:
            tokens, logprobs = await asyncio.to_thread(self._generate, req)
        return ModelResponse(
            input_tokens=list(req.input_ids),
            output_tokens=tokens,
            output_logprobs=logprobs,
            output_versions=[self.get_version()] * len(tokens),
            stop_reason="length" if tokens[-1] != self.tokenizer.eos_token_id else "stop",
            tokenizer=self.tokenizer,
        )

    def _generate(self, req: ModelRequest) -> tuple[list[int], list[float]]:
        with self.lock, torch.no_grad():
            prompt = torch.tensor([list(req.input_ids)])
            result = self.model.generate(
                prompt,
                max_new_tokens=req.gconfig.max_new_tokens,
                do_sample=True,
                output_logits=True,
                return_dict_in_generate=True,
            )
        tokens = result.sequences[0, prompt.shape[1] :]
        logprobs = torch.cat(result.logits).log_softmax(-1)
        return tokens.tolist(), logprobs.gather(1, tokens[:, None])[:, 0].tolist()


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(smollm2())


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(smollm2())


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """The process of each call of `grade`."""
    file = tmp_path / "calls"
    file.touch()
    monkeypatch.setenv(CALLS, str(file))
    areal.api.AsyncRewardWrapper._atexit_shutdown_all()  # older workers have another environment
    return lambda: [int(line) for line in file.read_text().split()]


@pytest.fixture
def engine(tokenizer: Any, calls: Any) -> Iterator[Callable[..., Engine]]:
    """An engine that says what it is told."""
    made: list[Engine] = []

    def make(*replies: str, model: Any = None) -> Engine:
        made.append(Engine(model, tokenizer, list(replies)))
        return made[-1]

    stats_tracker.export_all()
    yield make
    for one in made:
        one.workflow_executor.destroy()


def options(tokenizer: Any, reward_fn: Any) -> dict[str, Any]:
    return {"reward_fn": reward_fn, "gconfig": GENERATION, "tokenizer": tokenizer}


def rewards(batch: list[dict[str, Any]]) -> list[list[float]]:
    return [trajectory["rewards"].tolist() for trajectory in batch]


def test_the_version_is_the_one_checked() -> None:
    assert importlib.metadata.version("areal") == ADAPTER.version


def test_areals_workflow_trains_on_the_graders_scores(
    engine: Any, model: Any, tokenizer: Any
) -> None:
    smol = engine(model=model)
    reward_fn = areal_reward_fn(grade)
    reward_fn.check([ROW])
    batch = smol.rollout_batch([ROW, ROW], RLVRWorkflow, options(tokenizer, reward_fn), 2)
    assert [len(group["rewards"]) for group in batch] == [2, 2]
    for group in batch:
        for ids, mask, reward in zip(
            group["input_ids"], group["loss_mask"], group["rewards"], strict=True
        ):
            response = tokenizer.decode(ids[mask.bool()], skip_special_tokens=True)
            assert reward.item() == gsm8k_grade(response, ROW["answer"]).score


def test_the_end_token_is_no_part_of_the_response(engine: Any, tokenizer: Any) -> None:
    """AReaL decodes it with the rest."""
    batch = engine("72<|im_end|>").rollout_batch(
        [ROW], RLVRWorkflow, options(tokenizer, areal_reward_fn(equal_grade))
    )
    assert rewards(batch) == [[1.0]]


def test_an_abstention_drops_its_group_after_four_tries(
    engine: Any, tokenizer: Any, calls: Any
) -> None:
    sure = engine("72", "?")
    assert sure.rollout_batch(
        [ROW], RLVRWorkflow, options(tokenizer, areal_reward_fn(grade)), 2
    ) == []  # fmt: skip
    assert len(calls()) == 5  # one for the member that scored
    statistics = stats_tracker.export_all()
    assert statistics["rollout/rejected__count"] == 1
    assert statistics["rollout/rejected"] == 1.0  # a mean of ones, however many
    assert "rollout/accepted__count" not in statistics


def test_a_dropped_prompt_is_made_up_for_by_another(engine: Any, tokenizer: Any) -> None:
    unreadable = {**ROW, "answer": "no number"}
    rows = StatefulDataLoader([unreadable, ROW], batch_size=2, collate_fn=list)
    some = engine("72", "71")
    batch = some.prepare_batch(
        rows, RLVRWorkflow, options(tokenizer, areal_reward_fn(grade)), None, 2
    )
    assert [sorted(group) for group in rewards(batch)] == [[0.0, 1.0]] * 2
    assert stats_tracker.export_all()["rollout/rejected__count"] >= 1


def test_an_error_of_the_grader_is_dropped_too(engine: Any, tokenizer: Any) -> None:
    reward_fn = areal_reward_fn(broken_grade)
    one = engine("72")
    assert one.rollout_batch([ROW], RLVRWorkflow, options(tokenizer, reward_fn)) == []
    assert stats_tracker.export_all()["rollout/rejected__count"] == 1
    assert "Workflow execution failed: a bug in the grader" in one.messages


def test_areals_own_deadline_scores_zero(engine: Any, tokenizer: Any) -> None:
    """Why there is an AwaitingWorkflow: this zero is trained on."""
    workflow = RLVRWorkflow(**options(tokenizer, areal_reward_fn(slow_grade)))
    assert workflow.async_reward_fn.timeout_seconds == 15
    workflow.async_reward_fn.timeout_seconds = 0.1
    assert rewards(engine("72").rollout_batch([ROW], workflow)) == [[0.0]]


def test_with_the_books_wrapper_a_passed_deadline_is_dropped(engine: Any, tokenizer: Any) -> None:
    wrapper = AsyncRewardWrapper(areal_reward_fn(slow_grade), timeout_seconds=0.5, max_workers=1)
    one = engine("72")
    assert one.rollout_batch([ROW], AWAITING, options(tokenizer, wrapper)) == []
    assert wrapper.pool.report().counts["timed_out"] == 1
    statistics = stats_tracker.export_all()
    assert statistics["rollout/rejected__count"] == 1
    assert statistics["rollout/abstained"] == 1.0
    assert any("failed: timed_out: no result within 0.5 s" in line for line in one.messages)


def test_with_the_books_wrapper_the_scores_are_the_same(
    engine: Any, tokenizer: Any, calls: Any
) -> None:
    wrapper = AsyncRewardWrapper(areal_reward_fn(grade), timeout_seconds=30, max_workers=1)
    two = engine("72<|im_end|>", "71<|im_end|>")
    batch = two.rollout_batch([ROW], AWAITING, options(tokenizer, wrapper), 2)
    assert sorted(rewards(batch)[0]) == [0.0, 1.0]
    assert os.getpid() not in calls()
    assert stats_tracker.export_all()["rollout/abstained"] == 0.0


def test_a_judge_is_awaited_where_the_rollout_runs(engine: Any, tokenizer: Any, calls: Any) -> None:
    batch = engine("72").rollout_batch([ROW], AWAITING, options(tokenizer, areal_reward_fn(judge)))
    assert rewards(batch) == [[1.0]]
    assert calls() == [os.getpid()]


def test_a_judge_that_abstains_is_asked_once(engine: Any, tokenizer: Any, calls: Any) -> None:
    sure = engine("72", "?")
    reward_fn = areal_reward_fn(judge)
    assert sure.rollout_batch([ROW], AWAITING, options(tokenizer, reward_fn), 2) == []
    assert len(calls()) == 2
    assert stats_tracker.export_all()["rollout/abstained"] == 0.5


def test_no_batch_is_filled_until_a_judge_answers_again(engine: Any, tokenizer: Any) -> None:
    rows = StatefulDataLoader([ROW, ROW], batch_size=2, collate_fn=list)
    workflow = AWAITING, options(tokenizer, areal_reward_fn(failing_judge))
    one, batches = engine("72"), []
    down.set()
    thread = threading.Thread(
        target=lambda: batches.append(one.prepare_batch(rows, *workflow)), daemon=True
    )
    thread.start()
    thread.join(timeout=3)
    assert thread.is_alive()
    rejected = one.workflow_executor.staleness_manager.get_stats().rejected
    down.clear()
    thread.join(timeout=30)
    assert rejected > 2
    assert [rewards(batch) for batch in batches] == [[[1.0], [1.0]]]


def test_an_awaiting_workflow_is_found_by_its_path_and_takes_no_plain_function(
    tokenizer: Any,
) -> None:
    from examples.training.areal_adapter import AwaitingWorkflow

    assert RolloutController._resolve_workflow_str(None, AwaitingWorkflow) == AWAITING
    with pytest.raises(TypeError, match="is not async"):
        AwaitingWorkflow(**options(tokenizer, areal_reward_fn(grade)))


def test_a_judge_in_areals_own_workflow_is_dropped_not_scored(engine: Any, tokenizer: Any) -> None:
    reward_fn = areal_reward_fn(judge)
    assert engine("72").rollout_batch([ROW], RLVRWorkflow, options(tokenizer, reward_fn)) == []


def test_one_member_without_a_trajectory_would_shift_all_groups() -> None:
    """Why nothing here returns None: the last of these five would be trained on 100,000."""
    normalize = Normalization(
        NormConfig(mean_level="group", std_level="group", group_size=2, std_unbiased=False)
    )
    whole = normalize(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert whole.abs().max().item() == pytest.approx(1.0, abs=1e-3)
    shifted = normalize(torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]))
    assert shifted.abs().max().item() == pytest.approx(1e5)


# --- The agent ----------------------------------------------------------------------------------


class Proxy:
    """The routes of AReaL's proxy that its workflow and an agent use, for one session at a time."""

    def __init__(self, engine: Engine, tokenizer: Any) -> None:
        self.client = ArealOpenAI(engine=engine, tokenizer=tokenizer)
        self.session = SessionData("none")
        self.app = web.Application()
        self.app.add_routes(
            [
                web.post("/grant_capacity", self.done),
                web.post("/rl/start_session", self.start),
                web.post("/chat/completions", self.complete),
                web.post("/rl/set_reward", self.reward),
                web.post("/rl/end_session", self.end),
                web.post("/export_trajectories", self.export),
            ]
        )

    async def done(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def start(self, request: web.Request) -> web.Response:
        self.session = SessionData("one")
        return web.json_response({"session_id": "one", "api_key": "key"})

    async def complete(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer key"
        body = await request.json()
        body.pop("model")
        reply = await self.client.chat.completions.create(
            **body, areal_cache=self.session.completions
        )
        return web.json_response(text=reply.model_dump_json())

    async def reward(self, request: web.Request) -> web.Response:
        self.session.completions.set_last_reward((await request.json())["reward"])
        return web.json_response({})

    async def end(self, request: web.Request) -> web.Response:
        self.session.finish()
        return web.json_response({})

    async def export(self, request: web.Request) -> web.Response:
        interactions = self.session.export_interactions(discount=1.0, style="individual")
        return web.json_response({"interactions": serialize_interactions(interactions)})


@pytest.fixture
def proxy() -> Iterator[Callable[[Proxy], str]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runners: list[web.AppRunner] = []

    def serve(proxy: Proxy) -> str:
        async def start() -> str:
            runners.append(web.AppRunner(proxy.app))
            await runners[-1].setup()
            site = web.TCPSite(runners[-1], "127.0.0.1", 0)
            await site.start()
            return site._server.sockets[0].getsockname()[1]

        return f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(start(), loop).result()}"

    yield serve
    for runner in runners:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def agent_rewards(engine: Engine, agent: GradingAgent, address: str, rows: int) -> list[Any]:
    results = []
    for _ in range(rows):
        engine.submit(ROW, agent, proxy_addr=address)
        results += engine.wait(1, timeout=30)
    return [None if result is None else result["rewards"].tolist() for result in results]


def test_areals_proxy_trains_on_the_agents_score_and_drops_its_abstention(
    engine: Any, tokenizer: Any, proxy: Any, calls: Any
) -> None:
    three = engine("72<|im_end|>", "?<|im_end|>", "71<|im_end|>")
    served = Proxy(three, tokenizer)
    agent = GradingAgent(judge, max_completion_tokens=8)
    agent.check([ROW])
    assert agent_rewards(three, agent, proxy(served), 3) == [[1.0], None, [0.0]]
    assert calls() == [os.getpid()] * 3
    assert stats_tracker.export_all()["rollout/rejected__count"] == 1
    assert served.session.is_completed


# --- What a reader copies -----------------------------------------------------------------------


class Trainer:
    """In place of AReaL's: it keeps what it is given."""

    given: dict[str, Any]

    def __init__(self, config: Any, **datasets: Any) -> None:
        Trainer.given = {"config": config, **datasets}

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def train(self, **workflow: Any) -> None:
        Trainer.given |= workflow


def test_the_snippet_and_its_options_run_up_to_the_trainer(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    engine: Any,
    model: Any,
) -> None:
    for tracker in ("swanlab", "tensorboardX", "trackio", "wandb"):
        module: Any = ModuleType(tracker)
        module.__spec__, module.SummaryWriter = ModuleSpec(tracker, None), None
        monkeypatch.setitem(sys.modules, tracker, module)
    real = areal.PPOTrainer
    folder = tmp_path_factory.mktemp(
        "rows"
    )  # a path with gsm8k in it would be looked up at the hub
    Dataset.from_list([ROW] * 4).save_to_disk(str(folder / "saved"))
    monkeypatch.setattr(areal, "PPOTrainer", Trainer)
    monkeypatch.syspath_prepend(str(SNIPPETS))
    import areal_gsm8k

    areal_gsm8k.main(
        [
            f"--config={SNIPPETS / 'areal_gsm8k.yaml'}",
            f"actor.path={smollm2()}",
            f"train_dataset.path={folder / 'saved'}",
            f"cluster.fileroot={folder}",
            f"cluster.name_resolve.nfs_record_root={folder}",
            "gconfig.max_new_tokens=8",
            "gconfig.n_samples=2",
        ]
    )
    given = Trainer.given
    config, rows = given.pop("config"), given.pop("train_dataset")
    inspect.signature(real).bind(config, train_dataset=rows)
    inspect.signature(real.train).bind(None, **given)
    assert config.actor.reward_norm.group_size == config.gconfig.n_samples == 2

    (group,) = engine(model=model).rollout_batch(
        [rows[0]], **given, group_size=config.gconfig.n_samples
    )
    assert group["rewards"].shape == (2,)
    assert group["loss_mask"].sum().item() <= 16


def test_the_snippet_with_a_deadline_is_one_that_the_workflow_takes(
    monkeypatch: pytest.MonkeyPatch, engine: Any, tokenizer: Any
) -> None:
    monkeypatch.syspath_prepend(str(SNIPPETS))
    reward_fn = "areal_deadline.reward_fn"
    batch = engine("#### 72<|im_end|>").rollout_batch(
        [ROW], AWAITING, options(tokenizer, reward_fn)
    )
    assert rewards(batch) == [[1.0]]
    import areal_deadline

    with pytest.raises(Abstained):
        asyncio.run(areal_deadline.reward_fn("", "72", [], [], **{**ROW, "answer": "none"}))
