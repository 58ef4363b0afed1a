"""A judge for open answers: rules first, then a model behind any OpenAI-compatible server.

    judge = Judge(AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none"), "my-judge")
    outcome = await judge.grade("Who wrote Hamlet?", "It was Shakespeare.", "William Shakespeare")

What the policy wrote scores: 1.0 or 0.0. What happened to the judge abstains: a server that is
down, slow, over its limits or out of its mind is never a score. Temperature 0, fixed seeds and a
cache make the score a function of its inputs as far as the server is one: continuous batching
changes the last digits of logits, so near ties can flip. Grade your judge before you trust it.

The starting point was the judge of AReaL's search agent (`examples/search_agent`, AReaL 1.0).
Needs openai (3.x, written for 3.57), tenacity (9.x), tqdm.
"""

import asyncio
import email.utils
import itertools
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
)
from openai._base_client import AsyncHttpxClientWrapper  # what a client has by default
from tenacity import AsyncRetrying, retry_if_exception, wait_exception, wait_random_exponential

from ..shared.loop import submit, wait_for
from ..shared.outcome import Abstained, Outcome, Reason
from .base_judge import BaseJudge, Item, Reply
from .prompts import ENGLISH, Prompt
from .reply_cache import ReplyCache
from .verdicts import CORRECT, INCORRECT, VERDICT_SCHEMA, parse_verdict, verdict_span

__all__ = [
    "DeepResearchReward",
    "Item",
    "Judge",
    "Usage",
    "deep_research_reward_fn",
    "parse_verdict",
]

URL_VARIABLE = "JUDGE_BASE_URL"
MODEL_VARIABLE = "JUDGE_MODEL"
KEY_VARIABLE = "JUDGE_API_KEY"

_RETRY_TEMPERATURE = 0.7  # the same decoding again would give the same reply


@dataclass
class Usage:
    """What the judge has cost so far. A reply from the cache costs nothing."""

    requests: int = 0  # sent, retries included
    retries: int = 0  # after an error of the server or the network
    cached: int = 0  # replies that the cache had
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def cost(self, prompt_price: float, completion_price: float) -> float:
        """In the currency of the prices, which are for a million tokens."""
        tokens = self.prompt_tokens * prompt_price + self.completion_tokens * completion_price
        return tokens / 1_000_000


class MalformedReply(Exception):
    """The server answered, but not with a chat completion."""


class _Line(NamedTuple):
    """What belongs to one event loop: connections, and a semaphore that somebody waited for."""

    client: AsyncOpenAI
    slots: asyncio.Semaphore


class Judge(BaseJudge):
    """Asks a model behind the chat completions API.

    Args:
        client: any `AsyncOpenAI`. It is shared: never closed here, and its own retries are not
            used. Connections belong to one event loop: in a second one, such as that of another
            `asyncio.run`, the judge opens its own. It cannot where the client has an
            `http_client` of yours: then keep to one loop.
        model: the name that the server knows.
        prompt, max_characters, min_confidence, decoys, rules: as in `BaseJudge`.
        votes: how many times each question is asked, an odd number; more than half of the votes
            must agree, and the share that does is the confidence. Needs a `temperature`.
        temperature: of the votes; 0 takes the likeliest reply.
        tries: how often a vote is asked for again, with other seeds, while no verdict can be read.
        structured: ask for JSON with a schema (`response_format`). vLLM, SGLang, llama.cpp and
            OpenAI enforce it; a server that refuses it answers 400: turn it off.
        logprobs: ask for log-probabilities; with a single vote, the probability of its word
            against the other one is the confidence, where the server gives it.
        max_tokens: of a reply; a reply that is cut off or filtered, as its `finish_reason` says,
            has no verdict. Leave room for a model that thinks.
        deadline_seconds: for one vote with all its tries and retries. Waiting for its turn is not
            charged.
        timeout_seconds: for one request; then it is sent again.
        max_concurrency: votes under way at once, in each event loop that uses the judge.
        requests_per_minute: at most so many, evenly spaced.
        cache: a file for `ReplyCache`, or one that is open.
        extra_body: more fields of the request, for example
            `{"chat_template_kwargs": {"enable_thinking": False}}` for Qwen3 on vLLM.

    Attributes:
        usage: requests, retries and tokens.
        counts: outcomes by reason, as in `BaseJudge`.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        model: str,
        *,
        prompt: Prompt = ENGLISH,
        max_characters: int = 20_000,
        min_confidence: float = 0.0,
        decoys: int = 3,
        rules: bool = True,
        votes: int = 1,
        temperature: float = 0.0,
        tries: int = 3,
        structured: bool = True,
        logprobs: bool = True,
        max_tokens: int = 1024,
        deadline_seconds: float = 120.0,
        timeout_seconds: float = 60.0,
        max_concurrency: int = 32,
        requests_per_minute: float | None = None,
        cache: ReplyCache | str | Path | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(prompt, max_characters, min_confidence, decoys, rules)
        if votes < 1 or votes % 2 == 0:
            raise ValueError(f"votes must be odd, so that they can decide, not {votes}")
        if votes > 1 and temperature <= 0:
            raise ValueError("votes need a temperature above 0: without one, all are the same")
        if tries < 1 or max_concurrency < 1:
            raise ValueError("tries and max_concurrency must be at least 1")
        self.client = client.with_options(max_retries=0)  # a copy over the same connections
        self.model = model
        self.votes = votes
        self.tries = tries
        self.deadline_seconds = deadline_seconds
        self.timeout_seconds = timeout_seconds
        self.cache = ReplyCache(cache) if isinstance(cache, str | Path) else cache
        self.usage = Usage()
        self._max_concurrency = max_concurrency
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self._loops_seen = itertools.count()
        self._pause = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next_start = 0.0
        self._request: dict[str, Any] = {
            "model": model,
            "temperature": temperature,
            "max_completion_tokens": max_tokens,
            **({"logprobs": True, "top_logprobs": 5} if logprobs else {}),
            **({"response_format": _RESPONSE_FORMAT} if structured else {}),
        }
        self._extra_body = dict(extra_body or {})

    async def _ask(self, messages: list[dict[str, str]]) -> Reply:
        if self.votes == 1:
            results = [await self._vote(messages, 0)]
        else:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._vote(messages, n)) for n in range(self.votes)]
            results = [task.result() for task in tasks]
        replies = [result for result in results if isinstance(result, Reply)]
        for verdict in (True, False):
            share = sum(reply.verdict is verdict for reply in replies) / self.votes
            if share > 0.5:  # whatever the missing votes would have been
                return Reply(verdict, replies[0].confidence if self.votes == 1 else share)
        for result in results:
            if isinstance(result, Outcome):
                raise Abstained(result)
        raise AssertionError("an odd number of verdicts has a majority")

    async def _vote(self, messages: list[dict[str, str]], vote: int) -> Reply | Outcome:
        """One verdict, or the abstention that stands for it."""
        async with self._line().slots:
            await self._turn()
            try:
                async with asyncio.timeout(self.deadline_seconds):
                    for attempt in range(self.tries):
                        request = self._decoding(messages, vote, attempt)
                        if reply := await self._reply(request):
                            return reply
            except TimeoutError:
                detail = f"no reply within {self.deadline_seconds:g} s"
            except (APIError, MalformedReply) as error:
                detail = f"{type(error).__name__}: {str(error)[:200]}"
            else:
                detail = f"no verdict in {self.tries} replies"
                return Outcome(None, Reason.JUDGE_UNPARSEABLE, detail)
            return Outcome(None, Reason.JUDGE_UNREACHABLE, detail)

    def _decoding(self, messages: list[dict[str, str]], vote: int, attempt: int) -> dict[str, Any]:
        request = {**self._request, "messages": messages, "seed": vote * self.tries + attempt}
        if attempt:
            request["temperature"] = max(request["temperature"], _RETRY_TEMPERATURE)
        return request

    async def _reply(self, request: dict[str, Any]) -> Reply | None:
        """The verdict of one request, from the cache or the server; None where there is none."""
        key = request | self._extra_body
        if self.cache and (stored := self.cache.get(key)):
            self.usage.cached += 1
            return Reply(**stored)
        reply = None
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_random_exponential(multiplier=0.5, max=20) + wait_exception(_retry_after),
            reraise=True,
        ):
            with attempt:
                number = attempt.retry_state.attempt_number
                reply = await self._send(request, is_retry=number > 1)
        if reply and self.cache:
            self.cache.put(key, vars(reply))
        return reply

    async def _send(self, request: dict[str, Any], is_retry: bool) -> Reply | None:
        if is_retry:
            self.usage.retries += 1
            await self._turn()
        self.usage.requests += 1
        async with asyncio.timeout(self.timeout_seconds):  # a slow drip passes the client's own
            raw = await self._line().client.chat.completions.with_raw_response.create(
                **request, extra_body=self._extra_body
            )
        try:
            completion = json.loads(raw.content)
            tokens = completion.get("usage") or {}
            self.usage.prompt_tokens += tokens.get("prompt_tokens") or 0
            self.usage.completion_tokens += tokens.get("completion_tokens") or 0
            choice = completion["choices"][0]
            text = choice["message"]["content"]
            limit = request["max_completion_tokens"]
            cut_off = _is_cut_off(
                choice.get("finish_reason"), (tokens.get("completion_tokens") or 0) >= limit
            )
            verdict = parse_verdict(text) if isinstance(text, str) and not cut_off else None
            if verdict is None:
                return None
            return Reply(verdict, _confidence(text, choice.get("logprobs")))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise MalformedReply(f"{error!r} in {raw.text[:80]!r}") from error

    def _line(self) -> _Line:
        """The client and the slots of the loop that runs."""
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            for other in list(self._lines):
                if other.is_closed():
                    self._lines.pop(other, None)
            client = self.client
            # The first loop has the client itself. One of openai's own making has its like; what
            # an http_client of the reader's is set to, nobody can tell.
            if next(self._loops_seen) and isinstance(client._client, AsyncHttpxClientWrapper):
                client = client.copy(http_client=DefaultAsyncHttpxClient())
            self._lines[loop] = _Line(client, asyncio.Semaphore(self._max_concurrency))
        return self._lines[loop]

    async def _turn(self) -> None:
        """Wait until the next request may start."""
        now = time.monotonic()
        self._next_start = max(self._next_start, now)
        wait = self._next_start - now
        self._next_start += self._pause
        if wait > 0:
            await asyncio.sleep(wait)


_RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "verdict", "strict": True, "schema": VERDICT_SCHEMA},
}


# What servers say of a reply that is not whole: OpenAI and what is compatible with it, vLLM, SGLang,
# Mistral, DeepSeek, GLM, and gateways that pass the words of Anthropic, Gemini, Cohere, Bedrock on.
_NOT_WHOLE = frozenset(
    # cut off
    "length max_tokens max_length model_length context_length model_context_window_exceeded "
    "insufficient_system_resource timeout incomplete pause_turn "
    # filtered
    "content_filter content_filtered guardrail_intervened safety recitation blocklist sensitive "
    "prohibited_content spii refusal error_toxic "
    # broken off
    "abort aborted cancelled canceled user_cancel error error_limit network_error "
    # it goes on elsewhere
    "tool_calls tool_use function_call".split()
)


def _is_cut_off(finish_reason: object, at_the_limit: bool) -> bool:
    """Whether the server says that a reply was cut off, filtered or not the last word.

    Names of a reply's end are many (`stop`, `eos`, `eos_token`, null): all others are taken for
    one, since `parse_verdict` reads only what is whole. But where the server does not say `stop`,
    a reply `at_the_limit` of tokens is taken to be cut off.
    """
    if finish_reason == "stop":
        return False
    word = "" if finish_reason is None else finish_reason
    return not isinstance(word, str) or word.lower() in _NOT_WHOLE or at_the_limit


def _is_passing(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, APIStatusError):
        return error.status_code in (408, 429) or error.status_code >= 500
    return isinstance(error, APIConnectionError | MalformedReply | TimeoutError)


def _retry_after(error: BaseException) -> float:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3), else 0."""
    if not isinstance(error, APIStatusError):
        return 0.0
    value = error.response.headers.get("retry-after", "")
    with suppress(ValueError):
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    with suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return 0.0


def _confidence(text: str, logprobs: Any) -> float | None:
    """Probability of the verdict's word against the other word, from the tokens that spell it."""
    span = verdict_span(text)
    tokens = (logprobs or {}).get("content") or []
    written = "".join(token["token"] for token in tokens)
    offset = written.rfind(text)  # a server may keep a fence or its thoughts out of the text
    if span is None or offset < 0:
        return None
    start, end = offset + span[0], offset + span[1]
    other = INCORRECT if written[start:end].lower() == CORRECT else CORRECT
    total, at, others = 0.0, 0, 0.0
    for token in tokens:
        before, at = at, at + len(token["token"])
        if before < end and at > start:
            total += token["logprob"]
            if before <= start:
                lead = written[before:start]
                for rival in token.get("top_logprobs") or []:
                    word = rival["token"].removeprefix(lead)
                    if word and other.startswith(word) and rival["token"] != token["token"]:
                        others += math.exp(rival["logprob"])
    own = math.exp(total)
    return own / (own + others)


# --- The reward function -----------------------------------------------------------------------


class DeepResearchReward:
    """A reward function in AReaL's signature, and an async form, over one judge for each process.

    Cheap to build and to pickle: the judge is made at the first call. It lives in an event loop of
    its own, in a thread, so that all calls of the process share its connections and its limits,
    whatever loop or thread they come from.

    Args:
        base_url: of the server, with `/v1`; by default `JUDGE_BASE_URL`.
        model: by default `JUDGE_MODEL`.
        options: of `Judge`; `cache` as a path.

    The key is read from `JUDGE_API_KEY` in the process that calls, and never pickled. Data decide
    none of these.
    """

    def __init__(
        self, base_url: str | None = None, model: str | None = None, **options: Any
    ) -> None:
        self.base_url = base_url
        self.model = model
        self.options = options

    def __call__(
        self,
        /,  # a data set may have a column named self
        prompt: str,
        completions: str,
        prompt_ids: list[int] | None = None,
        completion_ids: list[int] | None = None,
        *,
        question: str,
        answer: str | Sequence[str],
        **columns: Any,
    ) -> float:
        """Score one completion.

        Args:
            completions: the response, one string.
            question: the column with the question alone, without the policy's template.
            answer: the column with the reference answer, or several.
            prompt, prompt_ids, completion_ids, columns: never looked at.

        Raises:
            Abstained: no score was measured.
            RuntimeError: `JUDGE_BASE_URL` or `JUDGE_MODEL` is not set, nor given.
        """
        return wait_for(self._grade(question, completions, answer)).require_score()

    async def run(
        self,
        /,
        prompt: str,
        completions: str,
        prompt_ids: list[int] | None = None,
        completion_ids: list[int] | None = None,
        *,
        question: str,
        answer: str | Sequence[str],
        **columns: Any,
    ) -> float:
        """The same, awaited: for a workflow that is asynchronous itself."""
        outcome = await asyncio.wrap_future(submit(self._grade(question, completions, answer)))
        return outcome.require_score()

    async def _grade(self, question: str, response: str, reference: str | Sequence[str]) -> Outcome:
        return await self.judge().grade(question, response, reference)

    def judge(self) -> Judge:
        """The judge of this process. Called in the loop's thread alone, so one is made."""
        base_url = self.base_url or _variable(URL_VARIABLE)
        model = self.model or _variable(MODEL_VARIABLE)
        key = (base_url, model, repr(sorted(self.options.items())))
        if key not in _judges:
            client = AsyncOpenAI(base_url=base_url, api_key=os.environ.get(KEY_VARIABLE, "none"))
            _judges[key] = Judge(client, model, **self.options)
        return _judges[key]


deep_research_reward_fn = DeepResearchReward()
"""AReaL's reward signature; `JUDGE_BASE_URL`, `JUDGE_MODEL`, `JUDGE_API_KEY` say who judges."""

_judges: dict[tuple[str, str, str], Judge] = {}
# A forked child has no right to its parent's connections.
os.register_at_fork(after_in_child=_judges.clear)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"{name} is not set: export it, or give DeepResearchReward the argument")
    return value
