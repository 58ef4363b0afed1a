"""Serve the reward of `openrlhf_adapter` to OpenRLHF over HTTP: graders on a machine without GPUs.

    python -m examples.training.serve_openrlhf reward.py --port 5000
    train_ppo_ray --reward.remote_url http://127.0.0.1:5000/get_reward ...

`reward.py` is the file that `--reward.remote_url` takes itself. `POST /get_reward` takes
`{"query": [...], "prompts": [...], "labels": [...]}`, each of one, and gives `{"rewards": 1.0,
"scores": 1.0, "extra_logs": {...}}`; an abstention is `null` and NaN, as in the file. `GET /health`
gives `{"status": "ok"}`. An error is `{"error": "what is wrong"}`: 400 the request, 401 the token, 404
the path, 413 the length, 500 the grader.

OpenRLHF 0.11.2 asks for each response by itself, waits for 180 s, tries 5 times and never shows an
error's text: the reasons are in this server's log. It has no option for a token, but its client sends
what a URL holds: `http://:TOKEN@host:5000/get_reward`. OpenRLHF prints its options, so that token
is in the log of the run. Whoever reaches the server could ask it for rewards: beyond the loopback
address it needs a token, in `REWARD_TOKEN`.

Needs aiohttp (3.x).
"""

import argparse
import asyncio
import hmac
import importlib.util
import ipaddress
import json
import logging
import os
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import BasicAuth, web

from .openrlhf_adapter import OpenRLHFReward

__all__ = ["TOKEN_VARIABLE", "load_reward", "make_app"]

logger = logging.getLogger(__name__)

TOKEN_VARIABLE = "REWARD_TOKEN"  # noqa: S105 - the variable's name, no token
MAX_BODY = 16 * 2**20  # bytes of one request

_REWARD = web.AppKey("reward", OpenRLHFReward)
_TOKEN = web.AppKey("token", str)


def make_app(reward: OpenRLHFReward, token: str | None = None) -> web.Application:
    """The server; `token` is by default what `REWARD_TOKEN` holds, and nothing is asked for if ""."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_errors_as_json])
    app[_REWARD] = reward
    app[_TOKEN] = os.environ.get(TOKEN_VARIABLE, "") if token is None else token
    app.router.add_post("/get_reward", _get_reward)
    app.router.add_get("/health", _health)
    return app


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return _error(refusal.status, refusal.text or refusal.reason)


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _get_reward(request: web.Request) -> web.Response:
    if not _is_allowed(request):
        return _error(401, f"the token ({TOKEN_VARIABLE}) is missing or wrong")
    try:
        body = json.loads(await request.read())
        lists = body["query"], body["prompts"], body["labels"]
        if not all(isinstance(values, list) for values in lists):
            raise TypeError
        if not all(isinstance(text, str) for texts in lists[:2] for text in texts):
            raise TypeError
    except (KeyError, RecursionError, TypeError, ValueError):
        return _error(400, 'expected JSON: {"query": [text], "prompts": [text], "labels": [label]}')
    try:
        return web.json_response(await request.app[_REWARD].run(*lists))
    except (LookupError, TypeError, ValueError) as error:
        return _error(400, str(error))
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__))
        return _error(500, f"the grader failed with {type(error).__name__}: {error}", where)


def _is_allowed(request: web.Request) -> bool:
    token, header = request.app[_TOKEN], request.headers.get("Authorization", "")
    if header.startswith("Basic"):
        try:
            given = BasicAuth.decode(header).password
        except ValueError:
            given = ""
    else:
        given = header.removeprefix("Bearer ")
    return not token or hmac.compare_digest(given.encode(), token.encode())


def _error(status: int, what: str, where: str = "") -> web.Response:
    logger.error("%d: %s%s", status, what, where and f"\n{where}")
    return web.json_response({"error": what}, status=status)


def load_reward(path: str | Path) -> OpenRLHFReward:
    """Load the `reward_func` of a file as OpenRLHF does.

    Raises:
        ValueError: the file has no `reward_func`, or it does not come from `openrlhf_reward`.
    """
    spec = importlib.util.spec_from_file_location("reward_func", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    reward = getattr(module, "reward_func", None)
    if not isinstance(reward, OpenRLHFReward):
        raise ValueError(f"{path} must set reward_func = openrlhf_reward(...)")
    return reward


def check_exposure(host: str, token: str) -> None:
    """Raise ValueError where an address needs a token and there is none."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        loopback = host == "localhost"
    if not loopback and not token:
        raise ValueError(
            f"{host!r} is no loopback address: set {TOKEN_VARIABLE}, and put it into OpenRLHF's URL"
        )


async def _serve(reward: OpenRLHFReward, host: str, port: int) -> None:
    # A handler ends when its client hangs up: OpenRLHF asks again after 180 s.
    runner = web.AppRunner(make_app(reward), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    print(f"http://{host}:{runner.addresses[0][1]}/get_reward", flush=True)
    await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve from the command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="serve_openrlhf", description="Serve a reward to OpenRLHF."
    )
    parser.add_argument("reward", help="a Python file that sets reward_func")
    parser.add_argument("--host", default="127.0.0.1", help=f"others need {TOKEN_VARIABLE}")
    parser.add_argument("--port", type=int, default=5000, help="0: a free one")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        check_exposure(options.host, os.environ.get(TOKEN_VARIABLE, ""))
        reward = load_reward(options.reward)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(_serve(reward, options.host, options.port))


if __name__ == "__main__":
    main()
