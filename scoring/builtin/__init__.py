"""The evaluator of the default install: judges captions by what was measured, without CLIP. See docs/scoring.md."""
