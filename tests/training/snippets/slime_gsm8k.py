"""Reward for slime: `--custom-rm-path slime_gsm8k.reward` and the options of slime_gsm8k.sh."""

from examples.rule_based.gsm8k import grade
from examples.training.slime_adapter import keep_measured, slime_reward

reward = slime_reward(grade)
keep_group = keep_measured()
