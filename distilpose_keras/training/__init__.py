"""Training: schedules, strategies, checkpoints that survive, callbacks."""
