"""The judge in process: verdicts from log-probabilities of a tiny model, and of a real one."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from examples.critic_like.bases import smollm2
from examples.generative.local_judge import LocalJudge
from examples.shared.outcome import Outcome, Reason

QUESTION, REFERENCES = "What is the capital of Norway?", ["Oslo"]
TEMPLATE = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}{% endfor %}<s>assistant\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with random weights and a tokenizer of single bytes."""
    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")
    fast.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4096,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def ask(judge: LocalJudge, answer: str) -> Outcome:
    return asyncio.run(judge.ask(QUESTION, answer, REFERENCES))


def test_a_verdict_and_its_confidence(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu")
    outcome = ask(judge, "Bergen")
    assert outcome.score in (0.0, 1.0)
    assert 0.5 <= float(outcome.detail.split()[-1]) <= 1.0
    assert ask(judge, "Bergen") == outcome


def test_it_is_the_probability_of_the_whole_word(folder: Path) -> None:
    """Against a forward pass for each word, written out."""
    judge = LocalJudge.load(folder, device="cpu")
    messages = judge.prompt.messages(QUESTION, "Bergen", REFERENCES)
    text = judge.tokenizer.apply_chat_template(messages, tokenize=False)
    logs = []
    for word in ("correct", "incorrect"):
        start = judge.tokenizer(f'{text}{{"verdict": "')["input_ids"]
        end = judge.tokenizer(f'{word}"')["input_ids"]
        with torch.no_grad():
            logits = judge.model(torch.tensor([start + end])).logits[0].log_softmax(-1)
        logs.append(sum(logits[len(start) + i - 1, one].item() for i, one in enumerate(end)))
    expected = torch.tensor(logs).softmax(0).max().item()
    assert f"{expected:.2f}" in ask(judge, "Bergen").detail


def test_a_child_forked_while_another_thread_asks_can_ask(
    folder: Path, true_in_a_child: Callable[[Callable[[], bool]], bool]
) -> None:
    judge = LocalJudge.load(folder, device="cpu")
    with judge._lock:
        assert true_in_a_child(lambda: not judge._lock.locked())


def test_the_tiers_are_those_of_the_other_judge(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu", max_characters=50)
    grades = [asyncio.run(judge.grade(QUESTION, r, "Oslo")) for r in ("Oslo", ":", "x" * 51)]
    assert [grade.reason for grade in grades] == [
        Reason.CORRECT,
        Reason.NO_ANSWER,
        Reason.TOO_COMPLEX,
    ]


def test_many_at_once(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu")

    async def go() -> list[Outcome]:
        return await asyncio.gather(*(judge.ask(QUESTION, f"{n}", REFERENCES) for n in range(12)))

    assert asyncio.run(go()) == [ask(judge, f"{n}") for n in range(12)]


def test_a_prompt_beyond_the_model_abstains(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu")
    outcome = ask(judge, "word " * 900)
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert "the model reads 4096" in outcome.detail


def test_nan_abstains(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu")
    with torch.no_grad():
        judge.model.lm_head.weight.fill_(torch.nan)  # type: ignore[union-attr, operator]
    assert ask(judge, "Bergen").reason is Reason.BAD_SCORE


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        LocalJudge.load(tmp_path, device="cpu")


def test_a_base_model_is_refused(folder: Path) -> None:
    judge = LocalJudge.load(folder, device="cpu")
    judge.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="chat template"):
        LocalJudge(judge.model, judge.tokenizer)


@pytest.fixture(scope="module")
def real() -> Any:
    return LocalJudge.load(smollm2(), device="cpu")


def test_a_real_model_judges(real: LocalJudge) -> None:
    # At chance as a judge: what is tested is that it answers, and always the same.
    outcomes = [ask(real, answer) for answer in ("It is Oslo", "Bergen")]
    assert all(outcome.score in (0.0, 1.0) for outcome in outcomes)
    assert [ask(real, answer) for answer in ("It is Oslo", "Bergen")] == outcomes
