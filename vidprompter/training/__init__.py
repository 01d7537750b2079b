"""Training: supervised data and the trainer."""
