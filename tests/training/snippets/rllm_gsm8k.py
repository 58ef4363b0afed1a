"""AgentTrainer(agent_flow=flow, evaluator=evaluator, ...), run with rllm.workflow.raise_on_error=false"""

from examples.rule_based.gsm8k import grade
from examples.training.rllm_adapter import rllm_evaluator

evaluator = rllm_evaluator(grade, reference="ground_truth")
