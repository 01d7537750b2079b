"""Which engine runs a model: from what the user named to something that writes."""

from __future__ import annotations

from collections.abc import Callable

from vidprompter.engines.options import EngineOptions
from vidprompter.engines.protocol import Engine
from vidprompter.errors import CapabilityError

ENGINES = ("auto", "builtin", "transformers", "openai", "vllm")
SERVER = "openai:"
"""A model name that begins so is a server's: `openai:MODEL@URL`."""


def make_engine(
    name: str,
    engine: str = "auto",
    options: EngineOptions | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Engine:
    """The engine for a model, with nothing loaded yet.

    name: "builtin", another name of the registry, a folder, a hub id, or `openai:MODEL@URL`. engine: "auto" takes the
    one that fits: a server for `openai:`, else our own or transformers by what the folder holds. say: is told what a user
    should hear while it works.

    Raises:
        UnknownModel: nothing of that name; the message suggests near ones.
        WeightsMissing: known, but not here; the message holds the command that fetches it.
        CapabilityError: there is no such engine, or it cannot run this model.
    """
    options = options or EngineOptions()
    if engine not in ENGINES:
        raise CapabilityError(f"engine {engine!r} is not here; there are: {', '.join(ENGINES)}")
    if name.startswith(SERVER) or engine == "openai":
        if engine not in ("auto", "openai"):
            raise CapabilityError(f"{name!r} is a server's model, which the engine {engine!r} cannot run")
        return _server(name.removeprefix(SERVER), options, say)
    if name == "builtin":
        return _builtin(name, engine, options)
    from models.locate import where

    located = where(name)
    if located.kind == "builtin":
        return _builtin(name, engine, options)
    if engine == "builtin":
        raise CapabilityError(f"the engine 'builtin' runs the model 'builtin' alone, not {name!r}")
    if engine == "vllm":
        from vidprompter.engines.vllm_engine import VllmEngine

        return VllmEngine(located, options)
    from vidprompter.engines.multimodal.engine import TransformersEngine

    return TransformersEngine(located, options)


def _builtin(name: str, engine: str, options: EngineOptions) -> Engine:
    from vidprompter.engines.builtin import BuiltinEngine

    if engine not in ("auto", "builtin"):
        raise CapabilityError(f"{name!r} runs in the engine 'builtin', not in {engine!r}")
    if options.template is not None:
        raise CapabilityError(f"{name!r} reads a short form of its own, and no template; take a large model")
    return BuiltinEngine(name, dtype=options.dtype, device=options.device)


def _server(name: str, options: EngineOptions, say: Callable[[str], None]) -> Engine:
    from vidprompter.engines.openai_server import OpenAIEngine, parse_name

    model, base_url = parse_name(name)
    return OpenAIEngine(
        model,
        base_url=base_url,
        frames=options.frames,
        max_side=options.max_side,
        send=options.send,
        concurrency=options.concurrency,
        timeout_seconds=options.timeout_seconds,
        template=options.template,
        say=say,
    )
