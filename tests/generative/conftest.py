"""Servers on the loopback address, started and stopped by the tests, and a judge that needs none."""

import asyncio
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from examples.generative.base_judge import BaseJudge, Reply

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def running(module: str, *arguments: str) -> Iterator[str]:
    """Run a server in a process of its own; it prints its address once it is ready."""
    command = [sys.executable, "-m", module, "--port", "0", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"{module} did not start"
            yield address
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def faulty_address() -> Iterator[str]:
    with running("examples.generative.faulty_server") as address:
        yield address


@pytest.fixture
def faulty(faulty_address: str) -> str:
    """The faulty server's address; it remembers nothing of earlier tests."""
    root = faulty_address.removesuffix("/v1")
    urllib.request.urlopen(urllib.request.Request(f"{root}/reset", method="POST")).close()
    return faulty_address


@pytest.fixture(scope="session")
def small_judge_address() -> Iterator[str]:
    """llama.cpp's server over the real SmolLM2-135M-Instruct."""
    with running("examples.generative.serve_small_judge", "--threads", "1") as address:
        with urllib.request.urlopen(f"{address.removesuffix('/v1')}/health") as health:
            assert health.status == 200
        yield address


class ScriptedJudge(BaseJudge):
    """Asks a function of the answer instead of a model."""

    def __init__(self, verdict: Callable[[str], Any], **options: Any) -> None:
        super().__init__(**{"decoys": 0, **options})
        self.verdict = verdict
        self.asked: list[str] = []

    async def _ask(self, messages: list[dict[str, str]]) -> Reply:
        user = messages[-1]["content"]
        self.asked.append(user)
        await asyncio.sleep(0)
        verdict = self.verdict(user)
        return verdict if isinstance(verdict, Reply) else Reply(verdict)


@pytest.fixture
def scripted() -> Callable[..., ScriptedJudge]:
    return ScriptedJudge
