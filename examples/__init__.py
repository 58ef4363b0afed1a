"""Reward functions to copy: one folder a chapter, and `outcome.py` beside them."""
