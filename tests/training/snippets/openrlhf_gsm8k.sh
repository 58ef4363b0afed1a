python -m openrlhf.cli.train_ppo_ray \
  --actor.model_name_or_path Qwen/Qwen2.5-0.5B-Instruct \
  --data.prompt_dataset gsm8k_train.jsonl \
  --data.input_key question \
  --data.label_key answer \
  --data.apply_chat_template \
  --reward.remote_url openrlhf_gsm8k.py \
  --rollout.n_samples_per_prompt 8 \
  --algo.advantage.estimator group_norm \
  --algo.dynamic_filtering_enable
