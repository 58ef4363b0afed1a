"""Reward functions to copy: one folder a chapter, and `shared` beside them."""
