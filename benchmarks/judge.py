"""Judges of open answers, side by side in one run.

    python -m benchmarks.judge --data evouna_tq.json
    python -m benchmarks.judge --data evouna_tq.json --model-sample 300
    python -m benchmarks.judge --red-team
    python -m benchmarks.judge --overhead

`--data`: human-labelled answers of five systems (EVOUNA; rows marked improper are left out). Exact
match and containment, both after normalisation, beside the rules of this chapter; kappa is that
with people. With `--model-sample`, a real small model judges so many of the answers that the rules leave open.

`--red-team`: all attacks of the book, and its honest answers, through the rules alone, this judge
with 0, 1 and 3 decoys, and with `--naive` a naive judge, with the same real model behind all.

`--overhead`: calls through the judge's client to a server that answers after a fixed time. Ideal is calls
/ concurrency * latency.

The model is SmolLM2-135M-Instruct on llama.cpp's server; `--model` takes another GGUF file.
"""

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI, BadRequestError

from examples.generative.agreement import Agreement, agreement
from examples.generative.deep_research_judge import Judge
from examples.generative.prompts import quote
from examples.generative.reply_cache import ReplyCache
from examples.generative.rules import decide
from examples.generative.tokens import tokens
from examples.shared.outcome import Outcome

SYSTEMS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")
GENERATIVE = Path(__file__).parent.parent / "examples" / "generative"

# What judges in use look like: the texts go in as they are, and the verdict is searched for.
NAIVE_PROMPT = (
    "You are a judge. Question: {question}\nReference answer: {reference}\nResponse: {response}\n"
    'Is the response correct? Answer as JSON: {{"judgement": "correct"}} or {{"judgement": "incorrect"}}.'
)


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", f"examples.generative.{module}", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def normalised(text: str) -> str:
    return " ".join(token.text for token in tokens(text))


# --- Against people --------------------------------------------------------------------------------


def against_people(path: Path, sample: int, model: list[str]) -> None:
    answers = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        if not row["improper"]:
            references = [alias for alias in row["golden_answer"].split("/") if alias.strip()]
            for system in SYSTEMS:
                answer, label = row[f"answer_{system}"], row[f"judge_{system}"]
                answers.append((row["question"], answer, references, bool(label)))
    labels = [label for *_, label in answers]
    print(f"{path.name}: {len(answers)} answers, {sum(labels) / len(labels):.1%} right\n")

    exact, contained = [], []
    for _, answer, references, _ in answers:
        given = normalised(answer)
        wanted = [normalised(reference) for reference in references]
        exact.append(float(given in wanted))
        contained.append(float(any(one and f" {one} " in f" {given} " for one in wanted)))
    start = time.perf_counter()
    decided = [decide(question, answer, references) for question, answer, references, _ in answers]
    rate = len(answers) / (time.perf_counter() - start)
    scores = [outcome.score if outcome else None for outcome in decided]

    _head()
    _row("exact match", agreement(labels, exact), len(labels))
    _row("containment", agreement(labels, contained), len(labels))
    _row(
        "containment, accepted ones alone",
        agreement(labels, [c or None for c in contained]),
        len(labels),
    )
    _row("rules, where they decide", agreement(labels, scores), len(labels))
    filled = [s if s is not None else c for s, c in zip(scores, contained, strict=True)]
    _row("rules, then containment", agreement(labels, filled), len(labels))
    print(f"\nrules: {rate:,.0f} answers a second")

    if sample:
        open_ones = [a for a, score in zip(answers, scores, strict=True) if score is None]
        chosen = random.Random(0).sample(open_ones, sample)
        with serving("serve_small_judge", "--reuse-prompt", *model) as address:
            client = AsyncOpenAI(base_url=address, api_key="none")
            judge = Judge(client, "judge", max_concurrency=1)

            async def judged() -> list[Outcome]:
                return [await judge.ask(q, a.strip(), refs) for q, a, refs, _ in chosen]

            outcomes = asyncio.run(judged())
        print(f"\n{sample} of the {len(open_ones)} answers that the rules leave open, by the model")
        _head()
        truth = [label for *_, label in chosen]
        _row("the model", agreement(truth, [o.score for o in outcomes]), sample)
        _row("always correct", agreement(truth, [1.0] * sample), sample)


def _head() -> None:
    print(f"{'':34} judged  accuracy  precision  false positives  false negatives  kappa")


def _row(name: str, found: Agreement, total: int) -> None:
    accepted = found.true_positives + found.false_positives
    precision = f"{found.precision:.2%}" if accepted else "-"
    print(
        f"{name:34} {found.judged / total:6.1%}  {found.accuracy:8.2%}  {precision:>9}"
        f"  {found.false_positives:15}  {found.false_negatives:15}  {found.kappa:5.2f}",
        flush=True,
    )


# --- Against attackers -----------------------------------------------------------------------------


def naive_score(reply: str) -> float:
    """The verdict as judges in use read it: a word, searched for; all else is wrong."""
    return float(bool(re.search(r'"judgement": ?"correct"', reply)))


def red_team(model: list[str], only: int, replies: Path | None, with_naive: bool) -> None:
    attacks = rows_of(GENERATIVE / "red_team.jsonl")
    honest = rows_of(GENERATIVE / "honest_answers.jsonl")
    if only:
        attacks, honest = random.Random(0).sample(attacks, only), honest[:only]
    rows = attacks + honest
    scores: dict[str, list[float | None]] = {}
    with (
        serving("serve_small_judge", "--reuse-prompt", *model) as address,
        tempfile.TemporaryDirectory() as folder,
    ):
        # Questions that two of the judges ask are asked once.
        cache = ReplyCache(replies or Path(folder, "replies.sqlite"))

        async def ask_naively(client: AsyncOpenAI, row: dict[str, Any]) -> float:
            reference = row["reference"]
            fields = row | {"reference": reference if isinstance(reference, str) else reference[0]}
            prompt = NAIVE_PROMPT.format(**fields)
            if stored := cache.get({"naive": prompt}):
                return float(stored["score"])
            try:
                reply = await client.chat.completions.create(
                    model="judge",
                    messages=[{"role": "user", "content": prompt}],
                    temperature=0,
                    max_completion_tokens=32,
                )
            except BadRequestError:  # too long for the model: a failure scores 0.0 there
                return 0.0
            score = naive_score(reply.choices[0].message.content or "")
            cache.put({"naive": prompt}, {"score": score})
            return score

        async def run() -> None:
            async with AsyncOpenAI(base_url=address, api_key="none") as client:
                for decoys in (0, 1, 3):
                    judge = Judge(client, "judge", max_concurrency=1, decoys=decoys, cache=cache)
                    scores[f"{decoys} decoys"] = [
                        (await judge.grade(r["question"], r["response"], r["reference"])).score
                        for r in rows
                    ]
                if with_naive:
                    scores["naive"] = [await ask_naively(client, row) for row in rows]

        asyncio.run(run())
    by_rule = [
        decide(
            row["question"],
            row["response"],
            [row["reference"]] if isinstance(row["reference"], str) else row["reference"],
        )
        for row in rows
    ]
    scores["rules alone"] = [outcome.score if outcome else None for outcome in by_rule]
    names = ["rules alone", "0 decoys", "1 decoys", "3 decoys", *(["naive"] if with_naive else [])]

    def won(name: str, chosen: Sequence[int]) -> int:
        return sum(scores[name][i] == 1.0 for i in chosen)

    print("attacks that scored 1.0\n")
    print(f"{'meant for the':13} attacks" + "".join(f"{name:>14}" for name in names))
    for defence in ("rules", "parser", "model", "all"):
        mine = [i for i, row in enumerate(attacks) if defence in (row["defence"], "all")]
        shares = "".join(f"{won(name, mine) / len(mine):14.1%}" for name in names)
        print(f"{defence:13} {len(mine):7}{shares}")
    stopped = [i for i, outcome in enumerate(by_rule[: len(attacks)]) if outcome]
    print(f"\nthe rules decide {len(stopped)} of {len(attacks)} attacks")
    print("\nby family: attacks, decided by the rules, scored 1.0 by each")
    print(f"{'':26}{'rules':>6}" + "".join(f"{name:>14}" for name in names))
    for family in dict.fromkeys(row["family"] for row in attacks):
        mine = [i for i, row in enumerate(attacks) if row["family"] == family]
        counts = "".join(f"{won(name, mine):14}" for name in names)
        print(f"{family:22} {len(mine):3}{len(set(mine) & set(stopped)):6}{counts}")

    print("\nhonest answers")
    _head()
    truth = [row["correct"] for row in honest]
    for name in names:
        _row(name, agreement(truth, scores[name][len(attacks) :]), len(truth))

    print("\nevery attack that scored 1.0 with 3 decoys (r: by rule)")
    for i, row in enumerate(attacks):
        if scores["3 decoys"][i] == 1.0:
            text = row["response"]
            shown = text if len(text) <= 90 else f"{text[:60]} [...] {text[-25:]}"
            by = "r" if scores["rules alone"][i] == 1.0 else " "
            print(f"{by} {row['family']:20} {quote(shown)}")


# --- The client's overhead ---------------------------------------------------------------------------


def overhead(calls: int, concurrency: int, latency: float) -> None:
    with serving("faulty_server", "--latency", str(latency)) as address:
        root = address.removesuffix("/v1")

        async def asked(judge: Judge, count: int) -> float:
            questions = [(f"question {n}", "an answer", ["a reference"]) for n in range(count)]
            start = time.perf_counter()
            outcomes = await asyncio.gather(*(judge.ask(*question) for question in questions))
            seconds = time.perf_counter() - start
            assert all(outcome.score == 0.0 for outcome in outcomes)
            return seconds

        async def sequential(client: AsyncOpenAI) -> float:
            seconds = 0.0
            for _ in range(calls // 40):
                seconds += await asked(Judge(client, "ok"), 1)
            return seconds * 40

        async def gathered(client: AsyncOpenAI) -> float:
            start = time.perf_counter()
            await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="ok", messages=[{"role": "user", "content": f"question {n}"}]
                    )
                    for n in range(calls)
                )
            )
            return time.perf_counter() - start

        async def judged(client: AsyncOpenAI) -> float:
            return await asked(Judge(client, "ok", max_concurrency=concurrency), calls)

        ideal = calls / concurrency * latency
        print(f"{calls} calls to a server that answers after {latency * 1000:.0f} ms")
        print(f"ideal at {concurrency} at once: {ideal:.2f} s\n")
        print(f"{'':42} seconds  of the ideal  most at once")
        ways: dict[str, Callable[[AsyncOpenAI], Awaitable[float]]] = {
            f"Judge, max_concurrency={concurrency}": judged,
            "one after the other (a fortieth, times 40)": sequential,
            "asyncio.gather, no limit": gathered,
        }
        for name, way in ways.items():

            async def run(way: Callable[[AsyncOpenAI], Awaitable[float]] = way) -> float:
                async with AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as client:
                    await asked(Judge(client, "ok", max_concurrency=concurrency), concurrency)
                    httpx2.post(f"{root}/reset")
                    return await way(client)

            seconds = asyncio.run(run())
            most = httpx2.get(f"{root}/stats").json()["most_in_flight"]
            print(f"{name:42} {seconds:8.2f}  {ideal / seconds:12.1%}  {most:12}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="evouna_tq.json, or another file of EVOUNA")
    parser.add_argument("--model-sample", type=int, default=0, help="answers for the model")
    parser.add_argument("--red-team", action="store_true")
    parser.add_argument("--naive", action="store_true", help="with the naive judge, for --red-team")
    parser.add_argument("--only", type=int, default=0, help="a sample of so many attacks")
    parser.add_argument("--replies", type=Path, help="keep the model's replies in this file")
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--calls", type=int, default=960)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds")
    parser.add_argument("--model", type=Path, help="a GGUF file")
    parser.add_argument("--threads", type=int, default=2, help="of the model's server")
    options = parser.parse_args(arguments)
    if not (options.data or options.red_team or options.overhead):
        parser.error("give --data, --red-team or --overhead")
    if options.data and not options.data.is_file():
        raise SystemExit(f"{options.data}: no such file")
    words_given = [w if "/" not in w else Path(w).name for w in sys.argv[1:]]
    print("$ python -m benchmarks.judge", *words_given)
    versions = ", ".join(f"{name} {version(name)}" for name in ("openai", "xllamacpp"))
    print(f"{time.strftime('%Y-%m-%d')}, {versions}\n")
    model = ["--model", str(options.model)] if options.model else []
    model += ["--threads", str(options.threads)]
    if options.data:
        against_people(options.data, options.model_sample, model)
    if options.red_team:
        red_team(model, options.only, options.replies, options.naive)
    if options.overhead:
        overhead(options.calls, options.concurrency, options.latency)


if __name__ == "__main__":
    main()
