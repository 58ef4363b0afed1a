"""The judge of this chapter in this process, with transformers: for readers without a server.

    judge = LocalJudge.load("Qwen/Qwen2.5-0.5B-Instruct")
    outcome = await judge.grade("Who wrote Hamlet?", "It was Shakespeare.", "William Shakespeare")

The model does not write. It is asked how likely it would answer `correct` and how likely
`incorrect`, so every reply has a verdict and a confidence, and nothing needs parsing.

Needs torch (2.6 or newer), transformers (written for 5.23), tqdm.
"""

import asyncio
import os
import threading
import weakref
from pathlib import Path
from typing import Any, Self

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..shared.outcome import Abstained, Outcome, Reason
from .base_judge import BaseJudge, Reply
from .verdicts import CORRECT, INCORRECT

__all__ = ["LocalJudge"]

_REPLY = '{"verdict": "'


class LocalJudge(BaseJudge):
    """Asks a causal language model in this process.

    Args:
        model: of any type with a chat template; it is put into evaluation mode.
        tokenizer: the model's.
        options: `prompt`, `max_characters`, `min_confidence`, `decoys`, `rules`, as in `BaseJudge`.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **options: Any
    ) -> None:
        super().__init__(**options)
        if tokenizer.chat_template is None:
            raise ValueError("the tokenizer has no chat template: take an instruction-tuned model")
        self.model = model.eval()
        self.tokenizer = tokenizer
        self._lock = threading.Lock()  # one pass at a time bounds the memory
        _every_judge.add(self)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str | torch.dtype = "auto",
        **options: Any,
    ) -> Self:
        """Load a model from a folder or the hub: safetensors alone, and no code of its own.

        Args:
            path: a folder, or a hub name. Take it from the operator, never from data.
            revision: a commit of the hub's repository. Pin it: a branch can change.
            device: "cpu", "cuda", "cuda:1", "mps"; "auto" takes cuda where there is one.
            dtype: "auto" is float32 on a CPU, and the checkpoint's own type elsewhere.

        Raises:
            OSError: there are no such files, or no safetensors.
            ValueError: the tokenizer has no chat template.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if dtype == "auto" and device == "cpu":
            dtype = torch.float32  # bfloat16 can be a hundred times slower there
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            path, revision=revision, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
        model.to(device)  # type: ignore[arg-type]
        return cls(model, tokenizer, **options)

    async def _ask(self, messages: list[dict[str, str]]) -> Reply:
        return await asyncio.to_thread(self._compare, messages)

    @torch.inference_mode()
    def _compare(self, messages: list[dict[str, str]]) -> Reply:
        start = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        ids = [
            self.tokenizer(f'{start}{_REPLY}{word}"', add_special_tokens=False)["input_ids"]
            for word in (CORRECT, INCORRECT)
        ]
        longest = self.model.config.max_position_embeddings
        if len(ids[1]) > longest:
            detail = f"the prompt has {len(ids[1])} tokens, and the model reads {longest}"
            raise Abstained(Outcome(None, Reason.JUDGE_UNREACHABLE, detail))
        common = next(i for i, (a, b) in enumerate(zip(*ids, strict=False)) if a != b)
        scores = []
        for one in ids:
            with self._lock:
                logits = self.model(torch.tensor([one], device=self.model.device)).logits[0]
            log_probabilities = logits[common - 1 : -1].float().log_softmax(-1)
            wanted = torch.tensor(one[common:], device=self.model.device)
            scores.append(log_probabilities.gather(-1, wanted[:, None]).sum().item())
        correct = torch.sigmoid(torch.tensor(scores[0] - scores[1])).item()
        if correct != correct:  # NaN
            detail = "the model gives NaN"
            raise Abstained(Outcome(None, Reason.BAD_SCORE, detail))
        return Reply(correct > 0.5, max(correct, 1 - correct))


_every_judge: weakref.WeakSet[LocalJudge] = weakref.WeakSet()


def _after_fork() -> None:
    """A child has none of its parent's threads: nobody would let go of a lock that one held."""
    for judge in _every_judge:
        judge._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
