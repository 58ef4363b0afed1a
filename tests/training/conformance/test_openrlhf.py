"""The adapter against OpenRLHF 0.11.2.

Its own code runs here from the data set to the advantages: options, `PromptDataset`,
`SingleTurnAgentExecutor`, `SamplesGenerator` with its dynamic filter, `RemoteExperienceMaker`.

Stand-ins take the places of what needs a GPU: vllm (an engine that says prepared texts), deepspeed,
peft and flash-attn (never called), and ray (calls run at once, in this process). The forward pass of
the policy is a stand-in too: log probabilities of zero.
"""

import asyncio
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import logging
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from aiohttp import web

from examples.training.openrlhf_adapter import ADAPTER
from examples.training.serve_openrlhf import load_reward, make_app
from examples.training.small_policy import make_tokenizer

SNIPPETS = Path(__file__).parent.parent / "snippets"
REWARD = str(SNIPPETS / "openrlhf_gsm8k.py")
GPU_ONLY = ("deepspeed", "flash_attn", "peft", "ray", "vllm")
SAMPLES = 4  # of each prompt

END = "<|end|>"
RIGHT, WRONG = f"The answer is 72.{END}", f"The answer is 71.{END}"


class Parsed(Exception):
    """Raised by ray's stand-in, where training would begin."""


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports any module of `GPU_ONLY` as a mock."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.partition(".")[0] in GPU_ONLY:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> Any:
        module = MagicMock(name=spec.name)
        module.__path__ = []
        module.__spec__ = spec
        if spec.name == "ray":
            module.remote = lambda target=None, **options: target or (lambda cls: cls)
            module.get = lambda reference: reference
            module.put = lambda value: value
            module.wait = lambda references, **options: (references[:1], references[1:])
            module.is_initialized = MagicMock(side_effect=Parsed)
        if spec.name == "vllm":
            module.__version__ = "0.29.0"
            module.SamplingParams = SimpleNamespace
        return module

    def exec_module(self, module: Any) -> None:
        pass


@pytest.fixture(autouse=True, scope="module")
def stand_ins() -> Iterator[None]:
    import transformers  # noqa: F401 - before it could take a stand-in for the real thing

    before = set(sys.modules)
    sys.meta_path.insert(0, finder := StandIns())
    yield
    sys.meta_path.remove(finder)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in GPU_ONLY:
            del sys.modules[name]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    made = make_tokenizer(["What is 8 * 9? The answer is 72."])
    made.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    return made


@pytest.fixture(autouse=True)
def openrlhf_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    root = logging.getLogger("openrlhf")
    propagates, root.propagate = root.propagate, True
    caplog.set_level(logging.INFO)
    yield
    root.propagate = propagates


def options(*arguments: str) -> Any:
    """What OpenRLHF's own parser makes of the snippet's command, up to where training begins."""
    words = (SNIPPETS / "openrlhf_gsm8k.sh").read_text().replace("\\\n", " ").split()
    words = [REWARD if word == "openrlhf_gsm8k.py" else word for word in words]
    before = sys.argv
    sys.argv = ["train_ppo_ray", *words[words.index("openrlhf.cli.train_ppo_ray") + 1 :]]
    sys.argv += ["--rollout.n_samples_per_prompt", str(SAMPLES), "--algo.kl.init_coef", "0"]
    sys.argv += ["--rollout.micro_batch_size", "1", *arguments]
    try:
        with pytest.raises(Parsed) as raised:
            runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")
    finally:
        sys.argv = before
    for entry in raised.traceback:
        if entry.name == "train":
            return entry.frame.raw.f_locals["args"]
    raise AssertionError


class Engine:
    """An engine that says prepared texts, around the real `generate_responses`."""

    def __init__(self, executor: Any, tokenizer: Any, texts: Sequence[str]) -> None:
        self.executor, self.tokenizer = executor, tokenizer
        self.texts = iter(texts)
        self.get_num_unfinished_requests = SimpleNamespace(remote=lambda: 0)
        self.generate_responses = SimpleNamespace(remote=self._generate_responses)

    async def generate(self, prompt: Any, params: Any, multi_modal_data: Any = None) -> Any:
        text = next(self.texts)
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        output = SimpleNamespace(token_ids=ids, text=text, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])

    def _generate_responses(self, **arguments: Any) -> Any:
        from openrlhf.trainer.ray.vllm_engine import RolloutRayActor

        return asyncio.run(RolloutRayActor.generate_responses(self, **arguments))


class Strategy:
    def __init__(self, args: Any) -> None:
        self.args = args

    def is_rank_0(self) -> bool:
        return False


def generator(args: Any, tokenizer: Any, texts: Sequence[str], answers: Sequence[Any]) -> Any:
    """OpenRLHF's `SamplesGenerator` over its `PromptDataset` and its executor."""
    from openrlhf.datasets import PromptDataset
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    rows = [{"question": f"What is {n} * 9?", "answer": a} for n, a in enumerate(answers)]
    prompts = PromptDataset(rows, tokenizer, Strategy(args))
    loader = torch.utils.data.DataLoader(prompts, 1, collate_fn=prompts.collate_fn)
    engine = Engine(SingleTurnAgentExecutor(args.reward.remote_url), tokenizer, texts)
    args.vllm.enable_sleep = False
    return SamplesGenerator(Strategy(args), loader, loader, tokenizer, [engine])


def rollout(
    args: Any, tokenizer: Any, texts: Sequence[str], answers: Sequence[Any], prompts: int = 1
) -> Any:
    args.rollout.batch_size = prompts
    made = generator(args, tokenizer, texts, answers)
    return made.generate_samples(max_len=256, max_new_tokens=64)


def train_on(args: Any, tokenizer: Any, samples: list[Any]) -> list[Any]:
    """OpenRLHF's `make_experience_batch`: from samples to advantages."""
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker

    policy = MagicMock()
    policy.async_run_method_batch = lambda action_mask, **rest: [
        [torch.zeros(mask.shape) for mask in action_mask]
    ]
    control = SimpleNamespace(value=0.0)
    maker = RemoteExperienceMaker(policy, None, None, None, control, Strategy(args), tokenizer)
    made: list[Any] = maker.make_experience_batch(samples)
    return made


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """A file for `--reward.remote_url` with this grader."""

    def written(grader: str) -> str:
        path = tmp_path / "reward.py"
        path.write_text(
            "from examples.shared.outcome import Abstained, Outcome, Reason\n"
            "from examples.training.openrlhf_adapter import openrlhf_reward\n"
            f"{grader}\nreward_func = openrlhf_reward(grade)\n"
        )
        return str(path)

    return written


JUDGE = """
async def grade(response: str, reference: str) -> Outcome:
    if response == "lost":
        return Outcome(None, Reason.JUDGE_UNREACHABLE)
    right = response == reference
    return Outcome(float(right), Reason.CORRECT if right else Reason.WRONG)
"""


def test_the_version_is_the_adapters() -> None:
    assert importlib.metadata.version("openrlhf") == ADAPTER.version


def test_the_options_of_the_snippet_are_openrlhfs() -> None:
    args = options()
    assert args.reward.remote_url == [REWARD]
    assert args.data.label_key == "answer"
    assert args.algo.dynamic_filtering_enable is True
    assert tuple(args.algo.dynamic_filtering_range) == (0, 1)
    wide = options("--algo.dynamic_filtering_range", "-1000000", "1000000")
    assert wide.algo.dynamic_filtering_range == [-1e6, 1e6]


def test_scores_become_advantages(tokenizer: Any) -> None:
    args = options()
    texts = [RIGHT, WRONG, WRONG, "No idea."]
    samples, _, consumed, _ = rollout(args, tokenizer, texts, ["#### 72"])
    assert [sample.rewards.tolist() for sample in samples] == [[1.0], [0.0], [0.0], [0.0]]
    assert [sample.info["abstained"].tolist() for sample in samples] == [[0.0]] * SAMPLES
    assert consumed == 1
    experiences = train_on(args, tokenizer, samples)
    advantages = [float(e.advantages[e.action_mask.bool()][0]) for e in experiences]
    assert advantages == pytest.approx([1.5, -0.5, -0.5, -0.5])


def test_the_reward_sees_the_response_without_the_end_of_the_turn(
    tokenizer: Any, write: Callable[[str], str]
) -> None:
    args = options("--reward.remote_url", write(JUDGE))
    texts = ["72<|im_end|>", "72" + END, "72", "71<|im_end|>"]
    samples, *_ = rollout(args, tokenizer, texts, ["72"])
    assert [sample.rewards.item() for sample in samples] == [1.0, 1.0, 1.0, 0.0]


def test_an_abstention_drops_the_group_and_another_prompt_is_rolled_out(
    tokenizer: Any, write: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    args = options("--reward.remote_url", write(JUDGE))
    texts = ["72", "lost", "71", "71", "8", "1", "1", "1"]
    samples, _, consumed, _ = rollout(args, tokenizer, texts, ["72", "8"])
    assert consumed == 2
    assert [sample.rewards.item() for sample in samples] == [1.0, 0.0, 0.0, 0.0]
    assert {sample.labels[0] for sample in samples} == {"8"}
    assert "Filtered out: avg_reward=nan" in caplog.text
    assert "judge_unreachable" in caplog.text
    experiences = train_on(args, tokenizer, samples)
    assert all(torch.isfinite(experience.advantages).all() for experience in experiences)


def test_an_abstention_drops_the_group_whatever_the_range(
    tokenizer: Any, write: Callable[[str], str]
) -> None:
    wide = ("--algo.dynamic_filtering_range", "-1000000", "1000000")
    args = options("--reward.remote_url", write(JUDGE), *wide)
    samples, *_ = rollout(args, tokenizer, ["72", "lost", "72", "72", *["8"] * 4], ["72", "8"])
    assert [sample.labels[0] for sample in samples] == ["8"] * SAMPLES


@pytest.mark.parametrize("micro_batch", ["1", "2", "4"])
@pytest.mark.parametrize("position", range(SAMPLES))
def test_without_the_filter_an_abstention_stops_the_run(
    tokenizer: Any, write: Callable[[str], str], micro_batch: str, position: int
) -> None:
    arguments = ("--reward.remote_url", write(JUDGE), "--rollout.micro_batch_size", micro_batch)
    args = options(*arguments)
    args.algo.dynamic_filtering_enable = False
    texts = ["72", "71", "71", "71"]
    texts[position] = "lost"
    samples, *_ = rollout(args, tokenizer, texts, ["72"])
    assert [sample.rewards is None for sample in samples].count(True) == 1
    with pytest.raises((AttributeError, ValueError), match=r"reward_model_group|NoneType"):
        train_on(args, tokenizer, samples)


def test_a_nan_for_a_reward_would_reach_the_whole_group(tokenizer: Any) -> None:
    """Why the adapter gives none."""
    args = options()
    samples, *_ = rollout(args, tokenizer, [RIGHT, WRONG, WRONG, WRONG], ["72"])
    samples[2].rewards = torch.tensor([float("nan")])
    for experience in train_on(args, tokenizer, samples):
        assert experience.advantages[experience.action_mask.bool()].isnan().all()


def test_an_abstention_in_an_evaluation_stops_the_run(
    tokenizer: Any, write: Callable[[str], str]
) -> None:
    from openrlhf.trainer.ppo_trainer import compute_eval_metrics

    args = options("--reward.remote_url", write(JUDGE))
    args.rollout.batch_size = 1
    made = generator(args, tokenizer, ["72", "lost", "71", "71"], ["72"])
    samples = made.generate_eval_samples(max_len=256, max_new_tokens=64)
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        compute_eval_metrics(made.eval_dataloader, samples, SAMPLES)


def test_an_error_of_the_grader_is_logged_and_stops_the_run(
    tokenizer: Any, write: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    args = options(
        "--reward.remote_url", write("def grade(response):\n    raise RuntimeError('x')")
    )
    samples, *_ = rollout(args, tokenizer, [RIGHT] * SAMPLES, ["72"])
    assert all(sample.rewards is None for sample in samples)
    levels = {record.levelname for record in caplog.records if "grade failed" in record.message}
    assert levels == {"ERROR"}
    hidden = [record for record in caplog.records if "Failed to fetch reward" in record.message]
    assert {record.levelname for record in hidden} == {"INFO"}
    with pytest.raises(ValueError, match="reward_model_group is required"):
        train_on(args, tokenizer, samples)


def test_a_missing_label_key_stops_the_run(
    tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    args = options()
    args.data.label_key = None
    samples, *_ = rollout(args, tokenizer, [RIGHT] * SAMPLES, ["72"])
    assert all(sample.rewards is None for sample in samples)
    assert "--data.label_key" in caplog.text


def test_a_truncated_prompt_stops_the_run(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    args = options()
    args.rollout.batch_size = 1
    made = generator(args, tokenizer, [RIGHT] * SAMPLES, ["72"])
    samples, *_ = made.generate_samples(max_len=68, max_new_tokens=64)
    assert all(sample.rewards is None for sample in samples)
    assert "does not begin with its prompt" in caplog.text


# --- Over HTTP ------------------------------------------------------------------------------------


@contextmanager
def serving(reward: str, token: str = "") -> Iterator[int]:
    """Run the server in a thread of its own: `rollout` makes a loop for each group."""
    ready, port = threading.Event(), 0
    loop = asyncio.new_event_loop()

    async def start() -> None:
        nonlocal port
        runner = web.AppRunner(make_app(load_reward(reward), token), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        ready.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield port
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_the_server_is_asked_by_openrlhfs_client(
    tokenizer: Any, write: Callable[[str], str]
) -> None:
    texts = ["72", "lost", "71", "71", "8" + END, "1", "1", "1"]
    with serving(write(JUDGE)) as port:
        args = options("--reward.remote_url", f"http://127.0.0.1:{port}/get_reward")
        samples, _, consumed, _ = rollout(args, tokenizer, texts, ["72", "8"])
    assert consumed == 2
    assert [sample.rewards.item() for sample in samples] == [1.0, 0.0, 0.0, 0.0]


def test_openrlhfs_client_sends_the_token_of_a_url(
    tokenizer: Any, write: Callable[[str], str]
) -> None:
    texts = ["72", "71", "71", "71"]
    with serving(write(JUDGE), token="secret") as port:
        args = options("--reward.remote_url", f"http://:secret@127.0.0.1:{port}/get_reward")
        samples, *_ = rollout(args, tokenizer, texts, ["72"])
        assert [sample.rewards.item() for sample in samples] == [1.0, 0.0, 0.0, 0.0]


def test_a_refused_request_stops_the_run(
    tokenizer: Any, write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openrlhf.utils import agent

    real = asyncio.sleep
    monkeypatch.setattr(agent.asyncio, "sleep", lambda seconds: real(0))
    with serving(write(JUDGE), token="secret") as port:
        args = options("--reward.remote_url", f"http://127.0.0.1:{port}/get_reward")
        samples, *_ = rollout(args, tokenizer, ["72"] * SAMPLES, ["72"])
    assert all(sample.rewards is None for sample in samples)
    with pytest.raises(ValueError, match="reward_model_group is required"):
        train_on(args, tokenizer, samples)
