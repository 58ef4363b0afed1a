"""One critic for many clients: each gets its own scores, and nobody is harmed by another."""

import http.client
import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from examples.critic_like import serve_critic
from examples.critic_like.alignment_critic import Critic
from examples.critic_like.serve_critic import CriticServer

ROOT = Path(__file__).parent.parent.parent
TOKEN = "a-token-for-tests"


class HeldCritic(Critic):
    """A critic that counts its calls, and holds one until it is let go."""

    calls: list[int]
    entered: threading.Event
    go: threading.Event
    error: Exception | None

    def score(self, conversations: Any) -> list[float]:
        self.calls.append(len(conversations))
        self.entered.set()
        assert self.go.wait(10)
        if self.error:
            raise self.error
        return super().score(conversations)


@pytest.fixture(scope="module")
def the_critic(encoder_folder: Path) -> HeldCritic:
    return HeldCritic.load(encoder_folder, device="cpu")


@pytest.fixture(scope="module", autouse=True)
def command(encoder_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The server as a command; started before all tests, since its imports take seconds."""
    options = ["--model", str(encoder_folder), "--port", "0", "--device", "cpu"]
    environment = {name: value for name, value in os.environ.items() if "REWARD" not in name}
    process = subprocess.Popen(
        [sys.executable, "-m", "examples.critic_like.serve_critic", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "OMP_NUM_THREADS": "1"},
    )
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def critic(the_critic: HeldCritic, monkeypatch: pytest.MonkeyPatch) -> HeldCritic:
    monkeypatch.delenv("REWARD_MODEL_TOKEN", raising=False)
    the_critic.calls, the_critic.error = [], None
    the_critic.entered, the_critic.go = threading.Event(), threading.Event()
    the_critic.go.set()
    return the_critic


@pytest.fixture
def server(critic: HeldCritic) -> Iterator[CriticServer]:
    with CriticServer(critic) as server:
        yield server


def talk(about: object, answer: str = "Yes.") -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Tell me about {about}."},
        {"role": "assistant", "content": answer},
    ]


def send(
    server: CriticServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def post(server: CriticServer, conversations: Any, **headers: str) -> tuple[int, Any]:
    body = json.dumps({"conversations": conversations}).encode()
    return send(server, "POST", "/score", body, **headers)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


# Scores


def test_scores_are_the_critics(server: CriticServer, critic: HeldCritic) -> None:
    conversations = [
        talk("tea"),
        talk("the sea", "It is salt."),
        talk("鸡", "鸡很吵。"),
        talk("", ""),
    ]
    status, content = post(server, conversations)
    assert status == 200
    assert content["scores"] == pytest.approx(critic.score(conversations), abs=1e-5)
    assert len({round(score, 3) for score in content["scores"]}) == 4


def test_nothing_to_score(server: CriticServer) -> None:
    assert post(server, []) == (200, {"scores": []})


def test_nan_and_infinity_become_null(
    server: CriticServer, critic: HeldCritic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(critic, "_forward", lambda ids: [math.nan, math.inf, 0.5, -math.inf])
    status, content = post(server, [talk("tea")] * 4)
    assert (status, content) == (200, {"scores": [None, None, 0.5, None]})


def test_it_is_healthy(server: CriticServer) -> None:
    assert send(server, "GET", "/health") == (200, {"status": "ok"})


# Batches


def test_many_clients_get_their_own_scores_in_two_batches(
    server: CriticServer, critic: HeldCritic
) -> None:
    conversations = [[talk(i), talk(i, "No.")] for i in range(32)]
    expected = [critic.score(pair) for pair in conversations]
    critic.calls.clear()
    critic.entered.clear()
    critic.go.clear()
    with ThreadPoolExecutor(32) as pool:
        first = pool.submit(post, server, conversations[0])
        assert critic.entered.wait(10)
        others = [pool.submit(post, server, pair) for pair in conversations[1:]]
        wait_until(lambda: len(server.waiting) == 31)
        critic.go.set()
        answers = [first.result(), *(other.result() for other in others)]
    assert critic.calls == [2, 62]
    assert [status for status, _ in answers] == [200] * 32
    for (_, content), scores in zip(answers, expected, strict=True):
        assert content["scores"] == pytest.approx(scores, abs=1e-5)


def test_a_bad_request_does_not_harm_those_in_its_batch(
    server: CriticServer, critic: HeldCritic
) -> None:
    critic.go.clear()
    bad = [*talk("a secret")[:1], {"role": "robot", "content": "beep"}]
    with ThreadPoolExecutor(4) as pool:
        held = pool.submit(post, server, [talk("tea")])
        assert critic.entered.wait(10)
        good = [pool.submit(post, server, [talk(i)]) for i in range(2)]
        refused = pool.submit(post, server, [talk("tea"), bad])
        wait_until(lambda: len(server.waiting) == 3)
        critic.go.set()
        status, content = refused.result()
        assert status == 400
        assert content["error"] == "conversation 1, message 1: unknown role 'robot'"
        expected = critic.score([talk(0), talk(1)])
        scores = [future.result()[1]["scores"][0] for future in good]
        assert scores == pytest.approx(expected, abs=1e-5)
        assert held.result()[0] == 200


@pytest.mark.parametrize(
    "conversation",
    [
        "Human: hello",
        {"role": "user"},
        None,
        7,
        [],
        talk("tea")[:1],
        [{"role": "assistant"}],
        [{"role": ["assistant"], "content": "x"}],
        [{"role": "assistant", "content": ["x"]}],
        [{"role": "assistant", "content": None}],
        [{"role": "tool", "content": "x"}, *talk("tea")],
    ],
    ids=repr,
)
def test_what_is_no_conversation_is_refused(server: CriticServer, conversation: Any) -> None:
    status, content = post(server, [conversation])
    assert status == 400
    assert content["error"]
    assert post(server, [talk("tea")])[0] == 200


def test_a_failing_model_is_500_and_the_server_goes_on(
    server: CriticServer, critic: HeldCritic, caplog: pytest.LogCaptureFixture
) -> None:
    critic.error = RuntimeError("out of memory at 'a secret'")
    assert post(server, [talk("tea")]) == (500, {"error": "the critic failed with RuntimeError"})
    assert "in score" in caplog.text
    assert "secret" not in caplog.text
    critic.error = None
    assert post(server, [talk("tea")])[0] == 200


# Requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"\xff\xfe\xff",
        b"null",
        b"[]",
        b'"conversations"',
        b"{}",
        b'{"conversations": null}',
        b'{"conversations": {"0": []}}',
        b'{"conversations": [',
        b"[" * 100_000,
        b'{"conversations": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_malformed_bodies_are_refused(server: CriticServer, body: bytes) -> None:
    status, content = send(server, "POST", "/score", body, Content_Length=str(len(body)))
    assert status == 400
    assert "expected JSON" in content["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/score"),
        ("GET", "/../etc/passwd"),
        ("POST", "/health"),
        ("POST", "/get_reward"),
        ("POST", "/score/"),
        ("POST", "/score?token=x"),
    ],
)
def test_other_paths_are_unknown(server: CriticServer, method: str, path: str) -> None:
    body = b"{}" if method == "POST" else None
    assert send(server, method, path, body)[0] == 404


def raw(server: CriticServer, request: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.connect()
    connection.sock.sendall(request)
    reply = b""
    while part := connection.sock.recv(2**16):
        reply += part
    connection.close()
    return reply


@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [
        (b"", 0, 411),
        (b"Transfer-Encoding: chunked\r\n", 0, 411),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 2, 411),
        (b"Content-Length: -1\r\n", 0, 400),
        (b"Content-Length: 1_0\r\n", 0, 400),
        (b"Content-Length: \xb2\r\n", 0, 400),
        (b"Content-Length: 16777217\r\n", 16777217, 413),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", 0, 413),
    ],
)
def test_a_length_is_required_and_bounded(
    server: CriticServer, headers: bytes, length: int, status: int
) -> None:
    body = {2: b"{}", 16777217: b" " * 16777217}.get(length, b"")
    reply = raw(server, b"POST /score HTTP/1.0\r\n" + headers + b"\r\n" + body)
    assert reply.startswith(b"HTTP/1.0 %d " % status)


def test_a_body_too_large_is_refused_where_the_client_can_read_it(
    server: CriticServer, critic: HeldCritic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_critic, "MAX_BODY", 10**6)
    status, content = post(server, [talk("tea", "x" * 3 * 10**6)])
    assert status == 413
    assert "1000000 bytes" in content["error"]
    assert critic.calls == []


def test_a_client_that_goes_away_is_one_line_in_the_log(
    server: CriticServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.connect()
    connection.sock.sendall(b"POST /score HTTP/1.0\r\nContent-Length: 100\r\n\r\na secret")
    connection.close()
    assert post(server, [talk("a secret")])[0] == 200
    assert "secret" not in caplog.text + "".join(capfd.readouterr())


# Who may ask


def test_a_token_is_asked_for(critic: HeldCritic) -> None:
    with CriticServer(critic, token=TOKEN) as server:
        body = json.dumps({"conversations": [talk("tea", "x" * 10**6)]}).encode()
        for given in (None, "", TOKEN, "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer \xe9"):
            headers = {} if given is None else {"Authorization": given}
            assert send(server, "POST", "/score", body, **headers)[0] == 401
        assert critic.calls == []
        assert post(server, [talk("tea")], Authorization=f"Bearer {TOKEN}")[0] == 200
        assert send(server, "GET", "/health")[0] == 200


def test_the_token_is_the_environments(critic: HeldCritic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_MODEL_TOKEN", f" {TOKEN}\n")
    with CriticServer(critic) as server:
        assert post(server, [talk("tea")])[0] == 401
        assert post(server, [talk("tea")], Authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.7", "example.org"])
def test_an_open_door_is_refused(critic: HeldCritic, host: str) -> None:
    with pytest.raises(ValueError, match="is no loopback address"):
        CriticServer(critic, host)
    with pytest.raises(ValueError, match="is no loopback address"):
        CriticServer(critic, host, token=" ")


def test_with_a_token_any_address_may_be_served(critic: HeldCritic) -> None:
    with CriticServer(critic, "0.0.0.0", token=TOKEN) as server:
        assert post(server, [talk("tea")])[0] == 401


@pytest.mark.parametrize("token", ["two\nlines", "é"])
def test_a_token_that_no_header_holds_is_refused_unseen(critic: HeldCritic, token: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        CriticServer(critic, token=token)
    assert token not in str(caught.value)


# The end


def test_close_answers_those_who_wait_and_joins_its_threads(critic: HeldCritic) -> None:
    before = set(threading.enumerate())
    server = CriticServer(critic)
    critic.go.clear()
    with ThreadPoolExecutor(4) as pool:
        held = pool.submit(post, server, [talk("tea")])
        assert critic.entered.wait(10)
        others = [pool.submit(post, server, [talk(i)]) for i in range(2)]
        wait_until(lambda: len(server.waiting) == 2)
        closing = pool.submit(server.close)
        for other in others:
            assert other.result(10) == (503, {"error": "the server is closing"})
        critic.go.set()
        closing.result(10)
        assert held.result(10)[0] == 200
    assert set(threading.enumerate()) <= before
    assert server.answer([talk("tea")])[0] == 503
    server.close()
    with pytest.raises(ConnectionRefusedError):
        post(server, [talk("tea")])


def test_a_port_in_use_leaves_no_thread(server: CriticServer, critic: HeldCritic) -> None:
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="in use"):
        CriticServer(critic, port=server.server_port)
    assert set(threading.enumerate()) <= before


# The command


def test_the_command_serves_until_it_is_told_to_stop(
    command: subprocess.Popen[str], critic: HeldCritic
) -> None:
    assert command.stdout
    found = re.search(r"http://127\.0\.0\.1:(\d+)", command.stdout.readline())
    assert found
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
    connection.request("POST", "/score", json.dumps({"conversations": [talk("tea")]}))
    scores = json.loads(connection.getresponse().read())["scores"]
    connection.close()
    assert scores == pytest.approx(critic.score([talk("tea")]), abs=1e-5)
    command.send_signal(signal.SIGTERM)
    _, errors = command.communicate(timeout=10)
    assert command.returncode == 0
    assert "Traceback" not in errors


def test_the_command_refuses_an_open_door_before_it_loads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REWARD_MODEL_TOKEN", raising=False)
    with pytest.raises(SystemExit) as caught:
        serve_critic.main(["--model", "/nonexistent", "--host", "0.0.0.0"])
    assert caught.value.code == 2
    assert "REWARD_MODEL_TOKEN" in capsys.readouterr().err


def test_no_text_is_logged(
    server: CriticServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    post(server, [talk("a secret", "a secret " * 100)])  # long: the critic warns
    post(server, [[{"role": "a secret", "content": "a secret"}]])
    send(server, "POST", "/a-secret", b"a secret")
    assert "secret" not in caplog.text + "".join(capfd.readouterr())
