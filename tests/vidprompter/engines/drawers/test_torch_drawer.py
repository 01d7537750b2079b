from __future__ import annotations

from models.language import LanguageModel
from tests.vidprompter.tiny import WordTokenizer, tiny_llama
from vidprompter.engines.decoding import Drawing, Row, draw
from vidprompter.engines.drawers.torch_drawer import TorchDrawer


def test_it_draws_what_decoding_does() -> None:
    model = tiny_llama()
    drawer = TorchDrawer(LanguageModel(model, WordTokenizer(), "1", "float32", "cpu", "tiny"))
    rows = [Row((5, 9, 30), (1, 2)), Row((61,), (3,), ((7,),))]
    told: list[tuple[int, int, int]] = []
    got = drawer.draw(rows, Drawing(8, 1.0, 0.9, frozenset({20})), on_token=lambda *each: told.append(each))
    assert got == draw(model, rows, max_new_tokens=8, temperature=1.0, top_p=0.9, stop=(20,), pad=0)
    assert len(told) == sum(len(one.ids) for row in got for one in row)
    assert (drawer.dtype, drawer.device, drawer.backend, drawer.why) == ("float32", "cpu", "torch", "tiny")
    assert drawer.model is model and 1 <= drawer.rows_at_once(100) <= 128
