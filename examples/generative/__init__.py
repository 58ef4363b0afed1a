"""Rewards by judge: rules decide what they can, a model that was itself graded decides the rest."""
