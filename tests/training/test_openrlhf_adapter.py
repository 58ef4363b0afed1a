"""The OpenRLHF adapter and its server, without OpenRLHF."""

import asyncio
import base64
import json
import math
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from aiohttp.test_utils import TestClient, TestServer
from graders import grade, grade_with_question

from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.openrlhf_adapter import ENDINGS, OpenRLHFReward, openrlhf_reward
from examples.training.serve_openrlhf import MAX_BODY, TOKEN_VARIABLE, load_reward, main, make_app

SNIPPET = Path(__file__).parent / "snippets" / "openrlhf_gsm8k.py"
PROMPT = "<|user|>8*9?<|assistant|>"


def call(
    reward: OpenRLHFReward, response: str, label: Any = "72", prompt: str = PROMPT
) -> dict[str, Any]:
    return reward([prompt + response], [prompt], [label])


@pytest.mark.parametrize(("response", "score"), [("72", 1.0), ("71", 0.0), ("", 0.0)])
def test_a_response_is_scored_as_a_float(response: str, score: float) -> None:
    result = call(openrlhf_reward(grade), response)
    assert result == {"rewards": score, "scores": score, "extra_logs": {"abstained": 0.0}}
    assert type(result["rewards"]) is float


def test_an_async_grader_is_waited_for() -> None:
    label = {"question": "8*9?", "answer": "72"}
    assert call(openrlhf_reward(grade_with_question), "8*9? 72", label)["rewards"] == 1.0


def test_a_label_that_is_a_dict_holds_columns() -> None:
    reward = openrlhf_reward(grade, reference="solution")
    assert call(reward, "72", {"solution": "72", "other": 1})["rewards"] == 1.0
    with pytest.raises(TypeError, match="reads answer and question: the label must be a dict"):
        call(openrlhf_reward(grade_with_question), "72", "72")


def default_question(response: str, reference: str, question: str = "8*9?") -> Outcome:
    return grade(response, f"{question} {reference}")


def all_defaults(response: str, reference: str = "72") -> Outcome:
    return grade(response, reference)


def test_a_label_need_not_hold_what_has_a_default() -> None:
    reward = openrlhf_reward(default_question)
    reward.check([{"answer": "72"}])
    assert call(reward, "8*9? 72", "72")["rewards"] == 1.0
    assert call(reward, "7*9? 63", {"answer": "63", "question": "7*9?"})["rewards"] == 1.0
    with pytest.raises(LookupError, match="the label is empty"):
        call(reward, "72", "")


def test_where_all_have_defaults_there_need_be_no_label() -> None:
    reward = openrlhf_reward(all_defaults)
    reward.check([{"input": "8*9?"}])
    reward.check([{"answer": "72"}])
    assert call(reward, "72", "")["rewards"] == call(reward, "63", "63")["rewards"] == 1.0
    with pytest.raises(LookupError, match="no column 'solution'"):
        reward.check([{"answer": "72"}], label_key="solution")


def test_an_abstention_is_no_reward_and_a_score_of_nan(caplog: pytest.LogCaptureFixture) -> None:
    async def lost(response: str) -> Outcome:
        raise Abstained(Outcome(None, Reason.TIMED_OUT))

    for reward in (openrlhf_reward(grade), openrlhf_reward(lost)):
        result = call(reward, "lost")
        assert result["rewards"] is None
        assert math.isnan(result["scores"])
    assert "judge_unreachable" in caplog.text
    assert "timed_out" in caplog.text


def test_abstentions_are_counted_from_many_threads() -> None:
    reward = openrlhf_reward(grade)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: call(reward, text), ["lost", "72", "71", "70"] * 50))
    call(reward, "lost")
    assert call(reward, "72")["extra_logs"] == {"abstained": 51 / 202}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_the_turn_is_cut_off(ending: str) -> None:
    assert call(openrlhf_reward(grade), "72" + ending)["rewards"] == 1.0
    assert call(openrlhf_reward(grade), "72" + ending * 2)["rewards"] == 1.0
    assert call(openrlhf_reward(grade, endings=["", "<stop>"]), "72<stop>")["rewards"] == 1.0
    assert call(openrlhf_reward(grade, endings=[]), "72" + ending)["rewards"] == 0.0


def test_only_the_first_prompt_is_cut_off() -> None:
    assert call(openrlhf_reward(grade), PROMPT + "72", label=PROMPT + "72")["rewards"] == 1.0


def test_a_prompt_that_the_tokenizer_normalised_is_cut_off() -> None:
    prompt = "cafe\N{COMBINING ACUTE ACCENT}: "
    query = "caf\N{LATIN SMALL LETTER E WITH ACUTE}: 72"
    assert openrlhf_reward(grade)([query], [prompt], ["72"])["rewards"] == 1.0


def test_a_truncated_prompt_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"--data\.max_len"):
        openrlhf_reward(grade)([PROMPT[5:] + "72"], [PROMPT], ["72"])


@pytest.mark.parametrize("size", [0, 2])
def test_more_or_less_than_one_response_is_an_error(size: int) -> None:
    with pytest.raises(ValueError, match="one response a call"):
        openrlhf_reward(grade)([PROMPT + "72"] * size, [PROMPT] * size, ["72"] * size)


def test_scores_are_the_same_in_any_order() -> None:
    texts = ["72", "71", "", "72<|im_end|>"]
    reward = openrlhf_reward(grade)
    scores = [call(reward, text)["rewards"] for text in texts]
    assert [call(reward, text)["rewards"] for text in texts[::-1]] == scores[::-1]


def test_an_error_is_logged_because_openrlhf_hides_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(openrlhf_reward(broken), "72")
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "broken failed" in record.getMessage()


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        ("", LookupError, "--data.label_key"),
        (72, TypeError, "int 72"),
        (None, TypeError, "None"),
        ({"solution": "72"}, LookupError, "no column 'answer'"),
    ],
)
def test_a_label_that_cannot_be_read_is_an_error(
    label: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(openrlhf_reward(grade), "72", label)


def test_a_reward_model_needs_no_label() -> None:
    def model(response: str) -> Outcome:
        return Outcome(-1.5, Reason.SCORED)

    openrlhf_reward(model).check([{"input": "Question?"}])
    assert call(openrlhf_reward(model), "72", "")["rewards"] == -1.5


def test_a_data_set_is_checked_before_training() -> None:
    openrlhf_reward(grade).check([{"answer": "72"}, {"answer": ["72", "72.0"]}])
    openrlhf_reward(grade).check([{"label": "72"}], label_key="label")
    openrlhf_reward(grade_with_question).check([{"x": {"question": "?", "answer": "72"}}], "x")
    with pytest.raises(LookupError, match="row 1: no column 'answer'"):
        openrlhf_reward(grade).check([{"answer": "72"}, {"solution": "72"}])
    with pytest.raises(LookupError, match="row 0: the label is empty"):
        openrlhf_reward(grade).check([{"answer": ""}])
    with pytest.raises(TypeError, match="row 0: grade_with_question reads answer and question"):
        openrlhf_reward(grade_with_question).check([{"answer": "72"}])
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int"):
        openrlhf_reward(grade).check([{"answer": 72}])
    with pytest.raises(LookupError, match="no rows"):
        openrlhf_reward(grade).check([])


def test_one_column_cannot_be_both() -> None:
    with pytest.raises(ValueError, match="the same column"):
        openrlhf_reward(grade_with_question, reference="x", question="x")


# --- The server -----------------------------------------------------------------------------------


def served(
    work: Callable[[TestClient[Any, Any]], Awaitable[Any]],
    grader: Any = grade,
    token: str | None = "",
) -> Any:
    async def run() -> Any:
        server = TestServer(make_app(openrlhf_reward(grader), token))
        async with TestClient(server) as client:
            return await work(client)

    return asyncio.run(run())


def body(response: str, label: Any = "72") -> dict[str, list[Any]]:
    return {"query": [PROMPT + response], "prompts": [PROMPT], "labels": [label]}


async def answer(response: ClientResponse) -> tuple[int, Any]:
    return response.status, json.loads(await response.text())


@pytest.mark.parametrize(
    ("response", "reward"), [("72", 1.0), ("72<|im_end|>", 1.0), ("71", 0.0), ("lost", None)]
)
def test_the_server_gives_what_the_function_gives(response: str, reward: float | None) -> None:
    async def work(client: TestClient[Any, Any]) -> Any:
        return await answer(await client.post("/get_reward", json=body(response)))

    status, result = served(work)
    assert status == 200
    assert result["rewards"] == reward
    assert math.isnan(result["scores"]) if reward is None else result["scores"] == result["rewards"]


def test_the_server_grades_many_at_once() -> None:
    waiting = threading.Barrier(4, timeout=10)  # passed by four synchronous graders together

    def slow(response: str) -> Outcome:
        waiting.wait()
        return Outcome(float(response), Reason.SCORED)

    async def work(client: TestClient[Any, Any]) -> Any:
        posts = (client.post("/get_reward", json=body(str(i))) for i in range(4))
        return [(await answer(response))[1]["rewards"] for response in await asyncio.gather(*posts)]

    assert served(work, slow) == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected JSON"),
        (b"[1]", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (json.dumps({"query": ["a"], "prompts": ["a"]}).encode(), "expected JSON"),
        (json.dumps(body("72") | {"query": "text"}).encode(), "expected JSON"),
        (json.dumps(body("72") | {"query": [None]}).encode(), "expected JSON"),
        (json.dumps(body("72") | {"prompts": ["other"]}).encode(), "does not begin"),
        (json.dumps(body("72") | {"labels": []}).encode(), "one response a call"),
        (json.dumps(body("72", label="")).encode(), "--data.label_key"),
        (json.dumps(body("72", label=72)).encode(), "int 72"),
    ],
)
def test_a_bad_request_is_told_and_logged(
    data: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(client: TestClient[Any, Any]) -> Any:
        return await answer(await client.post("/get_reward", data=data))

    status, result = served(work)
    assert status == 400
    assert message in result["error"]
    assert message in caplog.text


def test_a_request_that_is_too_long_is_refused() -> None:
    async def work(client: TestClient[Any, Any]) -> Any:
        return await answer(await client.post("/get_reward", data=b" " * (MAX_BODY + 1)))

    status, result = served(work)
    assert status == 413
    assert "exceed" in result["error"].lower()


def test_a_long_response_is_graded() -> None:
    async def work(client: TestClient[Any, Any]) -> Any:
        return await answer(await client.post("/get_reward", json=body("7" * 2**22)))

    assert served(work)[1]["rewards"] == 0.0


def test_a_grader_that_fails_is_an_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    def broken(response: str) -> Outcome:
        raise ZeroDivisionError("oops")

    async def work(client: TestClient[Any, Any]) -> Any:
        return await answer(await client.post("/get_reward", json=body("72")))

    status, result = served(work, broken)
    assert status == 500
    assert "ZeroDivisionError: oops" in result["error"]
    assert "in broken" in caplog.text


def test_an_unknown_path_is_not_found_and_health_is_ok() -> None:
    async def work(client: TestClient[Any, Any]) -> Any:
        return [await answer(await client.get(path)) for path in ("/", "/health")]

    (missing, error), health = served(work)
    assert missing == 404
    assert "error" in error
    assert health == (200, {"status": "ok"})


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f":{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer secret", 200),
        (basic("secret"), 200),
        ("", 401),
        ("Bearer other", 401),
        (basic("other"), 401),
        ("Basic ???", 401),
        ("Basic", 401),
    ],
)
def test_a_token_is_asked_for(header: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")

    async def work(client: TestClient[Any, Any]) -> Any:
        headers = {"Authorization": header} if header else {}
        return (await client.post("/get_reward", json=body("72"), headers=headers)).status

    assert served(work, token=None) == status


def test_the_snippet_loads_and_another_file_does_not(tmp_path: Path) -> None:
    assert call(load_reward(SNIPPET), "The answer is 72.", "#### 72")["rewards"] == 1.0
    (tmp_path / "empty.py").write_text("")
    for path in (tmp_path / "empty.py", tmp_path / "reward.txt"):
        with pytest.raises(ValueError, match=r"reward_func|no Python file"):
            load_reward(path)


def test_an_address_of_others_needs_a_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    for host in ("0.0.0.0", "::", "example.org"):
        with pytest.raises(SystemExit):
            main([str(SNIPPET), "--host", host])
        assert TOKEN_VARIABLE in capsys.readouterr().err


def test_the_server_starts_from_the_command_line() -> None:
    command = [sys.executable, "-m", "examples.training.serve_openrlhf", str(SNIPPET)]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")

        async def post() -> Any:
            async with ClientSession() as session:
                return await answer(await session.post(url, json=body("#### 72")))

        assert asyncio.run(post())[1]["rewards"] == 1.0
    finally:
        process.terminate()
        process.wait(10)
