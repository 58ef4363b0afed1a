python -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  actor_rollout_ref.rollout.n=8 \
  reward.custom_reward_function.path=verl_gsm8k.py \
  reward.reward_manager.source=importlib \
  reward.reward_manager.module.path=verl_gsm8k.py \
  reward.reward_manager.name=AbstainingManager
