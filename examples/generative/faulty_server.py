"""A chat completions server that misbehaves on demand, to test a judge's client with.

    python -m examples.generative.faulty_server --port 8081

The `model` of a request is its script: `"429 500 ok"` answers the first request with the same
messages 429, the second 500, and from the third on with a verdict: `correct` where the last
message holds the words "truthful" and "sesame", else `incorrect`. `"random"` draws a step for every request from
its messages and number. `GET /stats` tells what was asked; `POST /reset` forgets it.

Needs aiohttp (3.x). It binds to the loopback address.
"""

import argparse
import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

__all__ = ["STEPS", "key_of", "make_app"]

STEPS: dict[str, int] = {
    "ok": 60,
    "429": 6,  # with Retry-After
    "500": 6,
    "503": 4,
    "reset": 4,  # the connection is cut
    "hang": 1,
    "drip": 2,  # a byte now and then, which no read time-out notices
    "truncated": 3,  # JSON that ends in the middle
    "html": 3,  # a proxy's page, with status 200
    "schema": 3,  # JSON, but no chat completion
    "null": 2,  # a message without content
    "contradiction": 2,  # two verdicts
    "echo": 2,  # the form that was asked for, not a verdict
    "length": 2,  # cut off by max_tokens
}
"""Steps of a script, with their weights in `"random"`. Also `"400"`, and the like; `"429-late"`, an
hour; and `"finish=eos"`, a verdict with that `finish_reason` (`"finish=null"`: JSON's null,
`"finish="`: without the field)."""


@dataclass
class _State:
    latency: float
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0


_STATE = web.AppKey("state", _State)


def make_app(latency: float = 0.0) -> web.Application:
    """The server; `latency` in seconds is added to every reply."""
    app = web.Application()
    app[_STATE] = _State(latency)
    app.router.add_post("/v1/chat/completions", _complete)
    app.router.add_get("/stats", _stats)
    app.router.add_post("/reset", _reset)
    return app


def key_of(model: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """What `/stats` calls a question: the same for each request with these messages."""
    return hashlib.sha256(json.dumps([model, messages]).encode()).hexdigest()


async def _complete(request: web.Request) -> web.StreamResponse:
    state = request.app[_STATE]
    state.in_flight += 1
    state.most_in_flight = max(state.most_in_flight, state.in_flight)
    try:
        body = await request.json()
        await asyncio.sleep(state.latency)
        key = key_of(body["model"], body["messages"])
        number = state.asked[key]
        state.asked[key] += 1
        step = _step(body["model"], key, number)
        if step == "ok":
            state.answered[key] += 1
        user = body["messages"][-1]["content"]
        return await _take(step, request, "truthful" in user and "sesame" in user)
    finally:
        state.in_flight -= 1


def _step(script: str, key: str, number: int) -> str:
    if script != "random":
        steps = script.split()
        return steps[min(number, len(steps) - 1)]
    at = int(hashlib.sha256(f"{key}{number}".encode()).hexdigest(), 16) % sum(STEPS.values())
    for step, weight in STEPS.items():
        at -= weight
        if at < 0:
            return step
    raise AssertionError


async def _take(step: str, request: web.Request, truth: bool) -> web.StreamResponse:
    verdict = json.dumps({"verdict": "correct" if truth else "incorrect"})
    whole = json.dumps(_completion(verdict))
    replies = {
        "ok": verdict,
        "null": None,
        "contradiction": '{"verdict": "correct"} {"verdict": "incorrect"}',
        "echo": '{"verdict": "correct" or "incorrect"}',
    }
    if step in replies:
        return web.json_response(_completion(replies[step]))
    if step == "length":
        return web.json_response(_completion(verdict, finish_reason="length"))
    if step.startswith("finish="):
        completion = _completion(verdict)
        reason = step.removeprefix("finish=")
        completion["choices"][0]["finish_reason"] = None if reason == "null" else reason
        if not reason:
            del completion["choices"][0]["finish_reason"]
        return web.json_response(completion)
    if step in ("429", "429-late"):
        seconds = "0.05" if step == "429" else "3600"
        error = {"error": {"message": "too many requests"}}
        return web.json_response(error, status=429, headers={"Retry-After": seconds})
    if step == "reset":
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if step == "hang":
        await asyncio.sleep(3600)
    if step == "drip":
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        for character in whole:
            await stream.write(character.encode())
            await asyncio.sleep(0.1)
        return stream
    if step == "truncated":
        return web.Response(text=whole[: len(whole) // 2], content_type="application/json")
    if step == "html":
        return web.Response(text="<html>Bad gateway: correct</html>", content_type="text/html")
    if step == "schema":
        return web.json_response({"verdict": "correct", "choices": []})
    return web.json_response({"error": {"message": "as asked"}}, status=int(step))


def _completion(content: str | None, finish_reason: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "faulty",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


async def _stats(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    return web.json_response(
        {
            "requests": state.asked.total(),
            "questions": len(state.asked),
            "answered": len(state.answered),
            "answered_again": {key: n for key, n in state.answered.items() if n > 1},
            "in_flight": state.in_flight,
            "most_in_flight": state.most_in_flight,
        }
    )


async def _reset(request: web.Request) -> web.Response:
    state = request.app[_STATE]
    state.asked.clear()
    state.answered.clear()
    state.most_in_flight = state.in_flight
    return web.Response()


async def _serve(port: int, latency: float) -> None:
    # A handler ends when its client hangs up, so that `in_flight` counts what is really waited for.
    runner = web.AppRunner(make_app(latency), handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    address = runner.addresses[0]
    print(f"http://{address[0]}:{address[1]}/v1", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve from the command line; see `--help`."""
    parser = argparse.ArgumentParser(description="Serve chat completions that fail on demand.")
    parser.add_argument("--port", type=int, default=8081, help="0: a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds, of every reply")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.latency))


if __name__ == "__main__":
    main()
