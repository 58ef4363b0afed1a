"""Reward with a critic that another process serves; the client of `serve_critic`.

    score("http://10.0.0.7:8000", [[{"role": "user", "content": "2+2?"},
                                    {"role": "assistant", "content": "4"}]])

Fit for any reward worker: it imports neither torch nor a model. What becomes of a failure:

| what happens | here |
|---|---|
| no connection, a time-out, status 429 or 5xx | tried again, at last `judge_unreachable` |
| another 4xx: the request is wrong | ValueError with the server's message, at once |
| a redirect, or no list of one score each | `judge_unparseable` |
| null, NaN or infinity for a score | `bad_score` |

Connections are direct: redirects are not followed, and proxies that the environment names are not
used. Over `http://` the token and the texts can be read on the way; outside a network of your own,
put TLS before the server.

Standard library only.
"""

import concurrent.futures
import contextlib
import http.client
import json
import math
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..shared.outcome import Outcome, Reason
from .prompts import messages_of_prompt

__all__ = ["RemoteCriticReward", "read_token", "remote_critic_reward_fn", "score"]

URL_VARIABLE = "REWARD_MODEL_URL"
TOKEN_VARIABLE = "REWARD_MODEL_TOKEN"  # noqa: S105 (the variable's name, no token)
_FIRST_WAIT = 0.1  # seconds, at least, before the second try; doubles with each


def score(
    url: str,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    *,
    timeout_seconds: float = 10,
    max_tries: int = 3,
    token: str | None = None,
) -> list[Outcome]:
    """Score each conversation's last message on a server.

    Args:
        url: the server's, such as `http://127.0.0.1:8000`. It decides who sees the texts and
            who makes the rewards: take it from the operator, never from data.
        conversations: as for `Critic.score`.
        timeout_seconds: for all tries and the waits between them, names and addresses included.
        max_tries: at least 1.
        token: the server's; by default what `REWARD_MODEL_TOKEN` holds, if anything.

    Returns:
        One outcome each, in order: `scored`, or an abstention as in the table above.

    Raises:
        ValueError: the URL or a number makes no sense, or the server refused the request.
        TypeError: the conversations are nothing that JSON can carry.
    """
    target = _check(url, timeout_seconds, max_tries)
    deadline = time.monotonic() + timeout_seconds
    body = json.dumps({"conversations": [list(messages) for messages in conversations]}).encode()
    headers = {"Content-Type": "application/json"}
    if known := read_token(token):
        headers["Authorization"] = f"Bearer {known}"
    for tries in range(1, max_tries + 1):
        try:
            status, reply = _post(target, body, headers, deadline)
        except (OSError, http.client.HTTPException) as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            if status == 200:
                return _outcomes(reply, len(conversations))
            failure = f"status {status}: {reply[:300].decode(errors='replace')}"
            if status < 500 and status != 429:
                if status >= 400:
                    raise ValueError(f"{url} refused the request: {failure}")
                return [Outcome(None, Reason.JUDGE_UNPARSEABLE, failure)] * len(conversations)
        wait = _FIRST_WAIT * 2 ** (tries - 1) * random.uniform(1, 2)
        if tries == max_tries or time.monotonic() + wait >= deadline:
            break
        time.sleep(wait)
    detail = f"{tries} of {max_tries} tries, the last: {failure}"
    return [Outcome(None, Reason.JUDGE_UNREACHABLE, detail)] * len(conversations)


@dataclass(frozen=True)
class RemoteCriticReward:
    """A reward function in AReaL's signature, over the critic served at `url`.

    Arguments are those of `score`. The token comes from `REWARD_MODEL_TOKEN` alone, and so is in
    no pickle and no log. Give whatever wraps this function a longer deadline than this one:
    AReaL's own wrapper waits 15 seconds by default, and makes 0 of what takes longer.
    """

    url: str
    timeout_seconds: float = 10
    max_tries: int = 3

    def __post_init__(self) -> None:
        _check(self.url, self.timeout_seconds, self.max_tries)

    def __call__(
        self,
        /,  # a data set may have a column named self
        prompt: str,
        completions: str,
        prompt_ids: list[int] | None = None,
        completion_ids: list[int] | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        **columns: Any,
    ) -> float:
        """Score one completion; arguments are those of `AlignmentCriticReward`.

        Raises:
            Abstained: no score was measured.
            ValueError: the prompt was rendered by a chat template, and there are no messages; or
                the server refused the request.
        """
        if messages is None:
            messages = messages_of_prompt(prompt)
        conversation = [*messages, {"role": "assistant", "content": completions}]
        (outcome,) = score(
            self.url,
            [conversation],
            timeout_seconds=self.timeout_seconds,
            max_tries=self.max_tries,
        )
        return outcome.require_score()


def remote_critic_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int] | None = None,
    completion_ids: list[int] | None = None,
    messages: Sequence[Mapping[str, str]] | None = None,
    **columns: Any,
) -> float:
    """AReaL's reward signature; the server's URL is in the environment, as `REWARD_MODEL_URL`.

    Everything else is as in `RemoteCriticReward`, which takes the URL as an argument.

    Raises:
        RuntimeError: `REWARD_MODEL_URL` is not set.
    """
    url = os.environ.get(URL_VARIABLE)
    if not url:
        raise RuntimeError(f"{URL_VARIABLE} is not set: export it as the URL of your reward server")
    reward_fn = RemoteCriticReward(url)
    return reward_fn(prompt, completions, prompt_ids, completion_ids, messages, **columns)


def read_token(token: str | None = None) -> str | None:
    """The token given, else the environment's; None where that is empty.

    Raises:
        ValueError: no HTTP header can hold the token; the message does not show it.
    """
    token = (os.environ.get(TOKEN_VARIABLE, "") if token is None else token).strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"the token ({TOKEN_VARIABLE}) must be one line of printable ASCII")
    return token or None


def _check(url: str, timeout_seconds: float, max_tries: int) -> SplitResult:
    target = urlsplit(url)
    known = target.scheme in ("http", "https") and target.hostname and target.port != 0
    if not known or target.username is not None:
        raise ValueError("the URL of a reward server is like http://host:8000, without a user")
    if not 0 < timeout_seconds < math.inf or max_tries < 1:
        raise ValueError(f"timeout_seconds={timeout_seconds}, max_tries={max_tries}: too small")
    return target


def _post(
    target: SplitResult, body: bytes, headers: dict[str, str], deadline: float
) -> tuple[int, bytes]:
    """Status and body of the reply, before the deadline."""
    # In a thread, since no time-out ends a resolver's call, or a reply that trickles in. Once given
    # up it sends nothing more: it ends with its socket, or when the resolver answers.
    assert target.hostname is not None
    context = ssl.create_default_context() if target.scheme == "https" else None
    connection = (
        http.client.HTTPConnection(target.hostname, target.port)
        if context is None
        else http.client.HTTPSConnection(target.hostname, target.port, context=context)
    )
    reply: Future[tuple[int, bytes]] = Future()

    def exchange() -> None:
        try:
            with contextlib.closing(connection):
                connection.sock = _connect(connection.host, connection.port, context, deadline)
                connection.request("POST", target.path.rstrip("/") + "/score", body, headers)
                response = connection.getresponse()
                reply.set_result((response.status, response.read()))
        except Exception as error:  # for the caller, if it still waits
            reply.set_exception(error)

    threading.Thread(target=exchange, name="remote critic", daemon=True).start()
    try:
        concurrent.futures.wait([reply], deadline - time.monotonic())
        if not reply.done():
            raise TimeoutError("the deadline passed")
        return reply.result()
    finally:
        if not reply.done():
            _hang_up(connection.sock)


def _connect(
    host: str, port: int, context: ssl.SSLContext | None, deadline: float
) -> socket.socket:
    """A socket to the first of the host's addresses that accepts; each gets its share of the time."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline) / (len(addresses) - number))
            sock.connect(address)
            sock.settimeout(_left(deadline))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return context.wrap_socket(sock, server_hostname=host) if context else sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _left(deadline: float) -> float:
    """Seconds; TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline passed")
    return left


def _hang_up(sock: socket.socket | None) -> None:
    if sock is not None:
        with contextlib.suppress(OSError):  # it may be closed already
            sock.shutdown(socket.SHUT_RDWR)


def _outcomes(reply: bytes, count: int) -> list[Outcome]:
    try:
        scores = json.loads(reply, parse_int=float)["scores"]
        if not isinstance(scores, list) or len(scores) != count:
            raise TypeError(f"expected a list of {count} scores")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        detail = f"the reply is not the agreed JSON: {type(error).__name__}: {error}"
        return [Outcome(None, Reason.JUDGE_UNPARSEABLE, detail)] * count
    return [_outcome(value) for value in scores]


def _outcome(value: object) -> Outcome:
    if value is not None and not isinstance(value, float):
        return Outcome(None, Reason.JUDGE_UNPARSEABLE, f"a {type(value).__name__} for a score")
    if value is None or not math.isfinite(value):
        return Outcome(None, Reason.BAD_SCORE, "the critic returned NaN or infinity")
    return Outcome(value, Reason.SCORED)
