"""Writes prompts with a model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp server, a cloud.

Small rooms: `address` (where, and which key), `messages` and `pictures` (what is sent), `transport`, `patience` and
`failures` (how, and what goes wrong), `answers` (what comes back), `spending` (what it cost), `engine`.
"""

from __future__ import annotations

from vidprompter.engines.openai_server.address import parse_name
from vidprompter.engines.openai_server.engine import OpenAIEngine
from vidprompter.engines.openai_server.spending import Prices, Spending

__all__ = ["OpenAIEngine", "Prices", "Spending", "parse_name"]
