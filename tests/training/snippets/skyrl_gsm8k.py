"""python skyrl_gsm8k.py environment.env_class=gsm8k_by_rule trainer.algorithm.advantage_estimator=grpo_without_abstentions"""

import sys

import ray
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.utils import initialize_ray, validate_cfg

from examples.rule_based.gsm8k import grade
from examples.training.skyrl_adapter import skyrl_reward

reward = skyrl_reward(grade, reference="answer")


@ray.remote(num_cpus=1)
def entrypoint(cfg: SkyRLTrainConfig) -> None:
    reward.register("gsm8k_by_rule", cfg)
    BasePPOExp(cfg).run()


if __name__ == "__main__":
    cfg = SkyRLTrainConfig.from_cli_overrides(sys.argv[1:])
    reward.register("gsm8k_by_rule", cfg)
    validate_cfg(cfg)
    initialize_ray(cfg)
    ray.get(entrypoint.remote(cfg))
