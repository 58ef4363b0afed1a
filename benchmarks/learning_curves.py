"""What a small policy learns from each reward of the book, and from rewards that are broken.

    python -m benchmarks.learning_curves --work curves

Each run teaches a small policy the format with its seed, then trains it for 160 steps of GRPO
(`examples.training.train_gsm8k_grpo`, TRL) from one reward. What is measured is always the share of 200 unseen
problems that the book's grader scores 1.0. A finished run is a line of
`benchmarks/results/learning_curves.jsonl`; those that are there already are not run again. A run takes about a
minute on one core.

The rewards:

- `rules`: `gsm8k.grade`.
- `critic`: a critic trained by `train_critic`, from the taught policy's own body, on 4,000 pairs: a right demonstration
  against a wrong one, and against one that is cut, miscalculated or without its working. 0.0 to 1.0: its logit through
  the logistic function. With a KL term of weight 0.8, as is usual with a learned reward.
- `critic-free`: the same without the KL term.
- `judge`: a judge of the generative chapter with its deterministic tier alone, asynchronous: what the rules
  do not find equal to the reference is wrong.
- `combined`: the rules, plus 0.2 times the critic, less 0.2 at most for length.
- `naive`: right if the reference is among the numbers of the response.
- `zero-N`, `abstain-N`: `rules`, but N% of the calls fail, at random; what fails scores 0.0, or abstains.
- `deadline-zero`, `deadline-abstain`: 1.0 for right, -1.0 for wrong, and a deadline that every response of more than two
  lines misses: it scores 0.0, or abstains.
"""

import argparse
import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from examples.critic_like.alignment_critic import Critic
from examples.generative.base_judge import BaseJudge, Reply
from examples.rule_based import gsm8k
from examples.shared.outcome import Outcome, Reason
from examples.training.column_grader import Grade
from examples.training.combine import overlong_penalty, shape, weighted_sum
from examples.training.small_policy import teach_format
from examples.training.train_gsm8k_grpo import Settings, small_data, train
from examples.training.word_problems import demonstrate, make_problems

RESULTS = Path(__file__).parent / "results" / "learning_curves.jsonl"
SHARES = (5, 20, 50)
REWARDS = (
    "rules",
    "critic",
    "critic-free",
    "judge",
    "combined",
    "naive",
    *(f"{kind}-{share}" for share in SHARES for kind in ("zero", "abstain")),
    "deadline-zero",
    "deadline-abstain",
)


def naive(response: str, reference: str) -> Outcome:
    """The reward that is hacked: any number of the response counts."""
    answer = reference.removeprefix("#### ")
    found = answer in re.findall(r"-?\d+", response)
    return Outcome(float(found), Reason.CORRECT if found else Reason.WRONG)


def faulty(share: float, seed: int, abstains: bool) -> Grade:
    """`gsm8k.grade`, of which a share of the calls fails, as an unreachable judge does."""
    rng = random.Random(seed)

    def grade(response: str, reference: str) -> Outcome:
        if rng.random() >= share:
            return gsm8k.grade(response, reference)
        if abstains:
            return Outcome(None, Reason.JUDGE_UNREACHABLE, "made to fail")
        return Outcome(0.0, Reason.WRONG, "made to fail")

    return grade


def late(abstains: bool) -> Grade:
    """Right 1.0, wrong -1.0; what has more than two lines misses the deadline."""

    def grade(response: str, reference: str) -> Outcome:
        if response.count("\n") > 1:
            if abstains:
                return Outcome(None, Reason.TIMED_OUT, "more than two lines")
            return Outcome(0.0, Reason.SCORED, "more than two lines")
        outcome = gsm8k.grade(response, reference)
        return Outcome(2 * outcome.require_score() - 1, outcome.reason)

    return grade


class RulesJudge(BaseJudge):
    """The judge without a model: what its rules leave open is wrong, since numbers have no synonyms."""

    async def _ask(self, messages: list[dict[str, str]]) -> Reply:
        return Reply(False, None)

    async def grade_number(self, question: str, response: str, reference: str) -> Outcome:
        """Judge the number that the response states."""
        answer = gsm8k.extract_answer(response)
        return await self.grade(question, answer or "", reference.removeprefix("#### "))


def make_critic(taught: Path, folder: Path, seed: int) -> Critic:
    """Train a critic on pairs, with the command that readers use."""
    if not (folder / "model.safetensors").exists():
        pairs = folder.with_suffix(".jsonl")
        lines = "".join(json.dumps(pair) + "\n" for pair in _pairs(seed))
        pairs.write_text(lines, encoding="utf-8")
        options = f"--learning-rate 1e-3 --epochs 6 --seed {seed}".split()
        command = [sys.executable, "-m", "examples.critic_like.train_critic", *options]
        command += ["--base", str(taught), "--pairs", str(pairs), "--out", str(folder)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return Critic.load(str(folder), device="cpu")


def _pairs(seed: int) -> Iterator[dict[str, str]]:
    rng = random.Random(seed)
    for problem in make_problems(2000, seed=0):
        kinds: dict[float | None, str] = {}
        while len(kinds) < 2:
            response = demonstrate(problem, rng)
            kinds[gsm8k.grade(response, problem.answer).score] = response
        yield {"prompt": problem.question, "chosen": kinds[1.0], "rejected": kinds[0.0]}
        broken = _broken(kinds[1.0], rng)
        yield {"prompt": problem.question, "chosen": kinds[1.0], "rejected": broken}


def _broken(response: str, rng: random.Random) -> str:
    """A response as a policy may come to write it: cut, without its working, or miscalculated."""
    *working, answer = response.split("\n")
    return rng.choice(
        (
            answer,
            "\n".join(working),
            response[: rng.randrange(1, len(response))],
            "\n".join([*working, f"#### {rng.randrange(82)}"]),
            "\n".join([*working, *working, answer]),
            re.sub(r"= \d+", lambda _: f"= {rng.randrange(82)}", response),
        )
    )


def make_grade(reward: str, seed: int, taught: Path, work: Path) -> Grade:
    """Return the grader for a reward's name."""
    if reward == "rules":
        return gsm8k.grade
    if reward == "naive":
        return naive
    if reward == "judge":
        return RulesJudge(decoys=0).grade_number
    if reward in ("critic", "critic-free", "combined"):
        # One each, the same for a seed: two runs at a time must not write one folder.
        critic = make_critic(taught, work / f"model-{reward}-{seed}", seed)

        def by_critic(question: str, response: str) -> Outcome:
            asked = {"role": "user", "content": question}
            outcome = critic.grade([asked, {"role": "assistant", "content": response}])
            if outcome.score is None:
                return outcome
            return Outcome(1 / (1 + math.exp(-outcome.score)), Reason.SCORED)

        def combined(question: str, response: str, reference: str) -> Outcome:
            parts = [gsm8k.grade(response, reference), by_critic(question, response)]
            penalty = overlong_penalty(len(response), longest=60, buffer=40)  # characters
            return shape(weighted_sum(parts, [1.0, 0.2]), 0.2 * penalty)

        return combined if reward == "combined" else by_critic
    kind, share = reward.split("-")
    if kind == "deadline":
        return late(abstains=share == "abstain")
    return faulty(int(share) / 100, seed, abstains=kind == "abstain")


def run(reward: str, seed: int, work: Path) -> None:
    """Make one run and add its line to the results."""
    taught = work / f"taught-{seed}"
    if not (taught / "tokenizer.json").exists():
        teach_format(taught, make_problems(2000, seed=0), seed)
    rows, unseen = small_data()
    grade = make_grade(reward, seed, taught, work)
    out = work / f"{reward}-{seed}"
    settings = Settings(seed=seed, kl=0.8 if reward == "critic" else 0.0)
    points = train(taught, rows, unseen, grade, gsm8k.grade, out, settings)
    line = {
        "command": f"python -m benchmarks.learning_curves --work {work.name} --one {reward} {seed}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {name: version(name) for name in ("torch", "transformers", "trl")},
        "reward": reward,
        "seed": seed,
        "points": [asdict(point) for point in points],
    }
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def done() -> set[tuple[str, int]]:
    """Return the runs that are on record."""
    if not RESULTS.exists():
        return set()
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {(line["reward"], line["seed"]) for line in lines}


def main() -> None:
    """Make the runs that are missing, two at a time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_curves")
    parser.add_argument("--work", type=Path, required=True, help="folder for policies and critics")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--reward", action="append", choices=REWARDS, help="default: all")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a core for each")
    parser.add_argument("--one", nargs=2, metavar=("REWARD", "SEED"), help="make one run alone")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.one:
        run(options.one[0], int(options.one[1]), options.work)
        return
    found = done()
    # Seed by seed, so that an interrupted benchmark has something of each reward; the first job of a
    # seed teaches the policy that the others start from.
    for seed in range(options.seeds):
        rewards = [r for r in options.reward or REWARDS if (r, seed) not in found]
        with ThreadPoolExecutor(options.jobs) as pool:
            for reward in rewards[:1]:
                _start(reward, seed, options.work)
            list(pool.map(lambda reward: _start(reward, seed, options.work), rewards[1:]))  # noqa: B023


def _start(reward: str, seed: int, work: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.learning_curves", "--work", str(work)]
    result = subprocess.run(  # noqa: S603
        ["env", "OMP_NUM_THREADS=1", *command, "--one", reward, str(seed)],  # noqa: S607
        capture_output=True,
        text=True,
    )
    print(reward, seed, "done" if result.returncode == 0 else result.stderr[-2000:], flush=True)


if __name__ == "__main__":
    main()
