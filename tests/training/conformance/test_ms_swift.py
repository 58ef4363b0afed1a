"""ms-swift 4.6.0 itself calls the reward, scores with it, and trains a tiny policy.

Its `rlhf_main` runs as `swift rlhf` does: it reads a JSONL file, imports the plug-in, generates with
transformers, and takes optimiser steps, on a CPU.
"""

import asyncio
import json
import math
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from swift.dataset import load_dataset
from swift.pipelines.train.rlhf import rlhf_main
from swift.rewards import orms
from swift.rl_core.advantage import compute_advantages
from swift.rl_core.data import GRPOSample
from swift.rl_core.grpo_algorithm import compute_rewards_per_func
from swift.rlhf_trainers import grpo_trainer
from transformers import LlamaConfig, LlamaForCausalLM

from examples.rule_based.gsm8k import grade
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.ms_swift_adapter import ADAPTER, ms_swift_reward
from examples.training.small_policy import make_tokenizer, messages

SNIPPET = Path(__file__).parent.parent / "snippets" / "ms_swift_gsm8k.py"
GDPO = SimpleNamespace(scale_rewards="gdpo", advantage_estimator="grpo", multi_turn_scheduler=None)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    tokenizer = make_tokenizer([f"{a} + 3?" for a in range(20)])
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=128,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _restored_registry() -> Iterator[None]:
    before = dict(orms)
    yield
    orms.clear()
    orms.update(before)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"messages": messages(f"{a} + 3?"), "answer": f"#### {a + 3}"}) for a in range(8)
    ]
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def train(policy: Path, rows: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(*options: str) -> dict[str, Any]:
        plugin = shutil.copy(SNIPPET, tmp_path)  # a plug-in is imported once for each path
        arguments = f"""--rlhf_type grpo --external_plugins {plugin} --reward_funcs gsm8k_by_rule
            --model {policy} --model_type llama --template chatml --tuner_type full
            --torch_dtype float32 --dataset {rows} --split_dataset_ratio 0 --num_generations 4
            --per_device_train_batch_size 4 --gradient_accumulation_steps 1 --max_steps 2
            --max_completion_length 8 --beta 0 --use_vllm false --save_strategy no --check_model false
            --dataloader_num_workers 0 --logging_steps 1 --report_to none --output_dir {tmp_path}"""
        result: dict[str, Any] = rlhf_main([*arguments.split(), *options])
        return result

    return run


def use(grader: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the snippet find another grader in the place of the book's."""
    monkeypatch.setattr("examples.rule_based.gsm8k.grade", grader)


def cycling(*scores: float | None) -> Callable[[str, str], Outcome]:
    """A grader that gives the completions of a batch these scores, in order."""
    calls = iter(scores * 99)

    def grader(response: str, reference: str) -> Outcome:
        assert reference.startswith("#### ")
        score = next(calls)
        return Outcome(score, Reason.BAD_REFERENCE if score is None else Reason.SCORED)

    return grader


@pytest.fixture
def advantages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[float], list[float]]]:
    """Rewards and advantages of each batch that ms-swift's trainer computes."""
    seen: list[tuple[list[float], list[float]]] = []

    def spy(**arguments: Any) -> Any:
        result = compute_advantages(**arguments)
        seen.append((arguments["rewards_per_func"][:, 0].tolist(), result[0].tolist()))
        return result

    monkeypatch.setattr(grpo_trainer, "compute_advantages", spy)
    return seen


def test_the_version_is_the_adapters() -> None:
    assert version("ms-swift") == ADAPTER.version


def test_the_snippet_is_loaded_as_a_plugin_and_trains(
    train: Callable[..., dict[str, Any]], advantages: list[Any]
) -> None:
    result = train("--scale_rewards", "gdpo")
    assert result["global_step"] == 2
    assert "rewards/grade/mean" in result["log_history"][0]
    assert all(reward == 0.0 for rewards, _ in advantages for reward in rewards)


def test_an_abstention_is_left_out_of_its_group_in_training(
    train: Callable[..., dict[str, Any]],
    advantages: list[tuple[list[float], list[float]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(cycling(1.0, None, 0.0, 1.0), monkeypatch)
    result = train("--scale_rewards", "gdpo")
    assert result["global_step"] == 2
    assert all(math.isfinite(log["loss"]) for log in result["log_history"][:2])
    measured = torch.tensor([1.0, 0.0, 1.0])
    expected = (measured - measured.mean()) / measured.std()
    for rewards, values in advantages:
        assert math.isnan(rewards[1])
        assert values[1] == pytest.approx(0.0, abs=1e-6)
        ratio = torch.tensor([values[0], *values[2:]]) / expected
        assert ratio.tolist() == pytest.approx([ratio[0].item()] * 3, rel=1e-4)
        assert ratio[0] > 0
    first = result["log_history"][0]
    assert first["rewards/grader/mean"] == pytest.approx(2 / 3)
    assert first["reward"] == pytest.approx(2 / 4)  # this one counts it as 0


def test_a_group_of_nothing_but_abstentions_gives_no_gradient(
    train: Callable[..., dict[str, Any]], advantages: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(cycling(None), monkeypatch)
    train("--scale_rewards", "gdpo")
    assert all(value == 0.0 for _, values in advantages for value in values)


@pytest.mark.parametrize("options", [(), ("--scale_rewards", "none")])
def test_an_abstention_stops_a_run_with_other_settings(
    train: Callable[..., dict[str, Any]],
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(cycling(1.0, None, 0.0, 1.0), monkeypatch)
    with pytest.raises(Abstained):
        train(*options)


def test_an_error_of_the_grader_stops_the_run(
    train: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(response: str, reference: str) -> Outcome:
        raise ZeroDivisionError

    use(broken, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        train("--scale_rewards", "gdpo")


def test_with_other_settings_ms_swift_itself_makes_a_lone_none_zero() -> None:
    """Why the adapter does not return it there."""
    with_nan = torch.tensor([[1.0], [math.nan], [0.0], [1.0]])
    for scale in ("group", "batch", "none"):
        got, _ = compute_advantages(with_nan, torch.ones(1), 4, scale_rewards=scale)
        zero, _ = compute_advantages(
            with_nan.nan_to_num(0.0), torch.ones(1), 4, scale_rewards=scale
        )
        assert torch.equal(got, zero)
        assert got[1] < 0


def samples(*completions: str) -> list[GRPOSample]:
    return [
        GRPOSample.from_row(
            {
                "messages": [*messages("8 * 9?"), {"role": "assistant", "content": completion}],
                "question": "8 * 9?",
                "answer": "#### 72",
            }
        )
        for completion in completions
    ]


def test_sync_and_async_graders_are_called_side_by_side() -> None:
    async def judge(question: str, response: str) -> Outcome:
        await asyncio.sleep(0)
        if response == "down":
            return Outcome(None, Reason.JUDGE_UNREACHABLE)
        return Outcome(0.5 if question == "8 * 9?" else 0.0, Reason.SCORED)

    rewards = [ms_swift_reward(judge)(args=GDPO), ms_swift_reward(grade)(args=GDPO)]
    got = compute_rewards_per_func(
        samples("#### 72", "#### 7", "down"), rewards, [None, None], torch.device("cpu")
    )
    assert got[:2].tolist() == [[0.5, 1.0], [0.5, 0.0]]
    assert math.isnan(got[2, 0])
    assert got[2, 1] == 0.0


def test_columns_arrive_as_check_says(tmp_path: Path) -> None:
    def loaded(row: dict[str, Any]) -> set[str]:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        file.write_text("\n".join([json.dumps(row)] * 2))
        data, _ = load_dataset([str(file)], num_proc=1, remove_unused_columns=False)
        return set(data.column_names)

    row = {"question": "8 * 9?", "answer": "#### 72"}
    assert "answer" not in loaded(row)
    with pytest.raises(ValueError, match="makes messages of 'answer'"):
        ms_swift_reward(grade).check([row])
    row = {**row, "messages": messages("8 * 9?")}
    assert {"question", "answer"} <= loaded(row)
    ms_swift_reward(grade).check([row])
