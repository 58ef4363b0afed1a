"""verl 0.9.1: the options that load this file are in verl_gsm8k.sh."""

from examples.rule_based.gsm8k import grade
from examples.training.verl_adapter import abstaining_manager, verl_reward

reward = verl_reward(grade)
compute_score = reward.compute_score
AbstainingManager = abstaining_manager()
