"""Reward for OpenRLHF: `--reward.remote_url openrlhf_gsm8k.py --data.label_key answer`."""

from examples.rule_based.gsm8k import grade
from examples.training.openrlhf_adapter import openrlhf_reward

reward_func = openrlhf_reward(grade, reference="answer")
