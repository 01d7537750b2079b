"""Text as it is written: a drawing in a thread of its own, handed over in pieces."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from vidprompter.engines.decoding import OnToken

_UNFINISHED = "�"  # what a tokenizer puts for half a character


class _Stopped(Exception):
    """Nobody listens any more."""


def stream_text(draw: Callable[[OnToken], object], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """Pieces of the one text that `draw` writes; together they are the whole.

    draw: writes, calling the function it is given for each token. An error in it is raised here. When nobody asks for more
    pieces the drawing ends too.
    """
    pieces: queue.Queue[str | BaseException | None] = queue.Queue()
    closed = threading.Event()
    ids: list[int] = []
    told = 0

    def on_token(row: int, candidate: int, token: int) -> None:
        nonlocal told
        if closed.is_set():
            raise _Stopped
        ids.append(token)
        text = decode(ids)
        if not text.endswith(_UNFINISHED):
            pieces.put(text[told:])
            told = len(text)

    def work() -> None:
        try:
            draw(on_token)
            pieces.put(decode(ids)[told:])
            pieces.put(None)
        except _Stopped:
            pass
        except BaseException as error:  # raised where the pieces are read
            pieces.put(error)

    thread = threading.Thread(target=work, name="stream", daemon=True)
    thread.start()
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            if piece:
                yield piece
    finally:
        closed.set()
        thread.join()
