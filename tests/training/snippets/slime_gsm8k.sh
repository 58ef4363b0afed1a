REWARD_ARGS=(
  --label-key answer
  --custom-rm-path slime_gsm8k.reward
  --dynamic-sampling-filter-path slime_gsm8k.keep_group
)
