"""A failure of the server or the network never becomes a score, and takes no longer than it may."""

import json
import math
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import signature
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from examples.critic_like import remote_critic
from examples.critic_like.alignment_critic import AlignmentCriticReward, Critic
from examples.critic_like.prompts import messages_of_prompt
from examples.critic_like.remote_critic import RemoteCriticReward, remote_critic_reward_fn, score
from examples.critic_like.serve_critic import CriticServer
from examples.shared.outcome import Abstained, Outcome, Reason

ROOT = Path(__file__).parent.parent.parent
TEA = [{"role": "user", "content": "Tea?"}, {"role": "assistant", "content": "Yes, please."}]
SEA = [{"role": "user", "content": "The sea?"}, {"role": "assistant", "content": "It is salt."}]
DEAD = "http://127.0.0.1:9"  # the port "discard", which nothing serves
TOKEN = "a-token-for-tests"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_critic, "_FIRST_WAIT", 0.01)
    for name in ("REWARD_MODEL_URL", "REWARD_MODEL_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server(encoder: Critic) -> Iterator[CriticServer]:
    with CriticServer(encoder, token="") as server:
        yield server


class Scripted(ThreadingHTTPServer):
    """Answers with what its script says: raw bytes, or a function that writes them."""

    def __init__(self, *script: bytes | Callable[[Any], None]) -> None:
        self.script = list(script)
        self.seen: list[BaseHTTPRequestHandler] = []
        self.stop = threading.Event()
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self.thread.start()

    def __exit__(self, *exception: object) -> None:
        self.stop.set()
        self.shutdown()
        self.server_close()
        self.thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client hung up, as it should."""


class ScriptedHandler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(self)
        script = self.server.script
        answer = script.pop(0) if len(script) > 1 else script[0]
        self.wfile.write(answer) if isinstance(answer, bytes) else answer(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def reply(status: int, content: object, headers: str = "") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


FINE = reply(200, {"scores": [1.5]})
BUSY = reply(503, {"error": "the server is closing"})


def only(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


# Scores


def test_scores_are_the_critics(server: CriticServer, encoder: Critic) -> None:
    outcomes = score(server.url, [TEA, SEA])
    assert [outcome.reason for outcome in outcomes] == [Reason.SCORED] * 2
    scores = [outcome.score for outcome in outcomes]
    assert scores == pytest.approx(encoder.score([TEA, SEA]), abs=1e-5)
    assert scores[0] != pytest.approx(scores[1], abs=1e-3)
    assert score(server.url, []) == []


@pytest.mark.parametrize("url", ["{}/", "{}"])
def test_a_slash_at_the_end_of_the_url_is_no_matter(server: CriticServer, url: str) -> None:
    assert only(score(url.format(server.url), [TEA])).reason is Reason.SCORED


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ("Tea?", None),
        ("\n\nHuman: Tea?\n\nAssistant:", None),
        ("Human: Tea?\n\nAssistant: Which?\n\nHuman: Green.", None),
        ("<|im_start|>user\nTea?<|im_end|>", TEA[:1]),
        ("ignored", [{"role": "user", "content": "Sea?"}]),
    ],
)
def test_the_reward_is_that_of_the_local_critic(
    server: CriticServer, encoder_folder: Path, prompt: str, messages: Any
) -> None:
    local = AlignmentCriticReward(str(encoder_folder), device="cpu")
    remote = RemoteCriticReward(server.url)
    expected = local(prompt, "Yes.", [1], [2], messages=messages, answer="x")
    value = remote(prompt, "Yes.", [1], [2], messages=messages, answer="x")
    assert type(value) is float
    assert value == pytest.approx(expected, abs=1e-5)


def test_its_signature_is_that_of_the_local_critic() -> None:
    names = list(signature(AlignmentCriticReward.__call__).parameters)
    assert list(signature(RemoteCriticReward.__call__).parameters) == names
    assert list(signature(remote_critic_reward_fn).parameters) == names[1:]


@pytest.mark.parametrize(
    ("prompt", "roles"),
    [
        ("", "user"),
        ("What does Human: mean?", "user"),
        ("Human: a", "user"),
        (" \n\nHuman: a\n\nAssistant:", "user"),
        ("Human: a\n\nAssistant: b", "user assistant"),
        ("Human: a\n\nAssistant: b\n\nHuman: Assistant: c", "user assistant user"),
    ],
)
def test_the_messages_of_a_prompt(prompt: str, roles: str) -> None:
    assert [message["role"] for message in messages_of_prompt(prompt)] == roles.split()


def test_a_rendered_prompt_is_refused_and_not_sent() -> None:
    with Scripted(FINE) as scripted:
        for prompt in (
            "<|im_start|>user\nTea?",
            "<start_of_turn>user\nTea?",
            "[INST] Tea? [/INST]",
        ):
            with pytest.raises(ValueError, match="column messages"):
                RemoteCriticReward(scripted.url)(prompt, "Yes.")
        assert not scripted.seen


# Whose word counts


def test_the_server_is_the_environments(
    server: CriticServer, encoder: Critic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match="REWARD_MODEL_URL is not set"):
        remote_critic_reward_fn("Tea?", "Yes, please.")
    monkeypatch.setenv("REWARD_MODEL_URL", server.url)
    value = remote_critic_reward_fn("Tea?", "Yes, please.", [1], [2])
    assert value == pytest.approx(encoder.score([TEA])[0], abs=1e-5)


def test_columns_change_nothing(
    server: CriticServer, encoder: Critic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_MODEL_URL", server.url)
    with Scripted(reply(200, {"scores": [99.0]})) as evil:
        names = ("url", "host", "path", "REWARD_MODEL_URL", "score", "token", "self", "cls")
        columns: dict[str, Any] = dict.fromkeys(names, evil.url)
        columns |= {"timeout_seconds": 0, "max_tries": 0}
        for reward_fn in (remote_critic_reward_fn, RemoteCriticReward(server.url)):
            value = reward_fn("Tea?", "Yes, please.", **columns)
            assert value == pytest.approx(encoder.score([TEA])[0], abs=1e-5)
        assert not evil.seen


def test_a_token_comes_from_the_environment(
    encoder: Critic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CriticServer(encoder, token=TOKEN) as server:
        with pytest.raises(ValueError, match="status 401"):
            score(server.url, [TEA])
        assert only(score(server.url, [TEA], token=TOKEN)).reason is Reason.SCORED
        monkeypatch.setenv("REWARD_MODEL_TOKEN", f"{TOKEN}\n")
        reward_fn = RemoteCriticReward(server.url)
        assert math.isfinite(reward_fn("Tea?", "Yes."))
        assert TOKEN not in repr(reward_fn)
        assert TOKEN.encode() not in pickle.dumps(reward_fn)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(FINE) as scripted, Scripted(reply(200, {"scores": [99.0]})) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert only(score(scripted.url, [TEA])).score == 1.5
        assert not proxy.seen


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Scripted(FINE) as evil:
        moved = reply(status, b"", f"Location: {evil.url}/score\r\n")
        with Scripted(moved) as scripted:
            outcome = only(score(scripted.url, [TEA], token=TOKEN))
            assert outcome.reason is Reason.JUDGE_UNPARSEABLE
            assert len(scripted.seen) == 1
        assert not evil.seen


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "file:///etc/passwd",
        "ftp://host/",
        "http://",
        "http://user:pw@host",
        "http://host:port",
        "http://host:0",
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        RemoteCriticReward(url)
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        score(url, [TEA])


@pytest.mark.parametrize("limits", [(0, 3), (-1, 3), (math.nan, 3), (math.inf, 3), (1, 0)])
def test_limits_that_make_no_sense_are_refused(limits: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        RemoteCriticReward("http://127.0.0.1", *limits)


# Failures


def test_a_server_that_is_down_abstains() -> None:
    outcomes = score(DEAD, [TEA, SEA])
    assert [outcome.reason for outcome in outcomes] == [Reason.JUDGE_UNREACHABLE] * 2
    assert "3 of 3 tries" in outcomes[0].detail
    assert "Refused" in outcomes[0].detail
    with pytest.raises(Abstained) as caught:
        RemoteCriticReward(DEAD, max_tries=1)("Tea?", "Yes.")
    assert caught.value.outcome.reason is Reason.JUDGE_UNREACHABLE
    assert caught.value.outcome.score is None


def test_all_tries_share_one_deadline() -> None:
    start = time.monotonic()
    outcome = only(score(DEAD, [TEA], timeout_seconds=0.5, max_tries=1000))
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    busy = reply(status, {"error": "not now"})
    with Scripted(busy, busy, FINE) as scripted:
        assert only(score(scripted.url, [TEA])).score == 1.5
        assert len(scripted.seen) == 3


def test_what_does_not_pass_abstains() -> None:
    with Scripted(BUSY) as scripted:
        outcome = only(score(scripted.url, [TEA], max_tries=2))
        assert len(scripted.seen) == 2
    assert outcome.reason is Reason.JUDGE_UNREACHABLE
    assert "status 503" in outcome.detail
    assert "closing" in outcome.detail


def wait(handler: ScriptedHandler) -> None:
    handler.server.stop.wait(10)


def trickle(start: bytes) -> Callable[[ScriptedHandler], None]:
    def write(handler: ScriptedHandler) -> None:
        handler.wfile.write(start)
        while not handler.server.stop.wait(0.05):
            handler.wfile.write(b" ")

    return write


@pytest.mark.parametrize(
    "slow",
    [wait, trickle(b"HTTP/1.1 200 OK\r\nX: "), trickle(b"HTTP/1.1 200 OK\r\n\r\n")],
    ids=["silent", "header", "body"],
)
def test_a_slow_server_abstains_at_the_deadline(slow: Callable[[Any], None]) -> None:
    with Scripted(slow) as scripted:
        start = time.monotonic()
        outcome = only(score(scripted.url, [TEA], timeout_seconds=0.3))
        assert time.monotonic() - start < 3
        assert outcome.reason is Reason.JUDGE_UNREACHABLE


@pytest.mark.parametrize("scheme", ["http", "https"])  # with https, it is the handshake
def test_a_server_that_never_answers_abstains_at_the_deadline(scheme: str) -> None:
    with closing(create_server(("127.0.0.1", 0))) as listening:
        url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        start = time.monotonic()
        outcome = only(score(url, [TEA], timeout_seconds=0.5))
        assert time.monotonic() - start < 10
        assert outcome.reason is Reason.JUDGE_UNREACHABLE


def closed_doors(count: int, doors: ExitStack) -> list[tuple[Any, ...]]:
    """Addresses, as `getaddrinfo` gives them, of one socket whose queue of connections is full."""
    listening = doors.enter_context(closing(create_server(("127.0.0.1", 0), backlog=0)))
    for _ in range(8):  # the first few fit the queue
        waiting = doors.enter_context(closing(socket.socket()))
        waiting.setblocking(False)
        waiting.connect_ex(listening.getsockname())
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", listening.getsockname())] * count


def test_a_name_of_many_addresses_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as doors:
        addresses = closed_doors(100, doors)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        start = time.monotonic()
        outcome = only(score("http://critic.example", [TEA], timeout_seconds=0.5))
        assert time.monotonic() - start < 10
        assert outcome.reason is Reason.JUDGE_UNREACHABLE


def test_an_address_that_accepts_nothing_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ExitStack() as doors, Scripted(FINE) as scripted:
        open_one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", scripted.server_address)
        addresses = [*closed_doors(1, doors), *[open_one] * 19]  # the first has 1 s of 20
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        outcome = only(score("http://critic.example", [TEA], timeout_seconds=20, max_tries=1))
        assert outcome.score == 1.5


@pytest.mark.parametrize("url", ["http://critic.example", "https://critic.example"])
def test_a_slow_resolver_abstains_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    answers, asked = threading.Event(), []

    with Scripted(FINE) as scripted:

        def resolve(*arguments: Any, **_: Any) -> list[tuple[Any, ...]]:
            asked.append(arguments)
            answers.wait(60)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", scripted.server_address)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        before = set(threading.enumerate())
        start = time.monotonic()
        outcome = only(score(url, [TEA], timeout_seconds=0.5))
        assert time.monotonic() - start < 10
        assert outcome.reason is Reason.JUDGE_UNREACHABLE
        answers.set()
        assert_no_thread_stays(before)
        assert len(asked) == 1
        assert not scripted.seen  # nothing is sent for a call that is over


@pytest.mark.parametrize(
    "broken",
    [b"", b"\x00\xff not HTTP", FINE[:-4]],
    ids=["nothing", "not HTTP", "cut off"],
)
def test_a_connection_that_breaks_is_tried_again(broken: bytes) -> None:
    with Scripted(broken, FINE) as scripted:
        assert only(score(scripted.url, [TEA])).score == 1.5


def test_what_the_server_refuses_raises_at_once_with_its_message(server: CriticServer) -> None:
    with pytest.raises(ValueError, match=r"status 400: .*unknown role 'robot'"):
        score(server.url, [TEA, [{"role": "robot", "content": "beep"}]])
    with pytest.raises(ValueError, match=r"status 404: .*POST /score"):
        score(f"{server.url}/elsewhere", [TEA])
    with Scripted(reply(413, {"error": "send several"})) as scripted:
        with pytest.raises(ValueError, match="send several"):
            RemoteCriticReward(scripted.url)("Tea?", "Yes.")
        assert len(scripted.seen) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Sign in</html>",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        None,
        [1.5],
        {"rewards": [1.5]},
        {"scores": None},
        {"scores": "1"},
        {"scores": []},
        {"scores": [1.5, 1.5]},
        {"scores": {"0": 1.5}},
        {"scores": ["1.5"]},
        {"scores": [True]},
        {"scores": [[1.5]]},
    ],
    ids=lambda content: repr(content)[:30],
)
def test_a_reply_that_is_not_the_agreed_one_abstains(content: object) -> None:
    with Scripted(reply(200, content)) as scripted:
        outcome = only(score(scripted.url, [TEA]))
        assert outcome.reason is Reason.JUDGE_UNPARSEABLE
        assert len(scripted.seen) == 1


@pytest.mark.parametrize("value", [b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 400])
def test_a_score_that_is_no_finite_number_abstains(value: bytes) -> None:
    with Scripted(reply(200, b'{"scores": [%b, 2, 0]}' % value)) as scripted:
        bad, good, zero = score(scripted.url, [TEA, SEA, TEA])
    assert bad.reason is Reason.BAD_SCORE
    assert (good.score, zero.score) == (2.0, 0.0)


def test_nan_of_the_model_abstains(
    server: CriticServer, encoder: Critic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "_forward", lambda ids: [math.nan] * len(ids))
    with pytest.raises(Abstained) as caught:
        RemoteCriticReward(server.url)("Tea?", "Yes.")
    assert caught.value.outcome.reason is Reason.BAD_SCORE


# In a worker


def test_importing_it_imports_no_model_library() -> None:
    code = (
        "import sys, examples.critic_like.remote_critic\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) <= {"__main__", "examples"}


def test_it_travels_to_a_worker(server: CriticServer) -> None:
    reward_fn = RemoteCriticReward(server.url, 5, 2)
    copy = pickle.loads(pickle.dumps(reward_fn))
    assert copy == reward_fn
    assert copy("Tea?", "Yes.") == pytest.approx(reward_fn("Tea?", "Yes."), abs=1e-5)
    assert pickle.loads(pickle.dumps(remote_critic_reward_fn)) is remote_critic_reward_fn


def assert_no_thread_stays(before: set[threading.Thread]) -> None:
    deadline = time.monotonic() + 60
    while stay := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, stay
        time.sleep(0.01)


@pytest.mark.parametrize("answer", [FINE, wait], ids=["answers", "is silent"])
def test_no_thread_stays(answer: Any) -> None:
    before = set(threading.enumerate())
    with Scripted(answer) as scripted:
        for _ in range(3):
            score(scripted.url, [TEA], timeout_seconds=0.3)
    assert_no_thread_stays(before)


def test_a_child_forked_during_a_call_can_make_its_own(
    true_in_a_child: Callable[[Callable[[], bool]], bool],
) -> None:
    with Scripted(wait) as silent, Scripted(FINE) as scripted:
        caller = threading.Thread(target=score, args=(silent.url, [TEA]))
        caller.start()
        while not silent.seen:
            time.sleep(0.01)
        assert true_in_a_child(lambda: only(score(scripted.url, [TEA])).score == 1.5)
        silent.stop.set()
        caller.join()
