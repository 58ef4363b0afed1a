"""A judge's replies, recorded once and played back: tests and notebooks without a server.

    transport = RecordedReplies("replies.jsonl")
    client = AsyncOpenAI(base_url=..., api_key="none", http_client=AsyncClient(transport=transport))

It takes the place of the network below the client, so all else is real. A request that was not
recorded is an error, never a guess; `RecordedReplies(path, record=True)` asks the server and adds
what is new to the file. One JSON object a line: the request's body, without its headers and so
without your key, and the reply.

Needs httpx2, which openai 3.x brings.
"""

import json
from pathlib import Path
from typing import Any

import httpx2

__all__ = ["RecordedReplies"]


class RecordedReplies(httpx2.AsyncBaseTransport):
    """Plays back, or with `record=True` asks the server and writes down what is new.

    Raises:
        LookupError: a request is not in the file, and is not to be recorded.
    """

    def __init__(self, path: str | Path, record: bool = False) -> None:
        self.path = Path(path)
        self._server = httpx2.AsyncHTTPTransport() if record else None
        self._replies: dict[str, Any] = {}
        if self.path.exists():
            with self.path.open(encoding="utf-8") as lines:  # splitlines would cut at U+2028 too
                for row in map(json.loads, lines):
                    self._replies[_key(row["request"])] = row["reply"]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(await request.aread())
        key = _key(body)
        if key not in self._replies:
            if self._server is None:
                raise LookupError(
                    f"{self.path.name} holds no reply to this request; record it with a server "
                    f"running. Its last message: {body['messages'][-1]['content'][-300:]!r}"
                )
            response = await self._server.handle_async_request(request)
            reply = json.loads(await response.aread())
            if response.status_code != 200:
                return httpx2.Response(response.status_code, json=reply)
            self._replies[key] = _slim(reply)
            row = {"request": body, "reply": self._replies[key]}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return httpx2.Response(200, json=self._replies[key])


def _slim(reply: dict[str, Any]) -> dict[str, Any]:
    """What a judge reads: without times and names, and log-probabilities to five digits."""
    for choice in reply["choices"]:
        for token in (choice.get("logprobs") or {}).get("content") or []:
            token["top_logprobs"] = [_token(one) for one in token["top_logprobs"]]
            token |= _token(token)
            for name in token.keys() - {"token", "logprob", "top_logprobs"}:
                del token[name]
    return {name: reply[name] for name in ("choices", "usage")}


def _token(one: dict[str, Any]) -> dict[str, Any]:
    return {"token": one["token"], "logprob": round(one["logprob"], 5)}


def _key(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)
