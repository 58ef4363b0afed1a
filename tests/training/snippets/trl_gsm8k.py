"""GRPO on GSM8K with TRL: python trl_gsm8k.py Qwen/Qwen2.5-0.5B-Instruct"""

import sys

from datasets import Dataset, load_dataset
from trl import GRPOConfig, GRPOTrainer

from examples.rule_based.gsm8k import grade
from examples.training.trl_adapter import trl_reward

reward = trl_reward(grade, reference="answer")


def main(policy: str, dataset: Dataset, config: GRPOConfig) -> None:
    dataset = dataset.map(lambda row: {"prompt": [{"role": "user", "content": row["question"]}]})
    reward.check(dataset)
    GRPOTrainer(policy, reward_funcs=reward, train_dataset=dataset, args=config).train()


if __name__ == "__main__":
    main(sys.argv[1], load_dataset("openai/gsm8k", "main", split="train"), GRPOConfig("run"))
