"""A policy of half a million weights, small enough to learn from a reward in a minute on a CPU.

    teach_format("policy", problems, seed=0)  # a tokenizer and a Llama, saved in a folder

Everything that a real run has, at a size for two cores: a byte-level BPE tokenizer trained on the
problems, a chat template, a Llama model, and supervised training on demonstrations. These show how
to write an answer and how to calculate, but not which calculation a problem asks for
(`word_problems.demonstrate`), so there is something left for a reward to teach.

Needs tokenizers, torch and transformers.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .word_problems import Problem, demonstrate

__all__ = ["make_tokenizer", "messages", "teach_format"]

_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def messages(question: str) -> list[dict[str, str]]:
    """Return the prompt for a question, in the chat format."""
    return [{"role": "user", "content": question}]


def make_tokenizer(texts: Sequence[str], vocabulary: int = 400) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer that keeps every digit a token of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=special[0],
        eos_token=special[1],
        padding_side="left",
        chat_template=_TEMPLATE,
    )


def teach_format(
    folder: str | Path,
    problems: Sequence[Problem],
    seed: int = 0,
    steps: int = 1000,
    batch_size: int = 32,
    learning_rate: float = 5e-3,
) -> float:
    """Train a new policy on demonstrations, save it with its tokenizer, and return the last loss.

    Args:
        folder: where `from_pretrained` will find it.
        problems: to demonstrate on; a demonstration is drawn anew each time.
        seed: of the weights, the order and the demonstrations.
        steps: optimiser steps, with a rate that falls to zero on a half cosine.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    texts = [problem.question for problem in problems]
    tokenizer = make_tokenizer(texts + [demonstrate(problem, rng) for problem in problems])
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=168,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        prompts, responses = [], []
        for problem in rng.choices(problems, k=batch_size):
            prompts.append(
                tokenizer.apply_chat_template(
                    messages(problem.question), tokenize=False, add_generation_prompt=True
                )
            )
            responses.append(demonstrate(problem, rng) + tokenizer.eos_token)
        batch = tokenizer(
            [p + r for p, r in zip(prompts, responses, strict=True)],
            return_tensors="pt",
            padding=True,
        )
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        answered = (batch["input_ids"] == tokenizer.convert_tokens_to_ids("<|assistant|>")).cumsum(
            1
        )
        labels = labels.masked_fill(answered == 0, -100)
        loss = model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.generation_config.max_new_tokens = 40
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return float(loss.item())
