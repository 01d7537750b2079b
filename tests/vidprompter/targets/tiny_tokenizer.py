"""A small T5 tokenizer, written where the model hub's library would keep it."""

from __future__ import annotations

from pathlib import Path

from tests.models.hub_files import COMMIT

WORDS = "a the dog cat runs sits on in grass water camera pans slowly left red light".split()


def write_t5(cache: Path, repo: str, subfolder: str = "", *, limit: int = 16) -> Path:
    """The snapshot folder. The tokenizer cuts at `limit` and pads to it by its own settings, as published ones do."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
    from tokenizers.models import Unigram

    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?-'▁"
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocab += [(f"▁{word}", -3.0) for word in WORDS] + [(letter, -8.0) for letter in letters]
    made = Tokenizer(Unigram(vocab, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made.enable_truncation(limit)
    made.enable_padding(length=limit, pad_token="<pad>")
    base = cache / ("models--" + repo.replace("/", "--"))
    folder = base / "snapshots" / COMMIT / subfolder
    folder.mkdir(parents=True)
    made.save(str(folder / "tokenizer.json"))
    (base / "refs").mkdir(exist_ok=True)
    (base / "refs" / "main").write_text(COMMIT)
    return folder
