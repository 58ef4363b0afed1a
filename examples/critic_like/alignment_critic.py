"""Score conversations with a trained reward model, and reward with it.

    critic = Critic.load("runs/critic")
    critic.score([[{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]])

A score is one logit, unbounded; only differences between responses to one prompt carry meaning.
It depends on the conversation alone: the same, within 1e-5 in float32, in any batch, order or
company.

Loading is where a reward model is dangerous: weights are read from safetensors only, no code
that comes with a checkpoint runs, its `model_type` is on a list before anything else is looked at, and the path comes from whoever starts the run, never from
a column of a data set.

Needs torch (2.6 or newer), transformers (written for 5.23), safetensors.
Sources: Stiennon et al. 2020, "Learning to summarize from human feedback", for reward models;
signature of `alignment_critic_reward_fn`: AReaL 1.0.
"""

import json
import logging
import math
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import safe_open
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.hub import cached_file

from ..shared.outcome import Outcome, Reason
from .conversations import Conversation, encode
from .prompts import messages_of_prompt

__all__ = ["MODEL_TYPES", "AlignmentCriticReward", "Critic", "alignment_critic_reward_fn"]

logger = logging.getLogger(__name__)

MODEL_TYPES = frozenset(
    "bert deberta-v2 distilbert electra modernbert roberta xlm-roberta "
    "gemma gemma2 gemma3_text gpt2 llama mistral phi3 qwen2 qwen3".split()
)
"""Architectures that are loaded; all are part of transformers and score from one sequence."""

PATH_VARIABLE = "REWARD_MODEL_PATH"
REVISION_VARIABLE = "REWARD_MODEL_REVISION"


class Critic:
    """A reward model and its tokenizer, ready to score. Make one with `Critic.load`.

    Args:
        model: a sequence classifier with one label; it is put into evaluation mode.
        tokenizer: with the chat template of the training, and a pad token that is not EOS.
        max_length: tokens of one conversation; a longer one loses its beginning, with a warning.
        batch_tokens: tokens of one forward pass, padding included: this bounds the memory,
            whatever the inputs. At least one conversation is scored at a time.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        batch_tokens: int = 8192,
    ) -> None:
        longest = _longest(model, default=max_length)
        if not 0 < max_length <= longest:
            raise ValueError(f"max_length must be from 1 to {longest} for this model: {max_length}")
        _check_pad_token(tokenizer)
        model.config.pad_token_id = tokenizer.pad_token_id  # where a decoder looks for the end
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.batch_tokens = batch_tokens
        self._lock = threading.Lock()  # one pass at a time keeps the bound on memory
        _every_critic.add(self)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str | torch.dtype = "auto",
        max_length: int | None = None,
        batch_tokens: int = 8192,
        chat_template: str | None = None,
        pad_token: str | None = None,
    ) -> Self:
        """Load a checkpoint from a folder or from the Hugging Face hub.

        Args:
            path: a folder, or a hub name. It decides what is loaded: take it from the
                operator, never from data.
            revision: a commit of the hub's repository. Pin it: a branch can change.
            device: "cpu", "cuda", "cuda:1", "mps"; "auto" takes the first that is there of
                cuda, mps, cpu.
            dtype: "auto" is float32 on a CPU, where bfloat16 can be a hundred times slower, and
                the checkpoint's own type elsewhere.
            max_length: tokens; by default what the tokenizer says the critic was trained with,
                at most what the model can take.
            batch_tokens: as in `Critic`.
            chat_template: Jinja; for a checkpoint whose tokenizer carries another template than
                the one that it was trained with (AReaL's do).
            pad_token: a token of the vocabulary, for a checkpoint whose pad token is EOS.

        Raises:
            ValueError: the checkpoint is none that can be scored with; the message says why and
                what to do.
            OSError: files are missing.
            RuntimeError: this process was forked after its parent used CUDA.
        """
        device = _choose_device(device)
        check_checkpoint(path, revision)
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
        if chat_template is not None:
            tokenizer.chat_template = chat_template
        if pad_token is not None:
            if pad_token not in tokenizer.get_vocab():
                raise ValueError(f"pad_token {pad_token!r} is not in the vocabulary of {path}")
            tokenizer.pad_token = pad_token
        _check_pad_token(tokenizer)
        if dtype == "auto" and device == "cpu":
            dtype = torch.float32
        model = _load_model(path, revision, dtype)
        if max_length is None:
            max_length = min(tokenizer.model_max_length, _longest(model, default=2048))
        model.to(device)  # type: ignore[arg-type]
        return cls(model, tokenizer, max_length, batch_tokens)

    def score(self, conversations: Sequence[Conversation]) -> list[float]:
        """Score each conversation's last message.

        Args:
            conversations: lists of messages; each ends with the assistant's, which is scored.

        Returns:
            One logit each, in order. What the model made NaN or infinite stays so here; `grade`
            and the reward functions abstain.

        Raises:
            TypeError, ValueError: something is no conversation; nothing was scored.
        """
        with self._lock:
            sequences, lost = encode(self.tokenizer, conversations, self.max_length)
            if cut := sum(count > 0 for count in lost):
                logger.warning(
                    "%d of %d conversations were longer than max_length=%d and lost their "
                    "beginning, at most %d tokens",
                    *(cut, len(lost), self.max_length, max(lost)),
                )
            scores = [math.nan] * len(sequences)
            for batch in batches_by_length([len(ids) for ids in sequences], self.batch_tokens):
                for index, score in zip(
                    batch, self._forward([sequences[i] for i in batch]), strict=True
                ):
                    scores[index] = score
        return scores

    def grade(self, conversation: Conversation) -> Outcome:
        """Score one conversation; abstain with `bad_score` where the model gives no number."""
        (score,) = self.score([conversation])
        if not math.isfinite(score):
            return Outcome(None, Reason.BAD_SCORE, f"the critic returned {score}")
        return Outcome(score, Reason.SCORED)

    @torch.inference_mode()
    def _forward(self, sequences: list[list[int]]) -> list[float]:
        input_ids, attention_mask = pad_right(sequences, self.tokenizer.pad_token_id)
        logits = self.model(
            input_ids=input_ids.to(self.model.device),
            attention_mask=attention_mask.to(self.model.device),
        ).logits
        scores: list[float] = logits[:, 0].float().tolist()
        return scores


def batches_by_length(
    lengths: Sequence[int], batch_tokens: int, padding: float = 0.02
) -> Iterator[list[int]]:
    """Group indices so that a batch, padded to its longest, holds at most `batch_tokens`.

    At most the share `padding` of `batch_tokens` is padding: where lengths jump, a batch ends
    early. The longest come first, so that memory runs out at once or never. A length beyond
    `batch_tokens` is a batch of its own.
    """
    batch: list[int] = []
    padded = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        longest = lengths[batch[0]] if batch else lengths[index]
        padded += longest - lengths[index]
        if batch and ((len(batch) + 1) * longest > batch_tokens or padded > padding * batch_tokens):
            yield batch
            batch, padded = [], 0
        batch.append(index)
    if batch:
        yield batch


def pad_right(sequences: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, int64 of shape (sequences, longest), padded on the right.

    Always on the right: absolute positions count from the left.
    """
    longest = max(len(ids) for ids in sequences)
    input_ids = torch.full((len(sequences), longest), pad_id)
    attention_mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(sequences):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        attention_mask[row, : len(ids)] = 1
    return input_ids, attention_mask


# --- The reward function -----------------------------------------------------------------------

_critics: dict["AlignmentCriticReward", Critic] = {}
_loading = threading.Lock()
_every_critic: weakref.WeakSet[Critic] = weakref.WeakSet()


def _after_fork() -> None:
    """A child has none of its parent's threads: nobody would let go of a lock that one held."""
    global _loading
    _loading = threading.Lock()
    for critic in _every_critic:
        critic._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True)
class AlignmentCriticReward:
    """A reward function in AReaL's signature, over the critic at `path`.

    Building and pickling it is cheap: the model is loaded at the first call, once a process,
    whatever the number of threads. Arguments are those of `Critic.load`.
    """

    path: str
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    max_length: int | None = None
    chat_template: str | None = None
    pad_token: str | None = None

    def __call__(
        self,
        /,  # a data set may have a column named self
        prompt: str,
        completions: str,
        prompt_ids: list[int] | None = None,
        completion_ids: list[int] | None = None,
        messages: Sequence[dict[str, str]] | None = None,
        **columns: Any,
    ) -> float:
        """Score one completion.

        Args:
            prompt: read only where the data set has no `messages`: hh-rlhf's text, or plain
                text, taken for one user message.
            completions: the response, one string.
            messages: the column with the conversation that the policy answered.
            columns: whatever else the data set holds; never looked at.

        Raises:
            Abstained: the model gave NaN or infinity.
            ValueError: the prompt was rendered by a chat template, and there are no messages.
        """
        if messages is None:
            messages = messages_of_prompt(prompt)
        response = {"role": "assistant", "content": completions}
        return self.critic().grade([*messages, response]).require_score()

    def critic(self) -> Critic:
        """The critic, loaded by the first call in this process."""
        critic = _critics.get(self)
        if critic is None:
            with _loading:
                critic = _critics.get(self)  # another thread may have loaded it meanwhile
                if critic is None:
                    critic = _critics[self] = Critic.load(
                        self.path,
                        revision=self.revision,
                        device=self.device,
                        dtype=self.dtype,
                        max_length=self.max_length,
                        chat_template=self.chat_template,
                        pad_token=self.pad_token,
                    )
        return critic


def alignment_critic_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int] | None = None,
    completion_ids: list[int] | None = None,
    messages: Sequence[dict[str, str]] | None = None,
    **columns: Any,
) -> float:
    """AReaL's reward signature; the critic's path is in the environment.

    `REWARD_MODEL_PATH` names the checkpoint, `REWARD_MODEL_REVISION` its commit if it is on the
    hub. Everything else is as in `AlignmentCriticReward`, which takes the path as an argument.

    Raises:
        RuntimeError: `REWARD_MODEL_PATH` is not set.
    """
    path = os.environ.get(PATH_VARIABLE)
    if not path:
        raise RuntimeError(
            f"{PATH_VARIABLE} is not set: export it as the folder or hub name of your reward model"
        )
    reward_fn = AlignmentCriticReward(path, os.environ.get(REVISION_VARIABLE) or None)
    return reward_fn(prompt, completions, prompt_ids, completion_ids, messages, **columns)


# --- Loading -----------------------------------------------------------------------------------


def _choose_device(device: str) -> str:
    # A forked child inherits a CUDA context that it cannot use; torch has no public name for this.
    if device != "cpu" and torch.cuda._is_in_bad_fork():
        raise RuntimeError(
            "this worker was forked after its parent used CUDA, so the critic cannot be loaded on "
            "a GPU here: start workers with the spawn method, load with device='cpu', or serve "
            "the critic from a process of its own"
        )
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_checkpoint(path: str | Path, revision: str | None = None) -> None:
    """Read config.json as data and refuse what must not be loaded, before anything is.

    Raises:
        ValueError: code or a kernel of its own, an adapter, pickled weights, another architecture.
        OSError: there is no such checkpoint.
    """
    if _find(path, revision, "adapter_config.json"):
        raise ValueError(
            f"{path} is an adapter, which names its base model itself: merge it into the base "
            "(peft's merge_and_unload) and save the result"
        )
    file = _find(path, revision, "config.json")
    if file is None:
        raise FileNotFoundError(f"{path} has no config.json")
    config = json.loads(Path(file).read_text(encoding="utf-8"))
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in MODEL_TYPES:
        raise ValueError(
            f"{path} has model_type {model_type!r}, which is not on the list {sorted(MODEL_TYPES)}"
        )
    if "auto_map" in config:
        raise ValueError(f"{path} asks for code of its own (auto_map in config.json); refused")
    for key in ("attn_implementation", "_attn_implementation"):
        if "/" in str(config.get(key)):  # transformers would fetch and run that kernel
            raise ValueError(f"{path} names a kernel of the hub ({key} in config.json); refused")
    names = ("model.safetensors", "model.safetensors.index.json")
    if not any(_find(path, revision, name) for name in names):
        raise ValueError(
            f"{path} holds no safetensors, and pickled weights can run code when they are read: "
            "convert them where that does no harm, with save_pretrained"
        )


def _find(path: str | Path, revision: str | None, name: str) -> str | None:
    """A file of the checkpoint, fetched if it is on the hub; None where there is no such file."""
    found: str | None = cached_file(
        path, name, revision=revision, _raise_exceptions_for_missing_entries=False
    )
    return found


def _load_model(
    path: str | Path, revision: str | None, dtype: str | torch.dtype
) -> PreTrainedModel:
    try:
        # One label whatever the config says: AReaL keeps the base model's config, with two.
        loading: tuple[PreTrainedModel, dict[str, Any]] = (
            AutoModelForSequenceClassification.from_pretrained(
                path,
                revision=revision,
                dtype=dtype,
                num_labels=1,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        )
    except RuntimeError as error:
        if "mismatch" not in str(error):  # out of memory, for one
            raise
        raise ValueError(
            f"{path} does not fit a model with one label; a reward model has a head of shape "
            f"(1, hidden): {error}"
        ) from error
    model, loaded = loading
    if missing := sorted(loaded["missing_keys"]):
        raise ValueError(
            f"{path} is no reward model: it lacks {', '.join(missing)}, which would be random"
        )
    if unexpected := set(loaded["unexpected_keys"]):
        # AReaL trains token classification, whose head has a bias that this class leaves out.
        if unexpected != {"score.bias"}:
            raise ValueError(f"{path} holds weights that its model has no place for: {unexpected}")
        bias = _read_tensor(path, revision, "score.bias")
        head = model.get_submodule("score")
        head.register_parameter("bias", torch.nn.Parameter(bias.to(model.dtype)))
    return model


def _read_tensor(path: str | Path, revision: str | None, name: str) -> torch.Tensor:
    file = "model.safetensors"
    if index := _find(path, revision, f"{file}.index.json"):
        file = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"][name]
    with safe_open(cached_file(path, file, revision=revision), framework="pt") as tensors:
        tensor: torch.Tensor = tensors.get_tensor(name)
    return tensor


def _longest(model: PreTrainedModel, default: int) -> int:
    """Tokens that the model has positions for."""
    longest: int = getattr(model.config, "max_position_embeddings", None) or default
    if model.config.model_type in ("roberta", "xlm-roberta"):  # they count from pad_token_id + 1
        longest -= model.config.pad_token_id + 1
    return longest


def _check_pad_token(tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        what = "has no pad token" if tokenizer.pad_token_id is None else "pads with its EOS token"
        raise ValueError(
            f"the tokenizer {what}: a decoder's score is read at the last token that is no "
            "padding, so with pad = EOS it is read one token too early. Pass pad_token=, a token of the "
            "vocabulary that no text uses; a new critic gets one from train_critic"
        )
