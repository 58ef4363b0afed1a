"""verifiers 0.4.0 finds this module by its name: `PYTHONPATH=. vf-eval verifiers_gsm8k`."""

from collections.abc import Iterator

import datasets
import verifiers.v1 as vf

from examples.rule_based.gsm8k import grade
from examples.training.verifiers_adapter import verifiers_reward

__all__ = ["GSM8K"]

correct = verifiers_reward(grade)


class GSM8KData(vf.TaskData):
    question: str
    answer: str


class GSM8KTask(vf.Task[GSM8KData]):
    @vf.reward
    async def correct(self, trace: vf.Trace) -> float:
        return await correct(self.data, trace)


class GSM8K(vf.Taskset[GSM8KTask]):
    def load(self) -> Iterator[GSM8KTask]:
        rows = datasets.load_dataset("openai/gsm8k", "main", split="train")
        correct.check(rows)
        for row in rows:
            yield GSM8KTask(GSM8KData(prompt=row["question"], **row), self.config.task)
