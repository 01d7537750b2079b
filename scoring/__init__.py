"""What judges a prompt: CLIP-like models, the built-in evaluator, a rubric, a judge model. See docs/scoring.md."""
