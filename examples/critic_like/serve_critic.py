"""Serve one critic to many reward functions over HTTP; `remote_critic` is the client.

    python -m examples.critic_like.serve_critic --model runs/critic --port 8000

`POST /score` takes `{"conversations": [[{"role": "user", "content": "2+2?"}, ...], ...]}` and gives
`{"scores": [1.5, null, ...]}` in order, null where the model gave NaN or infinity. `GET /health`
gives `{"status": "ok"}`. An error is `{"error": "what is wrong"}`: 400 the request, 401 the token,
404 the path, 411 and 413 the length, 500 the model, 503 the server is closing.

One thread scores. Requests that come while it is busy wait, and are its next batch together: no
delay when it is idle, large batches under load. A reward decides what a run learns, so beyond the
loopback address a token is required, in `REWARD_MODEL_TOKEN`. No text of a request is logged.

OpenRLHF's `/get_reward` is left out: its client sends the prompt in the policy's template and the
response with the policy's end-of-turn token, which no critic should read. `serve_openrlhf.py` of the
training chapter takes these off.

Standard library, and `alignment_critic`.
"""

import argparse
import contextlib
import hmac
import ipaddress
import itertools
import json
import logging
import math
import signal
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from .alignment_critic import Critic
from .remote_critic import TOKEN_VARIABLE, read_token

__all__ = ["CriticServer"]

logger = logging.getLogger(__name__)

MAX_BODY = 16 * 2**20  # bytes of one request

Answer = tuple[int, dict[str, Any]]  # HTTP status, and what to send as JSON
_CLOSING: Answer = (503, {"error": "the server is closing"})
_NO_PATH: Answer = (404, {"error": "there are GET /health and POST /score"})
_BAD_BODY: Answer = (400, {"error": 'expected JSON: {"conversations": [[message, ...], ...]}'})


class _Request(NamedTuple):
    conversations: list[Any]
    answer: Future[Answer]


class CriticServer(ThreadingHTTPServer):
    """Serves a critic from threads of this process until `close`, or the end of `with`.

    Args:
        critic: what scores.
        host: an address of this machine; any but a loopback address needs a token.
        port: 0 takes a free one; `url` has it.
        token: what clients must send as `Authorization: Bearer ...`; by default what
            `REWARD_MODEL_TOKEN` holds. Where that is empty, nothing is asked for.

    Raises:
        ValueError: the address is no loopback address, and there is no token.
        OSError: the address or the port cannot be had.
    """

    daemon_threads = False  # server_close joins them
    request_queue_size = 1024  # connections not yet accepted: a training step sends many at once

    def __init__(
        self, critic: Critic, host: str = "127.0.0.1", port: int = 0, *, token: str | None = None
    ) -> None:
        self.token = check_exposure(host, token)
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_port}"
        self.waiting: list[_Request] = []  # the next batch
        self._critic = critic
        self._closed = False
        self._changed = threading.Condition()
        self._own_threads = [
            threading.Thread(target=self._score_batches, daemon=True),
            threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True),
        ]
        for thread in self._own_threads:
            thread.start()

    def close(self) -> None:
        """Score what is being scored, answer 503 to what waits, and join all threads.

        A connection that is silent in the middle of a request holds this up for 10 seconds.
        """
        with self._changed:
            self._closed = True
            waiting, self.waiting = self.waiting, []
            self._changed.notify()
        for request in waiting:
            request.answer.set_result(_CLOSING)
        self.shutdown()
        self.server_close()
        for thread in self._own_threads:
            thread.join()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def answer(self, conversations: list[Any]) -> Answer:
        """Wait until these are scored; called by the threads of the connections."""
        request = _Request(conversations, Future())
        with self._changed:
            if self._closed:
                return _CLOSING
            self.waiting.append(request)
            self._changed.notify()
        return request.answer.result()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log one line where the standard library prints a traceback."""
        logger.warning("a connection was lost")

    def _score_batches(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.waiting or self._closed)
                if self._closed:
                    return
                batch, self.waiting = self.waiting, []
            self._score(batch)

    def _score(self, batch: Sequence[_Request]) -> None:
        try:
            scores = iter(self._critic.score([c for r in batch for c in r.conversations]))
        except Exception as error:
            refused = isinstance(error, TypeError | ValueError)  # something is no conversation
            if refused and len(batch) > 1:  # the fault of one must not be the others'
                for request in batch:
                    self._score([request])
                return
            if not refused:  # the error's own words may quote a message, so they are left out
                where = "".join(traceback.format_tb(error.__traceback__))
                logger.error("the critic failed with %s at\n%s", type(error).__name__, where)
            what = str(error) if refused else f"the critic failed with {type(error).__name__}"
            for request in batch:
                request.answer.set_result((400 if refused else 500, {"error": what}))
            return
        for request in batch:
            own = itertools.islice(scores, len(request.conversations))
            finite = [score if math.isfinite(score) else None for score in own]
            request.answer.set_result((200, {"scores": finite}))


class _Handler(BaseHTTPRequestHandler):
    server: CriticServer
    timeout = 10  # seconds of silence after which a connection is dropped

    def do_GET(self) -> None:
        self._send(*((200, {"status": "ok"}) if self.path == "/health" else _NO_PATH))

    def do_POST(self) -> None:
        declared = self.headers.get("Content-Length", "")
        is_number = declared.isascii() and declared.isdigit()
        length = int(declared[:18]) if is_number else 0
        given = self.headers.get("Authorization", "").encode()
        expected = f"Bearer {self.server.token}".encode()
        refusal = None
        if self.path != "/score":
            refusal = _NO_PATH
        elif self.server.token and not hmac.compare_digest(given, expected):
            refusal = 401, {"error": f"the token ({TOKEN_VARIABLE}) is missing or wrong"}
        elif not declared or "Transfer-Encoding" in self.headers:
            refusal = 411, {"error": "Content-Length is required"}
        elif not is_number:
            refusal = 400, {"error": "Content-Length must be a number"}
        elif length > MAX_BODY:
            refusal = 413, {"error": f"a request has at most {MAX_BODY} bytes: send several"}
        # Read what is refused as well: a client cut off while it sends never sees the answer.
        body, left = b"", length if length <= 4 * MAX_BODY else 0
        while left and (part := self.rfile.read(min(left, 2**20))):
            left -= len(part)
            body += part if refusal is None else b""
        if not left:  # else the client is gone
            self._send(*(refusal or self._answer(body)))

    def _answer(self, body: bytes) -> Answer:
        try:
            conversations = json.loads(body)["conversations"]
        except (KeyError, RecursionError, TypeError, ValueError):
            return _BAD_BODY
        if not isinstance(conversations, list):
            return _BAD_BODY
        return self.server.answer(conversations) if conversations else (200, {"scores": []})

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the request line is a client's text."""


def check_exposure(host: str, token: str | None = None) -> str | None:
    """The token to ask for; raises ValueError where the address needs one and there is none."""
    token = read_token(token)
    loopback = host == "localhost"
    with contextlib.suppress(ValueError):  # a name
        loopback = loopback or ipaddress.ip_address(host).is_loopback
    if not loopback and not token:
        raise ValueError(
            f"{host!r} is no loopback address, and whoever reaches it could use the critic: set "
            f"{TOKEN_VARIABLE} for the server and its clients, or use 127.0.0.1"
        )
    return token


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve from the command line until SIGTERM or Ctrl-C; see `--help`."""
    parser = argparse.ArgumentParser(prog="serve_critic", description="Serve a critic over HTTP.")
    parser.add_argument("--model", required=True, help="a folder, or a hub name")
    parser.add_argument("--revision", help="commit of the model on the hub")
    parser.add_argument("--host", default="127.0.0.1", help=f"others need {TOKEN_VARIABLE}")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--max-length", type=int, help="tokens of one conversation")
    options = parser.parse_args(arguments)
    try:
        check_exposure(options.host)  # before the model is loaded, which takes long
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    loading = {"revision": options.revision, "device": options.device}
    with contextlib.suppress(KeyboardInterrupt):
        critic = Critic.load(options.model, max_length=options.max_length, **loading)
        with CriticServer(critic, options.host, options.port) as server:
            print(f"serving {options.model} on {server.url}", flush=True)
            threading.Event().wait()


if __name__ == "__main__":
    main()
