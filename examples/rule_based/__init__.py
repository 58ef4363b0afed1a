"""Rewards by rule: the reference decides, nothing is learned, nothing is asked."""
