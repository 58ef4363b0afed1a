"""swift rlhf --rlhf_type grpo --external_plugins ms_swift_gsm8k.py --reward_funcs gsm8k_by_rule --scale_rewards gdpo"""

from swift.rewards import orms

from examples.rule_based.gsm8k import grade
from examples.training.ms_swift_adapter import ms_swift_reward

orms["gsm8k_by_rule"] = ms_swift_reward(grade, reference="answer")
