"""The options of all commands that write prompts: which model, how it draws, what its words must keep to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from vidprompter.engines.options import ATTENTIONS, DTYPES, MAX_FRAMES, SENDS, EngineOptions
from vidprompter.engines.protocol import WriterIdentity
from vidprompter.errors import InputError
from vidprompter.tasks import MAX_BEAMS, Sampling, Wording

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULTS = Sampling()
_ENGINES = ("auto", "builtin", "transformers", "openai", "vllm")

_MODEL = (
    click.option(
        "--model",
        metavar="NAME",
        help="Registry name, folder, hub id, or openai:MODEL@URL.  [default: `vidprompter models default`]",
    ),
    click.option(
        "--engine", type=click.Choice(_ENGINES), default="auto", show_default=True, help="What runs it."
    ),
    click.option("--dtype", type=click.Choice(DTYPES), default="auto", show_default=True),
    click.option(
        "--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps; split: over all GPUs."
    ),
    click.option(
        "--frames",
        type=click.IntRange(1, MAX_FRAMES),
        default=EngineOptions.frames,
        show_default=True,
        help="Of a clip, shown to a large model.",
    ),
    click.option("--quantize", type=click.Choice(["8bit", "4bit"]), help="Weights, on a CUDA GPU."),
    click.option("--attention", type=click.Choice(ATTENTIONS), default="auto", show_default=True),
    click.option(
        "--template",
        type=click.Path(exists=True, dir_okay=False),
        help="Your own instruction for a large model; {short} in it is the short prompt.",
    ),
    click.option(
        "--conversation", metavar="NAME", help="Of a VILA-1.5 folder whose name does not tell, e.g. llama_3."
    ),
    click.option(
        "--send", type=click.Choice(SENDS), default="frames", show_default=True, help="What a server is sent."
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=8,
        show_default=True,
        help="Calls to a server at once.",
    ),
    click.option(
        "--call-timeout",
        type=click.FloatRange(0, 86400, min_open=True),
        default=EngineOptions.timeout_seconds,
        show_default=True,
        help="Seconds one call to a server may take.",
    ),
)
_DRAWING = (
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True),
    click.option(
        "--candidates",
        type=int,
        help="Drawn for each prompt; the best is kept.  [default: 4 with builtin, else 1]",
    ),
    click.option("--max-new-tokens", type=int, default=DEFAULTS.max_new_tokens, show_default=True),
    click.option(
        "--temperature", type=float, help=f"0 is greedy.  [default: {DEFAULTS.temperature}; 0 with --beams]"
    ),
    click.option("--top-p", type=float, default=DEFAULTS.top_p, show_default=True),
    click.option(
        "--beams",
        type=click.IntRange(1, MAX_BEAMS),
        default=1,
        show_default=True,
        help="Width of a beam search; rows then hold all beams.",
    ),
    click.option("--stop", "stops", multiple=True, metavar="TEXT", help="Ends a prompt where it appears."),
)
_WORDING = (
    click.option(
        "--lock", "locked", multiple=True, metavar="PHRASE", help="Kept letter for letter; repeatable."
    ),
    click.option(
        "--avoid", multiple=True, metavar="WORD", help="Not mentioned, in no inflection; repeatable."
    ),
    click.option(
        "--prefix", default="", metavar="TEXT", help="Put in front of each prompt, e.g. a trigger word."
    ),
    click.option(
        "--for",
        "target",
        metavar="NAME",
        help="Fit this text-to-video model: wan, ltx, cogvideox ... or a file.",
    ),
    click.option(
        "--language", metavar="CODE", help="Of the prompt, e.g. de; large models only.  [default: en]"
    ),
)


def writing_options(command: Command) -> Command:
    """The command with these options; `writing_of` reads them."""
    for option in reversed((*_MODEL, *_DRAWING, *_WORDING)):
        command = option(command)
    return command


@dataclass(frozen=True)
class Writing:
    """What the user chose."""

    model: str
    engine: str
    options: EngineOptions
    sampling: Sampling
    wording: Wording
    seed: int


def writing_of(given: dict[str, Any]) -> Writing:
    """The choices among a command's options, checked.

    Raises:
        InputError: one cannot be used, or two contradict each other.
    """
    from models.default import default_model
    from vidprompter.wording import checked

    beams, temperature = given["beams"], given["temperature"]
    if beams > 1 and temperature:
        raise InputError(
            f"--beams {beams} draws nothing, so --temperature {temperature:g} says nothing; drop one"
        )
    if beams > 1 and (given["candidates"] or 1) > 1:
        raise InputError(f"--beams {beams} gives its best beam, so --candidates says nothing; drop one")
    return Writing(
        model=given["model"] or default_model(),
        engine=given["engine"],
        options=EngineOptions(
            dtype=given["dtype"],
            device=given["device"],
            frames=given["frames"],
            quantize=given["quantize"],
            attention=given["attention"],
            template=given["template"],
            conversation=given["conversation"],
            send=given["send"],
            concurrency=given["concurrency"],
            timeout_seconds=given["call_timeout"],
        ),
        sampling=Sampling(
            max_new_tokens=given["max_new_tokens"],
            temperature=DEFAULTS.temperature if temperature is None else temperature,
            top_p=given["top_p"],
            candidates=given["candidates"],
            beams=beams,
            stop=given["stops"],
        ),
        wording=checked(
            Wording(given["locked"], given["avoid"], given["prefix"], given["target"], given["language"])
        ),
        seed=given["seed"],
    )


def batch_of(writer: WriterIdentity, writing: Writing, usual: int) -> int:
    """How many prompts are asked for at once where the user does not say: `usual`, or what keeps all calls busy.

    A batch waits for its slowest call; with four times as many requests as calls that is a small part of it.
    """
    return 4 * writing.options.concurrency if writer.engine == "openai" else usual


def check_variants(count: int, option: str, sampling: Sampling) -> None:
    """Nothing.

    Raises:
        InputError: all of several prompts would be the same.
    """
    if count > 1 and not sampling.temperature:
        why = f"--beams {sampling.beams}" if sampling.beams > 1 else "--temperature 0"
        raise InputError(f"{option} {count} with {why} would give the same prompt {count} times; drop one")
