"""The same reward with a deadline that kills, in AReaL: the workflow's path changes too.

workflow="examples.training.areal_adapter.AwaitingWorkflow",
workflow_kwargs={"reward_fn": "areal_deadline.reward_fn", ...}
"""

from examples.deadlines.async_reward import AsyncRewardWrapper
from examples.rule_based.gsm8k import grade
from examples.training.areal_adapter import areal_reward_fn

reward_fn = AsyncRewardWrapper(areal_reward_fn(grade, reference="answer"), timeout_seconds=15)
