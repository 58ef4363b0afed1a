"""GRPO on GSM8K in AReaL: `python areal_gsm8k.py --config areal_gsm8k.yaml actor.path=...`."""

import sys

from examples.rule_based.gsm8k import grade
from examples.training.areal_adapter import areal_reward_fn

reward_fn = areal_reward_fn(grade, reference="answer")


def main(arguments: list[str]) -> None:
    from areal import PPOTrainer
    from areal.api.cli_args import GRPOConfig, load_expr_config
    from areal.dataset import get_custom_dataset
    from areal.utils.hf_utils import load_hf_tokenizer

    config, _ = load_expr_config(arguments, GRPOConfig)
    tokenizer = load_hf_tokenizer(config.tokenizer_path)
    train_dataset = get_custom_dataset("train", config.train_dataset, tokenizer)
    reward_fn.check(train_dataset)
    with PPOTrainer(config, train_dataset=train_dataset) as trainer:
        trainer.train(
            workflow="areal.workflow.rlvr.RLVRWorkflow",
            workflow_kwargs={
                "reward_fn": "areal_gsm8k.reward_fn",
                "gconfig": config.gconfig,
                "tokenizer": config.tokenizer_path,
            },
        )


if __name__ == "__main__":
    main(sys.argv[1:])
