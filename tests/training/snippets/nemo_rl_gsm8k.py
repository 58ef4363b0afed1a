"""Environment for NeMo-RL. Call `register` in the script that starts the training."""

from examples.rule_based.gsm8k import grade
from examples.training.nemo_rl_adapter import nemo_rl_reward

reward = nemo_rl_reward(grade, reference="ground_truth")
GSM8KEnvironment = reward.environment()


def register() -> None:
    from nemo_rl.distributed import ray_actor_environment_registry as registry
    from nemo_rl.environments.utils import register_env

    name = "nemo_rl_gsm8k.GSM8KEnvironment"
    registry.ACTOR_ENVIRONMENT_REGISTRY[name] = registry.PY_EXECUTABLES.SYSTEM
    register_env("gsm8k", name)
