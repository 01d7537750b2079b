"""What the paper's seven factors of a good description (section 4.2) come to without a language model.

An LLM judge (`scoring.judge`) reads for meaning; here only what can be told from words and their grammar is told: which
factors a text has, each with a reason. It does not know whether a text is true, sensible or beautiful.
"""

from scoring.rubric.evaluator import RubricEvaluator

__all__ = ["RubricEvaluator"]
