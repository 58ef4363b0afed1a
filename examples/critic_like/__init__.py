"""Critic-like rewards: train a reward model on preference pairs, measure it, score with it."""
