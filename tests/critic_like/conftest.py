"""Tiny checkpoints with random weights, built here, so that nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from examples.critic_like.alignment_critic import Critic
from examples.critic_like.bases import minilm
from examples.critic_like.conversations import human_assistant_template

torch.set_num_threads(1)  # tiny models, and the tests themselves run in parallel

SENTENCES = [
    "You are a helpful assistant. The user asks, and the assistant answers.",
    "What is the capital of France? The capital of France is Paris.",
    "Human: is this good or bad? Assistant: this is a good answer, that is a bad one.",
    "天空为什么是蓝色的？因为空气散射蓝光。",
]
CHATML = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
)
GROUPED = set("gemma gemma2 gemma3_text llama mistral phi3 qwen2 qwen3".split())
WIDE_HEADS = set("gemma gemma2 gemma3_text qwen3".split())


def build_tokenizer(pad_token: str = "<|pad|>") -> PreTrainedTokenizerFast:
    """Byte-level BPE with ChatML; by itself it puts BOS first, as Llama's does."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=list(dict.fromkeys(["<|bos|>", "<|im_start|>", "<|im_end|>", pad_token])),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", tokenizer.token_to_id("<|bos|>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|bos|>",
        eos_token="<|im_end|>",
        pad_token=pad_token,
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
    )


def tiny_config(model_type: str, tokenizer: PreTrainedTokenizerBase, **changes: Any) -> Any:
    """Two layers of width 32; weights wide enough for scores to differ by much."""
    values: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "num_labels": 1,
        "initializer_range": 0.2,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if model_type == "gpt2":
        values |= {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128}
    elif model_type == "distilbert":
        values |= {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
        values |= {"max_position_embeddings": 128}
    else:
        values |= {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        values |= {"intermediate_size": 64, "max_position_embeddings": 128}
    if model_type in GROUPED:
        values["num_key_value_heads"] = 1
    if model_type in WIDE_HEADS:
        values["head_dim"] = 16
    return AutoConfig.for_model(model_type, **(values | changes))


@pytest.fixture(scope="session")
def chatml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def load_chatml(chatml_folder: Path) -> Callable[[], PreTrainedTokenizerBase]:
    """A function that gives a decoder's tokenizer of one's own, to change at will."""
    return lambda: AutoTokenizer.from_pretrained(chatml_folder)


@pytest.fixture(scope="session")
def load_wordpiece() -> Callable[[], PreTrainedTokenizerBase]:
    """The same for an encoder: MiniLM's tokenizer with the Human/Assistant form."""

    def load() -> PreTrainedTokenizerBase:
        tokenizer = AutoTokenizer.from_pretrained(minilm())
        tokenizer.chat_template = human_assistant_template(tokenizer)
        return tokenizer

    return load


@pytest.fixture(scope="session")
def make_critic(
    tmp_path_factory: pytest.TempPathFactory, chatml_folder: Path
) -> Callable[..., Path]:
    """A function that saves a tiny reward model of a given type and returns its folder."""

    def make(
        model_type: str = "llama",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        **changes: Any,
    ) -> Path:
        folder = tmp_path_factory.mktemp(model_type)
        tokenizer = AutoTokenizer.from_pretrained(chatml_folder)
        torch.manual_seed(seed)
        config = tiny_config(model_type, tokenizer, **changes)
        model = AutoModelForSequenceClassification.from_config(config)
        model.to(dtype).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def make_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that saves a tiny pretrained decoder, without a head for scores."""

    def make(
        model_type: str = "llama", seed: int = 0, pad_token: str = "<|pad|>", **changes: Any
    ) -> Path:
        folder = tmp_path_factory.mktemp(f"{model_type}_base")
        tokenizer = build_tokenizer(pad_token)
        torch.manual_seed(seed)
        config = tiny_config(model_type, tokenizer, **changes)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def decoder_folder(make_critic: Callable[..., Path]) -> Path:
    return make_critic("llama")


@pytest.fixture(scope="session")
def encoder_folder(
    tmp_path_factory: pytest.TempPathFactory, load_wordpiece: Callable[[], PreTrainedTokenizerBase]
) -> Path:
    """A tiny BERT that scores, with MiniLM's tokenizer and the Human/Assistant form."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = load_wordpiece()
    tokenizer.model_max_length = 128
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(tiny_config("bert", tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pretrained BERT, without a head for scores and without a chat template."""
    folder = tmp_path_factory.mktemp("bert_base")
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    config = tiny_config("bert", tokenizer)
    assert isinstance(config, BertConfig)
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoder(decoder_folder: Path) -> Critic:
    """A critic to score with; a test that changes one loads its own."""
    return Critic.load(decoder_folder, device="cpu")


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Critic:
    return Critic.load(encoder_folder, device="cpu")
