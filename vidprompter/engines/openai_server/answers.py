"""What came back: the text of an answer, without a model's thinking, and why it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from vidprompter.engines.openai_server.failures import one_line
from vidprompter.engines.openai_server.spending import Usage, usage_of
from vidprompter.errors import GenerationError, NoAnswer
from vidprompter.tasks import Finish

DROPPED = "dropped:reasoning"
_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True)
class Answer:
    """One answer, without blanks around it. told: what the server says about itself, for a row's settings."""

    text: str
    finish: Finish
    usage: Usage | None
    flags: tuple[str, ...]
    told: dict[str, Any]


def answer_of(body: dict[str, Any]) -> Answer:
    """The answer in the JSON of a chat completion.

    Raises:
        NoAnswer: refused, cut by a filter, or empty.
        GenerationError: not of the form of a chat completion.
    """
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content, reason = _joined(message.get("content")), choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise GenerationError(
            f"the server's answer is no chat completion: {one_line(json.dumps(body))}"
        ) from None
    if message.get("refusal"):
        raise NoAnswer(f"the model refused: {one_line(str(message['refusal']))}")
    if reason == "content_filter":
        raise NoAnswer("the server's content filter stopped the answer; another clip or wording may pass")
    text, thought = without_thinking(content)
    if not text:
        raise NoAnswer(_why_empty(reason, thought or bool(_thinking(message))))
    flags = (DROPPED,) if thought or _thinking(message) else ()
    return Answer(text, "length" if reason == "length" else "stop", usage_of(body), flags, _told(body))


def _joined(content: Any) -> str:
    """The text of a content, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _thinking(message: dict[str, Any]) -> Any:
    return message.get("reasoning_content") or message.get("reasoning")


def _told(body: dict[str, Any]) -> dict[str, Any]:
    names = {"model": "served_model", "system_fingerprint": "system_fingerprint"}
    return {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs)}


def _why_empty(reason: Any, thought: bool) -> str:
    if thought and reason == "length":
        return "the model spent all its tokens on thinking; raise max_new_tokens, or switch its thinking off"
    return f"the model wrote nothing (finish_reason {reason!r}); try another seed"


def without_thinking(content: str) -> tuple[str, bool]:
    """(text, whether thinking was dropped from its start).

    `<think>...</think>` in front; also with the opening left out, as where the chat template holds it.
    """
    content = content.strip()
    if _CLOSE in content:
        return content.rpartition(_CLOSE)[2].strip(), True
    return ("", True) if content.startswith(_OPEN) else (content, False)


class ThoughtFilter:
    """Holds back `<think>...</think>` at the start of a stream. A thought without its opening is not known as one."""

    def __init__(self) -> None:
        self._held = ""
        self._through = False
        self.thought = False

    def pass_on(self, piece: str) -> str:
        """What of the text so far may be shown now."""
        if self._through:
            return piece
        self._held += piece
        start = self._held.lstrip()
        if start.startswith(_OPEN):
            self.thought = True
            if _CLOSE not in start:
                return ""
            start = start.partition(_CLOSE)[2].lstrip()
            if not start:
                self._held = f"{_OPEN}{_CLOSE}"
                return ""
        elif _OPEN.startswith(start):
            return ""
        self._through, self._held = True, ""
        return start

    def rest(self) -> str:
        """What is held at the end though it is no thought."""
        held, self._held = self._held, ""
        return "" if self.thought or self._through else held


def events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The JSON of each server-sent event; ends at `[DONE]`, or where the lines end.

    Raises:
        GenerationError: an event that is no JSON, or that is an error.
    """
    for line in lines:
        if not line.startswith("data:"):
            continue  # comments, which keep the connection open, and names of events
        data = line[5:].strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError:
            raise GenerationError(f"the stream holds what is no JSON: {one_line(data)}") from None
        if not isinstance(event, dict) or event.get("error"):
            raise GenerationError(f"the server broke the stream off: {one_line(data)}")
        yield event


def piece_of(event: dict[str, Any]) -> tuple[str, str | None]:
    """(text, finish_reason) of one event; ("", None) where it has neither."""
    choices = event.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return "", None
    delta = choices[0].get("delta")
    text = _joined(delta.get("content")) if isinstance(delta, dict) else ""
    return text, choices[0].get("finish_reason")
