"""GRPO with TRL, from any grader of the book: one command, and a curve of unseen problems.

    python -m examples.training.train_gsm8k_grpo --out run

trains a small policy on a CPU: it is first taught to write answers to small word problems, not which
calculation they ask for; then the reward teaches that. On a GPU, a real one, on GSM8K from the hub:

    python -m examples.training.train_gsm8k_grpo --out run \\
        --model Qwen/Qwen2.5-0.5B-Instruct --data openai/gsm8k

In `--out`: `curve.jsonl`, a line for each measurement; `curve.svg`; TensorBoard's files; TRL's
checkpoints. Interrupted, the same command goes on from the last checkpoint.

The reward is `--grade`, a grader as `module:function`, `examples.rule_based.gsm8k:grade` by default. What the
curve measures is always `--measure`, so that it can be compared between rewards. Both are the operator's
choice; data cannot name them.

Needs datasets, matplotlib, tensorboard, torch, transformers and trl (checked with TRL 1.16.0). GRPO: Shao et al. 2024,
arXiv:2402.03300; TRL's default loss is DAPO's, Yu et al. 2025, arXiv:2503.14476.
"""

import argparse
import functools
import importlib
import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset, load_dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
)
from transformers.trainer_utils import get_last_checkpoint
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from ..shared.outcome import Abstained
from .column_grader import ColumnGrader, Grade
from .small_policy import teach_format
from .trl_adapter import trl_reward
from .word_problems import make_problems

__all__ = ["Point", "Row", "Settings", "load_grade", "main", "plot", "small_data", "train"]

logger = logging.getLogger(__name__)

Row = dict[str, Any]
"""`prompt`, a list of messages; `question` and `answer`, strings."""

INSTRUCTION = "\nReason step by step. End with #### and the number alone."


@dataclass(frozen=True)
class Settings:
    """What is trained, and how long. The defaults suit the small policy.

    Args:
        steps: optimiser steps.
        prompts: of each step.
        generations: responses to each prompt, one group.
        learning_rate: constant.
        kl: weight of the divergence from the policy as it was at the start, TRL's `beta`.
        longest_response: tokens.
        measure_every: steps between two measurements on the unseen problems.
        save_every: steps between two checkpoints, a multiple of that; the last two are kept.
        seed: of the sampling and of the order of the prompts.

    Raises:
        ValueError: a number is not positive, or `save_every` is no multiple of `measure_every`.
    """

    steps: int = 160
    prompts: int = 16
    generations: int = 8
    learning_rate: float = 5e-4
    kl: float = 0.0
    longest_response: int = 40
    measure_every: int = 10
    save_every: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "prompts", "generations", "measure_every", "save_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.save_every % self.measure_every:  # a checkpoint holds no half of a measurement
            raise ValueError(
                f"save_every, {self.save_every}, must be a multiple of measure_every, "
                f"{self.measure_every}"
            )


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement, a line of `curve.jsonl`.

    Args:
        step: optimiser steps so far.
        accuracy: share of the unseen problems whose greedy response the measure scores 1.0.
        length: mean tokens of these responses.
        reward: the mean reward since the last measurement; None before the first step.
        abstained: the share of abstentions since then.
        no_variance: the share of groups whose rewards were all equal.
        response: to the first of the unseen problems: read some, whatever the numbers say.
    """

    step: int
    accuracy: float
    length: float
    reward: float | None = None
    abstained: float | None = None
    no_variance: float | None = None
    response: str = ""


def train(
    policy: str | Path,
    rows: Sequence[Row],
    unseen: Sequence[Row],
    grade: Grade,
    measure: Grade,
    out: str | Path,
    settings: Settings = Settings(),
) -> list[Point]:
    """Train a policy with GRPO from a reward, and return its curve.

    Args:
        policy: folder or hub name of a causal language model with a chat template.
        rows: the problems to train on; `unseen`: those to measure on.
        grade: the reward.
        measure: what the curve shows; a synchronous grader, which may not abstain.
        out: folder of the curve, the checkpoints and TensorBoard's files. If it holds a
            checkpoint, training goes on from there; if it holds the last one, nothing is done.

    Raises:
        LookupError, TypeError, ValueError: a row or a grader does not fit; nothing was trained.
        Abstained: the measure did.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    reward: Any = trl_reward(grade)  # TRL's type admits functions of its own names only
    reward.check(rows)
    measuring = ColumnGrader(measure)
    if measuring.is_async:
        raise TypeError(f"{measuring.name} is async: measure with a synchronous grader")
    measuring.check_rows(unseen)
    checkpoint = get_last_checkpoint(str(out))
    if checkpoint and int(checkpoint.rpartition("-")[2]) >= settings.steps:
        return read_curve(out / "curve.jsonl")
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    cuda = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        policy, dtype=torch.bfloat16 if cuda else torch.float32, use_safetensors=True
    )
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(out / "tensorboard")
    curve = Curve(out / "curve.jsonl", tokenizer, unseen, measuring, settings, reward.__name__)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tokenizer,
        callbacks=[curve],
        args=GRPOConfig(
            output_dir=str(out),
            max_steps=settings.steps,
            per_device_train_batch_size=settings.prompts * settings.generations,
            num_generations=settings.generations,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="constant",
            beta=settings.kl,
            max_completion_length=settings.longest_response,
            save_steps=settings.save_every,
            save_total_limit=2,
            logging_steps=1,
            seed=settings.seed,
            bf16=cuda,
            use_cpu=not cuda,
            activation_checkpointing=cuda,
            report_to="tensorboard",
        ),
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.save_model(str(out / "policy"))
    return curve.points


class Curve(TrainerCallback):
    """Measures the policy on unseen problems, and keeps what TRL logs beside it."""

    def __init__(
        self,
        file: Path,
        tokenizer: PreTrainedTokenizerBase,
        unseen: Sequence[Row],
        measure: ColumnGrader,
        settings: Settings,
        name: str,
    ) -> None:
        self.file = file
        self.tokenizer = tokenizer
        self.unseen = unseen
        self.measure = measure
        self.settings = settings
        self.name = name
        self.points: list[Point] = []
        self.logged: list[dict[str, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take up the curve where the checkpoint was made; measure before the first step."""
        known = read_curve(self.file) if state.global_step else []
        self.points = [point for point in known if point.step <= state.global_step]
        self._write()
        if not self.points:
            self._measure(state.global_step, kwargs["model"])

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Keep the numbers of one step; TRL logs after `on_step_end`."""
        if "reward" in logs:
            self.logged.append(logs)
            if state.global_step % self.settings.measure_every == 0:
                self._measure(state.global_step, kwargs["model"])

    @torch.inference_mode()
    def _measure(self, step: int, model: PreTrainedModel) -> None:
        model.eval()
        texts: list[str] = []
        lengths: list[int] = []
        for start in range(0, len(self.unseen), 256):
            encode: Any = self.tokenizer.apply_chat_template
            batch = encode(
                [row["prompt"] for row in self.unseen[start : start + 256]],
                add_generation_prompt=True,
                padding=True,
                return_tensors="pt",
                return_dict=True,
            ).to(model.device)
            generate: Any = model.generate
            made = generate(**batch, do_sample=False, max_new_tokens=self.settings.longest_response)
            made = made[:, batch["input_ids"].shape[1] :]
            texts += self.tokenizer.batch_decode(made, skip_special_tokens=True)
            lengths += (made != self.tokenizer.pad_token_id).sum(1).tolist()
        model.train()
        outcomes = [self.measure(text, row) for text, row in zip(texts, self.unseen, strict=True)]
        if lost := [outcome for outcome in outcomes if outcome.score is None]:
            raise Abstained(lost[0])  # the accuracy over what is left would be another one
        right = sum(outcome.score == 1.0 for outcome in outcomes)
        self.points.append(
            Point(
                step,
                round(right / len(outcomes), 4),
                round(sum(lengths) / len(lengths), 2),
                self._mean(f"rewards/{self.name}/mean"),
                self._mean(f"abstained/{self.name}"),
                self._mean("frac_reward_zero_std"),
                texts[0],
            )
        )
        self.logged.clear()
        self._write()

    def _mean(self, key: str) -> float | None:
        logged = [logs.get(key) for logs in self.logged]  # None or NaN where all abstained
        values = [value for value in logged if value is not None and not math.isnan(value)]
        return round(sum(values) / len(values), 4) if values else None

    def _write(self) -> None:
        lines = "".join(json.dumps(asdict(point)) + "\n" for point in self.points)
        self.file.write_text(lines, encoding="utf-8")


def read_curve(file: Path) -> list[Point]:
    """Return the points of a `curve.jsonl`; none if there is no such file."""
    if not file.exists():
        return []
    return [Point(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


# --- The command -------------------------------------------------------------------------------


def load_grade(name: str) -> Grade:
    """Return the grader that `module:function` names.

    Raises:
        ValueError: the name has no colon, or the module no such function.
        ModuleNotFoundError: there is no such module.
    """
    module, colon, path = name.partition(":")
    if not colon:
        raise ValueError(f"{name!r} is not of the form module:function")
    try:
        found: Any = importlib.import_module(module)
        found = functools.reduce(getattr, path.split("."), found)
    except AttributeError as error:
        raise ValueError(f"{name!r}: {error}") from None
    return cast(Grade, found)


def small_data(train_size: int = 2000, unseen_size: int = 200) -> tuple[list[Row], list[Row]]:
    """Return the word problems as rows: to train on, and unseen."""
    problems = make_problems(train_size, seed=0)
    unseen = make_problems(unseen_size, seed=1, unlike=problems)
    return (
        [_row(problem.question, problem.answer) for problem in problems],
        [_row(problem.question, problem.answer) for problem in unseen],
    )


def _row(question: str, answer: str, instruction: str = "") -> Row:
    prompt = [{"role": "user", "content": question + instruction}]
    return {"prompt": prompt, "question": question, "answer": answer}


def _load(data: str, split: str) -> list[Row]:
    """GSM8K's columns, from the hub or from `<data>/<split>.jsonl`."""
    if Path(data).is_dir():
        rows: Iterable[Any] = load_dataset(
            "json", data_files=str(Path(data) / f"{split}.jsonl"), split="train"
        )
    else:
        rows = load_dataset(data, "main", split=split)
    made = []
    for number, row in enumerate(rows):
        if missing := {"question", "answer"} - set(row):
            raise LookupError(
                f"{data}, {split}, row {number}: no column {min(missing)!r} "
                f"(columns: {', '.join(row)})"
            )
        made.append(_row(row["question"], row["answer"], INSTRUCTION))
    return made


def plot(points: Sequence[Point], file: str | Path) -> None:
    """Draw accuracy and reward over the steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([p.step for p in points], [p.accuracy for p in points], label="accuracy, unseen")
    if rewarded := [(p.step, p.reward) for p in points if p.reward is not None]:
        axes.plot(*zip(*rewarded, strict=True), "--", label="mean reward, training")
    axes.set_xlabel("optimiser step")
    axes.legend(frameon=False)
    figure.savefig(file)


def main(arguments: Sequence[str] | None = None) -> list[Point]:
    """Run the command; see the module's docstring, or `--help`."""
    options = _parse(arguments)
    out = Path(options.out)
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
    grade, measure = load_grade(options.grade), load_grade(options.measure)
    for grader in (grade, measure):
        ColumnGrader(grader)  # refuses now what does not fit, not after the teaching
    if options.model:
        policy = options.model
        data = options.data or "openai/gsm8k"
        rows, unseen = _load(data, "train"), _load(data, "test")
    else:
        # So small a model gains little from a second thread, and one adds up alike on any machine.
        torch.set_num_threads(1)
        policy = out / "taught"
        rows, unseen = small_data()
        if not (policy / "model.safetensors").exists():
            print("Teaching the small policy the format", flush=True)
            teach_format(policy, make_problems(2000, seed=0), seed=settings.seed)
    points = train(policy, rows, unseen[: options.unseen], grade, measure, out, settings)
    plot(points, out / "curve.svg")
    print(f"accuracy on unseen problems: {points[0].accuracy:.1%} -> {points[-1].accuracy:.1%}")
    print(f"curve: {out / 'curve.jsonl'}, {out / 'curve.svg'}; tensorboard --logdir {out}")
    return points


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.training.train_gsm8k_grpo",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", required=True, help="folder of everything that the run makes")
    parser.add_argument("--model", help="a policy of your own, folder or hub name")
    parser.add_argument(
        "--data",
        help="for --model: hub name, by default openai/gsm8k, or a folder of train.jsonl, test.jsonl",
    )
    grader = "examples.rule_based.gsm8k:grade"
    parser.add_argument("--grade", default=grader, help="the reward, module:function")
    parser.add_argument("--measure", default=grader, help="what the curve shows")
    parser.add_argument("--unseen", type=int, default=200, help="problems to measure on")
    for field in fields(Settings):
        option: Any = field.type  # int or float
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type=option,
            default=field.default,
            help="see `Settings`",
        )
    options = parser.parse_args(arguments)
    if options.data and not options.model:
        parser.error("--data is for --model: the small policy has problems of its own")
    return options


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    main()
