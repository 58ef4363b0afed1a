"""Deadlines: a call that hangs, crashes or eats the memory costs itself and no other."""
