"""A request as the body of a chat completion: frames or file first, then the instruction q of its task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from vidprompter.engines.asking import asked_text
from vidprompter.engines.decoding import seed_of
from vidprompter.engines.openai_server.pictures import PictureOptions, Shown, file_url, shown_frames
from vidprompter.errors import InputError
from vidprompter.tasks import Request, Task

if TYPE_CHECKING:
    from pathlib import Path

Send = Literal["frames", "file"]
TokenField = Literal["max_tokens", "max_completion_tokens"]
# Fields without which a call makes no sense.
_NEEDED = ("model", "messages", "stream")


@dataclass(frozen=True)
class BodyOptions:
    """How bodies are built.

    send: "frames" as pictures, or the "file" whole. token_field: what the server calls the token limit.
    leave_out: names of fields that the server does not take, such as "seed" or "top_p". extra: further fields.
    template: path of the user's own instruction.
    """

    send: Send = "frames"
    pictures: PictureOptions = field(default_factory=PictureOptions)
    token_field: TokenField = "max_tokens"
    leave_out: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None

    def __post_init__(self) -> None:
        if self.send not in ("frames", "file"):
            raise InputError(f"send is {self.send!r}; it must be 'frames' or 'file'")
        if self.token_field not in ("max_tokens", "max_completion_tokens"):
            raise InputError(
                f"token_field is {self.token_field!r}; it must be 'max_tokens' or 'max_completion_tokens'"
            )
        for name in (*self.leave_out, *self.extra):
            if name in _NEEDED:
                raise InputError(f"field {name!r} is set by the engine; leave_out and extra are for others")


@dataclass(frozen=True)
class Content:
    """The user's turn. parts: as the API wants them. told: what of it belongs into a row's settings."""

    parts: tuple[dict[str, Any], ...]
    told: Mapping[str, Any]


def content_of(request: Request, options: BodyOptions) -> Content:
    """What the model is shown and told.

    Raises:
        InputError, VideoError: the clip cannot be sent.
    """
    text = asked_text(request, options.template)
    if request.task is Task.SHORT_TO_PROMPT:
        return Content((_text(text),), {})
    if options.send == "file" and (path := _whole_file(request)) is not None:
        url = file_url(path, options.pictures)
        return Content(({"type": "video_url", "video_url": {"url": url}}, _text(text)), {"send": "file"})
    shown = shown_frames(request, options.pictures)
    pictures = tuple({"type": "image_url", "image_url": {"url": url}} for url in shown.urls)
    told = {"send": "frames", "frames": len(pictures), "max_side": options.pictures.max_side}
    return Content((*pictures, _text(f"{about(shown)}\n\n{text}")), told)


def about(shown: Shown) -> str:
    """One line that says what the pictures are, such as "8 frames at 0.6, 1.8, ... s of a 9.8 s clip"."""
    if len(shown.urls) == 1 and not shown.length:
        return "The picture above is a still picture."
    times = ", ".join(f"{second:.1f}" for second in shown.seconds)
    frames = "1 frame" if len(shown.urls) == 1 else f"{len(shown.urls)} frames, in order,"
    return f"Above: {frames} at {times} s of a {shown.length:.1f} s clip."


def body_of(
    request: Request,
    content: Content,
    *,
    model: str,
    options: BodyOptions,
    attempt: int = 0,
    stream: bool = False,
) -> bytes:
    """The JSON of one call. attempt: 1 and more draw otherwise, after a text that was of no use."""
    from vidprompter.wording.loops import RETRY_TEMPERATURE

    sampling = request.sampling
    temperature = max(sampling.temperature, RETRY_TEMPERATURE if attempt else 0.0)
    only_text = len(content.parts) == 1
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": content.parts[0]["text"] if only_text else content.parts}],
        options.token_field: sampling.max_new_tokens,
        "temperature": temperature,
        "seed": seed(request, attempt),
        "stream": stream,
    }
    if temperature:
        body["top_p"] = sampling.top_p
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if stream:
        body["stream_options"] = {"include_usage": True}
    body = {name: value for name, value in body.items() if name not in options.leave_out}
    return json.dumps(body | dict(options.extra)).encode()


def seed(request: Request, attempt: int) -> int:
    """The seed that is sent, 31 bits: of the request's seed and variant, and of the attempt."""
    return seed_of(request.seed, request.variant, attempt) & 0x7FFFFFFF


def _whole_file(request: Request) -> Path | None:
    """The file to be sent whole; None for a still picture, which is sent as one."""
    from pathlib import Path

    from vidprompter.video.files import identify, show

    if not isinstance(request.video, Path):
        raise InputError("send='file' needs the path of a file; give one as video=, or send frames")
    if identify(request.video) != "video":
        return None
    if request.start is not None or request.end is not None:
        raise InputError(
            f"{show(request.video)} is sent whole, so that its part from {request.start or 0:g} s cannot be: send frames, "
            "or cut the file"
        )
    return request.video


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
