"""verl 0.9.1 itself loads the snippet, calls the reward, and leaves an abstention out.

Real: its configuration, loader, reward workers and managers, agent loop, queue of trajectories, replay
buffers, padding, advantages, metrics and optimiser step. Made up: the server that generates.
"""

import asyncio
import math
import os
import shlex
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import ray
import torch
import transfer_queue as tq
import verl
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from transformers import PreTrainedTokenizerBase, Qwen2Config
from verl import DataProto
from verl.experimental.reward_loop import RewardLoopManager
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker
from verl.trainer.ppo.metric_utils import compute_data_metrics, process_validation_metrics
from verl.trainer.ppo.padding_utils import upsample_batch_to_divisible_size
from verl.trainer.ppo.ray_trainer import compute_advantage
from verl.trainer.ppo.v1 import AgentLoopWorkerTQ, PPOTrainerSync
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync
from verl.utils.tensordict_utils import list_of_dict_to_tensordict
from verl.workers.engine.fsdp.transformer_impl import FSDPEngine
from verl.workers.rollout.replica import TokenOutput

from examples.shared.outcome import Outcome, Reason
from examples.training.small_policy import make_tokenizer
from examples.training.verl_adapter import ADAPTER, RESERVED, abstaining_manager, verl_reward

ROOT = Path(__file__).parents[3]
SNIPPETS = Path(__file__).parents[1] / "snippets"
TEXTS = ["8 * 9?", "2 + 3?", "#### 72", "#### 7", "#### 5"]

# A file of a reader's: it abstains by response, so that a part of a group is left.
GRADERS = """
import asyncio
from examples.shared.outcome import Outcome, Reason
from examples.training.verl_adapter import abstaining_manager, verl_reward

def by_rule(response, reference):
    if response == "#### 7":
        return Outcome(None, Reason.TIMED_OUT)
    return Outcome(float(response == f"#### {reference}"), Reason.SCORED)

async def judge(question, response, reference):
    await asyncio.sleep(0)
    assert question == "8 * 9?"
    return by_rule(response, reference)

def is_broken(response, reference):
    raise ZeroDivisionError

async def never_ends(response, reference):
    await asyncio.sleep(60)

by_rule_score = verl_reward(by_rule).compute_score
judge_score = verl_reward(judge).compute_score
is_broken_score = verl_reward(is_broken).compute_score
never_ends_score = verl_reward(never_ends).compute_score
AbstainingManager = abstaining_manager()
AbstainingRateLimited = abstaining_manager("rate_limited")
"""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return make_tokenizer(TEXTS)


@pytest.fixture(scope="module")
def folder(tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy without weights, and the readers' file."""
    folder: Path = tmp_path_factory.mktemp("verl")
    tokenizer.save_pretrained(folder)
    Qwen2Config(architectures=["Qwen2ForCausalLM"], vocab_size=len(tokenizer)).save_pretrained(
        folder
    )
    (folder / "graders.py").write_text(GRADERS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def configured(folder: Path) -> Callable[..., DictConfig]:
    """verl's own configuration, with command-line overrides."""

    def configure(*overrides: str) -> DictConfig:
        with initialize_config_dir(
            str(Path(verl.__file__).parent / "trainer/config"), version_base=None
        ):
            return compose(
                "ppo_trainer",
                [
                    "actor_rollout_ref.rollout.name=vllm",
                    f"actor_rollout_ref.model.path={folder}",
                    "reward.num_workers=1",
                    "algorithm.adv_estimator=grpo",
                    *overrides,
                    "actor_rollout_ref.rollout.n=4",
                ],
            )

    return configure


@pytest.fixture(scope="module")
def with_graders(configured: Callable[..., DictConfig], folder: Path) -> Callable[..., DictConfig]:
    def configure(function: str, manager: str, source: str = "importlib") -> DictConfig:
        return configured(
            f"reward.custom_reward_function.path={folder / 'graders.py'}",
            f"reward.custom_reward_function.name={function}",
            f"reward.reward_manager.source={source}",
            f"reward.reward_manager.module.path={folder / 'graders.py'}",
            f"reward.reward_manager.name={manager}",
        )

    return configure


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    """Ray and the queue of trajectories, as `TaskRunnerV1` starts them."""
    before = Path.cwd(), os.environ.get("PYTHONPATH")
    os.chdir(SNIPPETS)  # where the reader starts verl: the options name the file by a relative path
    os.environ["PYTHONPATH"] = str(ROOT)
    ray.init(num_cpus=8, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    tq.init()
    yield
    tq.close()
    ray.shutdown()
    os.chdir(before[0])
    os.environ.pop("PYTHONPATH")
    if before[1] is not None:
        os.environ["PYTHONPATH"] = before[1]


@pytest.fixture
def cluster(_cluster: None) -> Iterator[None]:
    yield
    for partition, keys in tq.kv_list().items():
        tq.kv_clear(partition_id=partition, keys=list(keys))


def item(tokenizer: PreTrainedTokenizerBase, response: str, truth: str = "72") -> DataProto:
    """One response as verl's agent loop hands it to a reward worker."""
    ids = torch.tensor([tokenizer.encode(response)])
    return DataProto.from_single_dict(
        {
            "prompts": torch.zeros(1, 1, dtype=torch.long),
            "responses": ids,
            "attention_mask": torch.ones(1, 1 + ids.shape[1], dtype=torch.long),
            "data_source": np.array(["gsm8k"], dtype=object),
            "reward_model": np.array([{"ground_truth": truth}], dtype=object),
            "extra_info": np.array([{"question": "8 * 9?"}], dtype=object),
        }
    )


def reward_of(config: DictConfig, data: DataProto) -> dict[str, Any]:
    """What verl's reward worker makes of one response."""

    async def compute() -> dict[str, Any]:
        return await RewardLoopWorker(config).compute_score(data)

    return asyncio.run(compute())


def roll_out(
    config: DictConfig,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[tuple[str, str, str, list[str]]],
    handles: list[Any] | None = None,
) -> None:
    """Generate and score `(uid, question, truth, responses)` into the queue, as verl's trainer does."""
    written = {question: iter(responses) for _, question, _, responses in rows}

    class Server:
        async def generate(self, request_id: str, prompt_ids: Any, **options: Any) -> TokenOutput:
            question = tokenizer.decode(prompt_ids, skip_special_tokens=True)
            response = next(answers for text, answers in written.items() if text in question)
            return TokenOutput(
                token_ids=[*tokenizer.encode(next(response)), tokenizer.eos_token_id]
            )

    prompts = [
        {
            "uid": uid,
            "raw_prompt": [{"role": "user", "content": question}],
            "data_source": "gsm8k",
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"question": question},
            "index": number,
            "global_steps": 1,
        }
        for number, (uid, question, truth, _) in enumerate(rows)
    ]

    async def run() -> None:
        of_class = AgentLoopWorkerTQ.__ray_metadata__.modified_class
        worker = of_class(config, Server(), None, handles or [Handle(config)])
        await worker.generate_sequences(list_of_dict_to_tensordict(prompts))
        while worker.background_tasks:
            await asyncio.sleep(0.02)

    tq.kv_batch_put(
        keys=[prompt["uid"] for prompt in prompts],
        partition_id="train",
        tags=[{"is_prompt": True, "status": "pending", "global_steps": 1} for _ in prompts],
    )
    asyncio.run(run())


class Handle:
    """A reward worker of verl's in this process, called as its Ray actor is."""

    def __init__(self, config: DictConfig) -> None:
        self.compute_score = SimpleNamespace(remote=RewardLoopWorker(config).compute_score)


def buffer(kind: type[Any], **options: Any) -> Any:
    return kind("sync", DictConfig({}), None, "drop", DictConfig({}), poll_interval=0.05, **options)


def advantages(config: DictConfig, batch: Any) -> list[tuple[float, float]]:
    """Each trajectory's score and the advantage that verl's trainer gives it, lowest score first.

    The queue numbers the responses of a group in the order in which generation began, which varies.
    """
    PPOTrainerSync._compute_advantage(SimpleNamespace(config=config), batch, {})
    data = tq.kv_batch_get(keys=batch.keys, partition_id="train")
    return sorted(
        (float(scores.sum()), round(float(found[0]), 3))
        for scores, found, tag in zip(
            data["rm_scores"], data["advantages"], batch.tags, strict=True
        )
        if not tag.get("is_padding")
    )


def test_the_installed_version_is_the_one_that_the_adapter_names() -> None:
    assert version("verl") == ADAPTER.version


def test_the_snippet_scores_in_verls_own_workers_and_a_group_that_abstained_is_left_out(
    cluster: None, configured: Callable[..., DictConfig], tokenizer: PreTrainedTokenizerBase
) -> None:
    command = shlex.split((SNIPPETS / "verl_gsm8k.sh").read_text(encoding="utf-8"))
    config = configured(*[word for word in command if "=" in word])
    manager = RewardLoopManager(config)
    rows = [
        ("a", "8 * 9?", "72", ["#### 72", "#### 7", "#### 7", "#### 72"]),
        ("b", "2 + 3?", "no number", ["#### 5"] * 4),
    ]
    roll_out(config, tokenizer, rows, manager.reward_loop_worker_handles)
    batch, _ = buffer(ReplayBuffer).sample(1, "train", 2)
    data = tq.kv_batch_get(keys=batch.keys, partition_id="train")
    assert sorted(batch.keys) == ["a_0_0", "a_1_0", "a_2_0", "a_3_0"]
    reasons = [fields["reward_extra_info"]["reason"] for fields in data["extra_fields"]]
    assert sorted(reasons) == ["correct", "correct", "wrong", "wrong"]
    expected = [(0.0, -0.866), (0.0, -0.866), (1.0, 0.866), (1.0, 0.866)]
    assert advantages(config, batch) == expected


@pytest.mark.parametrize("function", ["by_rule_score", "judge_score"])
def test_the_others_of_a_group_are_compared_among_themselves(
    function: str,
    cluster: None,
    with_graders: Callable[..., DictConfig],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    config = with_graders(function, "AbstainingManager")
    responses = ["#### 72", "#### 7", "#### 5", "#### 72"]
    roll_out(config, tokenizer, [("a", "8 * 9?", "72", responses)])
    batch, _ = buffer(ReplayBuffer).sample(1, "train", 1)
    assert len(batch) == 3
    batch = upsample_batch_to_divisible_size(batch, 4, tokenizer.eos_token_id)
    assert len(batch) == 4  # the trainer fills up with a sample whose mask is 0
    # the mean of 0, 1 and 1 is 0.667, the deviation 0.577
    assert advantages(config, batch) == [(0.0, -1.155), (1.0, 0.577), (1.0, 0.577)]

    data = tq.kv_batch_get(keys=batch.keys[:3], partition_id="train").select(
        "prompts", "responses", "response_mask", "rm_scores", "advantages", "returns"
    )
    padded = data.to_padded_tensor()
    padded["token_level_scores"] = padded["token_level_rewards"] = padded["rm_scores"]
    padded["prompt_length"] = data["prompts"].offsets().diff().float()
    padded["response_length"] = data["responses"].offsets().diff().float()
    metrics = compute_data_metrics(DataProto(batch=padded), use_critic=False)
    assert metrics["critic/score/mean"] == pytest.approx(2 / 3)  # of what was scored


def test_a_group_of_which_one_is_left_has_its_bare_score_as_advantage(
    cluster: None, with_graders: Callable[..., DictConfig], tokenizer: PreTrainedTokenizerBase
) -> None:
    config = with_graders("by_rule_score", "AbstainingManager")
    responses = ["#### 7", "#### 7", "#### 72", "#### 7"]
    roll_out(config, tokenizer, [("a", "8 * 9?", "72", responses)])
    batch, _ = buffer(ReplayBuffer).sample(1, "train", 1)
    assert advantages(config, batch) == [(1.0, 1.0)]


@pytest.mark.parametrize("function", ["by_rule_score", "is_broken_score"])
def test_a_batch_without_any_score_stops_the_run(
    function: str,
    cluster: None,
    with_graders: Callable[..., DictConfig],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    config = with_graders(function, "AbstainingManager")
    roll_out(config, tokenizer, [("a", "8 * 9?", "72", ["#### 7"] * 4)])
    with pytest.raises(RuntimeError, match="no materializable trajectories"):
        buffer(ReplayBuffer).sample(1, "train", 1)


def test_the_asynchronous_trainers_replace_the_whole_group(
    cluster: None, with_graders: Callable[..., DictConfig], tokenizer: PreTrainedTokenizerBase
) -> None:
    config = with_graders("by_rule_score", "AbstainingManager")
    responses = ["#### 72", "#### 7", "#### 5", "#### 72"]
    roll_out(config, tokenizer, [("a", "8 * 9?", "72", responses)])
    wanted: list[int] = []

    def refill(number: int) -> None:
        wanted.append(number)
        roll_out(config, tokenizer, [("b", "2 + 3?", "5", ["#### 5"] * 4)])

    batch, metrics = buffer(ReplayBufferAsync, refill_fn=refill).sample(1, "train", 1)
    assert wanted == [1]
    assert metrics == {"training/rollout_failure/evicted_samples": 1}
    assert sorted(batch.keys) == ["b_0_0", "b_1_0", "b_2_0", "b_3_0"]


@pytest.mark.parametrize("manager", ["naive", "rate_limited"])
@pytest.mark.parametrize("function", ["by_rule_score", "judge_score", "is_broken_score"])
def test_verls_own_managers_pass_nan_on_and_never_zero(
    manager: str,
    function: str,
    with_graders: Callable[..., DictConfig],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    config = with_graders(function, manager, source="register")
    result = reward_of(config, item(tokenizer, "#### 7"))
    assert math.isnan(result["reward_score"])
    assert result["reward_extra_info"]["reason"] in ("timed_out", "error")


def test_verls_rate_limited_manager_scores_an_error_and_a_time_out_zero_by_itself(
    with_graders: Callable[..., DictConfig], tokenizer: PreTrainedTokenizerBase
) -> None:
    """Why the adapter catches errors, and why its manager looks for time-outs."""
    config = with_graders("never_ends_score", "rate_limited", source="register")
    OmegaConf.update(config, "reward.timeout", 0.1, force_add=True)
    assert reward_of(config, item(tokenizer, "#### 72"))["reward_score"] == 0.0
    ours = with_graders("never_ends_score", "AbstainingRateLimited")
    OmegaConf.update(ours, "reward.timeout", 0.1, force_add=True)
    with pytest.raises(RuntimeError, match=r"no score: .*timeout"):
        reward_of(ours, item(tokenizer, "#### 72"))


@pytest.mark.parametrize("manager", ["AbstainingManager", "AbstainingRateLimited"])
@pytest.mark.parametrize("function", ["by_rule_score", "judge_score"])
def test_the_manager_scores_what_was_measured_and_raises_for_the_rest(
    manager: str,
    function: str,
    with_graders: Callable[..., DictConfig],
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    config = with_graders(function, manager)
    assert reward_of(config, item(tokenizer, "#### 72"))["reward_score"] == 1.0
    assert reward_of(config, item(tokenizer, "#### 5"))["reward_score"] == 0.0
    with pytest.raises(RuntimeError, match="no score: timed_out"):
        reward_of(config, item(tokenizer, "#### 7"))


def test_an_unknown_manager_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown reward manager"):
        abstaining_manager("limit")


def test_without_the_manager_nan_reaches_the_whole_group_and_the_optimiser_skips_the_step() -> None:
    data = DataProto.from_single_dict(
        {
            "token_level_rewards": torch.tensor([[1.0], [math.nan], [0.0], [1.0]]),
            "response_mask": torch.ones(4, 1),
            "uid": np.array(["a", "a", "b", "b"], dtype=object),
        }
    )
    found = compute_advantage(data, "grpo").batch["advantages"].flatten()
    assert found[:2].isnan().all()
    assert found[2:].isfinite().all()

    model = torch.nn.Linear(1, 1)
    before = model.weight.clone()
    engine = SimpleNamespace(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        optimizer_config=SimpleNamespace(clip_grad=1.0),
        _qat_enabled=False,
    )
    (model(torch.ones(4, 1)).flatten() * found).mean().backward()
    assert math.isnan(FSDPEngine.optimizer_step(engine))
    assert torch.equal(model.weight, before)


def test_validation_averages_what_was_scored_and_makes_no_acc_of_zero() -> None:
    """verl counts a missing response as acc 0, where rewards hold acc: these hold none."""
    results = [verl_reward(_grade).compute_score("gsm8k", text, "72") for text in ("72", "72")]
    infos = {name: [result[name] for result in results] for name in results[0]}
    expected = {("gsm8k", "a"): 4}  # four were sampled, two abstained
    found = process_validation_metrics(["gsm8k"] * 2, ["a"] * 2, infos, 42, expected)["gsm8k"]
    assert found["score"]["mean@2"] == 1.0
    assert "acc" not in found
    plain = process_validation_metrics(["gsm8k"] * 2, ["a"] * 2, {"acc": [1.0, 1.0]}, 42, expected)
    assert plain["gsm8k"]["acc"]["mean@4"] == 0.5


def test_what_verl_writes_into_extra_info_is_reserved(
    tokenizer: PreTrainedTokenizerBase, with_graders: Callable[..., DictConfig]
) -> None:
    data = item(tokenizer, "#### 72")
    reward_of(with_graders("by_rule_score", "AbstainingManager"), data)
    written = set(data.non_tensor_batch["extra_info"][0]) - {"question"}
    assert written == {"num_turns", "rollout_reward_scores"}
    assert written <= set(RESERVED)


def _grade(response: str, reference: str) -> Outcome:
    return Outcome(float(response == reference), Reason.SCORED)
