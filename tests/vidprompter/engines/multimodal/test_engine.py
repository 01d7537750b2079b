"""What goes wrong, and what is chosen: folders, options, memory, control tokens, lengths."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.batch.stub import write_video
from tests.vidprompter.engines.multimodal.test_families import clip, requests
from vidprompter import VidPrompter
from vidprompter.engines.multimodal import load as loading
from vidprompter.engines.multimodal.engine import TransformersEngine
from vidprompter.engines.options import EngineOptions
from vidprompter.errors import (
    CapabilityError,
    CorruptVideo,
    GenerationError,
    InputError,
    ModelError,
    NotAVideoFile,
    OutOfMemory,
    UnknownModel,
    WeightsCorrupt,
)
from vidprompter.tasks import Prompt, Request, Sampling, Task

FEW = Sampling(max_new_tokens=6)


@pytest.fixture
def copy(llava: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llava, tmp_path / "model"))


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def test_a_missing_tensor_is_named(copy: Path) -> None:
    held = tensors(copy)
    gone = next(name for name in held if "mlp.down_proj" in name)
    del held[gone]
    save_file(held, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsCorrupt, match=r"down_proj\.weight"):
        VidPrompter.load(copy).prepare()


def test_a_tensor_of_another_shape_is_named(copy: Path) -> None:
    held = tensors(copy)
    name = next(name for name in held if "mlp.down_proj" in name)
    held[name] = torch.zeros(3, 3)
    save_file(held, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsCorrupt, match="down_proj"):
        VidPrompter.load(copy).prepare()


def test_pickled_weights_are_refused(copy: Path) -> None:
    torch.save(tensors(copy), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        VidPrompter.load(copy).prepare()


def test_a_model_of_another_kind_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CapabilityError, match="'bert' model, which reads no video"):
        VidPrompter.load(copy).prepare()
    (copy / "config.json").write_text(json.dumps({"model_type": "of-tomorrow"}))
    with pytest.raises(ModelError, match="cannot read its config"):
        VidPrompter.load(copy).prepare()


def test_code_in_the_folder_is_not_run(copy: Path, tmp_path: Path) -> None:
    edit(copy, model_type="own", auto_map={"AutoConfig": "own.Own"})
    (copy / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError):
        VidPrompter.load(copy).prepare()
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="holds no model"):
        VidPrompter.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "float8"}, "dtype is 'float8'"),
        ({"frames": 0}, "frames is 0; it must be 1 to 512"),
        ({"quantize": "2bit"}, "quantize is '2bit'"),
        ({"attention": "own"}, "attention is 'own'"),
        ({"max_side": 1}, "max_side is 1"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        EngineOptions(**options)


def test_a_device_that_is_not_here(llava: Path) -> None:
    with pytest.raises(ModelError, match="no device 'cuda:7' here"):
        VidPrompter.load(llava, options=EngineOptions(device="cuda:7")).prepare()


def test_what_needs_a_gpu_says_so(llava: Path) -> None:
    with pytest.raises(ModelError, match=r"bitsandbytes|CUDA GPU"):
        VidPrompter.load(llava, options=EngineOptions(quantize="4bit", device="cpu")).prepare()


def test_dtype_is_the_stored_one_on_a_cpu_unless_another_is_asked_for(llava: Path) -> None:
    assert loading.stored_dtype(llava) == "float32"
    assert loading.choose_dtype("auto", "cpu", "float32") == (torch.float32, "as stored")
    assert loading.choose_dtype("float16", "cpu", "float32")[0] is torch.float16
    assert loading.choose_dtype("auto", "cpu", "bfloat16")[0] in (torch.bfloat16, torch.float32)
    writer = VidPrompter.load(llava, options=EngineOptions(dtype="bfloat16"))
    assert "bfloat16 on cpu (as asked)" in writer.prepare()
    (prompt,) = writer.generate_batch([requests(FEW)[0]])
    assert isinstance(prompt, Prompt) and prompt.settings["dtype"] == "bfloat16"


def test_files_pictures_and_stretches_are_read(llava: Path, tmp_path: Path) -> None:
    from PIL import Image

    video = write_video(tmp_path / "a.mp4", frames=16)
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.png")
    writer = VidPrompter.load(llava, options=EngineOptions(frames=4))
    prompt = writer.caption(video, sampling=FEW)
    assert prompt.tokens_visual == 4 + 1  # one token a frame after pooling, and LLaVA-OneVision's newline
    assert writer.caption(tmp_path / "a.png", sampling=FEW).tokens_visual == 1 + 1
    short = Request(Task.VIDEO_TO_PROMPT, video=video, start=0.5, end=1.0, sampling=FEW)
    (part,) = writer.generate_batch([short])
    assert isinstance(part, Prompt)
    (tmp_path / "no.mp4").write_text("no video")
    with pytest.raises((NotAVideoFile, CorruptVideo)):
        writer.caption(tmp_path / "no.mp4")


def test_one_bad_request_costs_itself_alone(llava: Path, tmp_path: Path) -> None:
    writer = VidPrompter.load(llava)
    bad = Request(Task.VIDEO_TO_PROMPT, video=tmp_path / "none.mp4", sampling=FEW)
    first, failed, last = writer.generate_batch([requests(FEW)[0], bad, requests(FEW)[2]])
    assert isinstance(first, Prompt) and isinstance(last, Prompt) and not isinstance(failed, Prompt)


def test_control_tokens_in_the_users_text_are_refused(llava: Path) -> None:
    writer = VidPrompter.load(llava)
    for token in ("<video>", "<|end|>"):
        with pytest.raises(InputError, match="control token"):
            writer.expand(f"a cat {token}", sampling=FEW)


def test_too_long_a_context_says_how_long(copy: Path) -> None:
    text = json.loads((copy / "config.json").read_text())["text_config"] | {"max_position_embeddings": 300}
    edit(copy, text_config=text)
    with pytest.raises(GenerationError, match=r"takes 300 in all \(try fewer --frames\)"):
        VidPrompter.load(copy).caption(clip(0), sampling=FEW)


def test_without_a_chat_template_it_is_said(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    writer = VidPrompter.load(copy)
    assert "no chat template" in writer.prepare()
    assert writer.caption(clip(0), sampling=FEW).tokens_visual == 5


def test_a_template_that_drops_the_video_is_caught(copy: Path) -> None:
    from vidprompter.errors import VisualTokenMismatch

    (copy / "chat_template.jinja").write_text("{{ messages[0]['content'][-1]['text'] }}")
    with pytest.raises(VisualTokenMismatch, match="0 <video> tokens"):
        VidPrompter.load(copy).caption(clip(0), sampling=FEW)


def test_stop_texts_end_a_prompt_and_are_not_in_it(llava: Path) -> None:
    writer = VidPrompter.load(llava)
    request = requests(Sampling(max_new_tokens=30, temperature=0))[0]
    (free,) = writer.generate_batch([request])
    assert isinstance(free, Prompt)
    at = len(free.text) // 2
    stop = free.text[at : at + 2]
    (cut,) = writer.generate_batch([replace(request, sampling=replace(request.sampling, stop=(stop,)))])
    assert isinstance(cut, Prompt) and stop not in cut.text and free.text.startswith(cut.text)
    assert cut.finish == "stop" and len(cut.ids) < len(free.ids)


def test_short_memory_halves_the_batch(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VidPrompter.load(llava)
    engine = writer.inner
    assert isinstance(engine, TransformersEngine)
    asked = [requests(FEW)[2]] * 5
    expected = [one.text for one in writer.generate_batch(asked) if isinstance(one, Prompt)]
    write, sizes = engine._write, []

    def short(jobs: Any) -> Any:
        sizes.append(len(jobs))
        if len(jobs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return write(jobs)

    monkeypatch.setattr(engine, "_write", short)
    found = writer.generate_batch(asked)
    assert [one.text for one in found if isinstance(one, Prompt)] == expected
    assert sizes == [5, 2, 2, 1]
    monkeypatch.setattr(engine, "_write", lambda jobs: (_ for _ in ()).throw(torch.OutOfMemoryError("no")))
    with pytest.raises(OutOfMemory):
        writer.generate_batch(asked[:1])


def test_an_unloaded_model_loads_again(llava: Path) -> None:
    writer = VidPrompter.load(llava)
    first = writer.caption(clip(0), sampling=FEW)
    writer.unload()
    assert isinstance(writer.inner, TransformersEngine) and "_loaded" not in writer.inner.__dict__
    assert writer.caption(clip(0), sampling=FEW).text == first.text


def test_logprobs_of_nothing_and_of_strangers(llava: Path) -> None:
    writer = VidPrompter.load(llava)
    request = requests(FEW)[2]
    assert writer.logprobs(request, []) == []
    with pytest.raises(InputError, match="an answer is empty"):
        writer.logprobs(request, [" "])
    stranger = Prompt("A cat.", Task.SHORT_TO_PROMPT, "m", "1", "server", 0)
    with pytest.raises(InputError, match="holds no tokens"):
        writer.logprobs(request, [stranger])


def test_many_texts_are_scored_in_groups_as_alone(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidprompter.engines import score

    writer = VidPrompter.load(llava)
    request = requests(FEW)[1]
    texts = ["A cat.", "A dog runs along a beach.", "Rain", "Two men talk."]
    at_once = writer.logprobs(request, texts)
    monkeypatch.setattr(score, "_LOGITS", 1)
    one_by_one = writer.logprobs(request, texts)
    for a, b in zip(at_once, one_by_one, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def test_a_wrong_engine_for_a_model(llava: Path) -> None:
    with pytest.raises(CapabilityError, match="runs the model 'builtin' alone"):
        VidPrompter.load(llava, engine="builtin")
    with pytest.raises(CapabilityError, match="there are: auto"):
        VidPrompter.load(llava, engine="own")


def test_a_reader_of_the_stream_may_leave(llava: Path) -> None:
    writer = VidPrompter.load(llava)
    stream = writer.stream(requests(Sampling(max_new_tokens=200, temperature=1.0))[2])
    assert next(stream)
    stream.close()  # type: ignore[attr-defined]


def test_an_instruction_of_ones_own(llava: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("In one line: {short}")
    options = EngineOptions(template=str(own))
    assert options.fields()["template"].startswith("own.txt+")
    writer = VidPrompter.load(llava, options=options)
    assert writer.expand("a cat", sampling=FEW).tokens_in < 60
    own.write_text("no place for it")
    with pytest.raises(InputError, match=r"lacks \{short\}"):
        writer.expand("a cat", sampling=FEW)
    with pytest.raises(CapabilityError, match="no template"):
        VidPrompter.load("builtin", options=options)


def test_an_empty_answer_is_asked_for_again(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VidPrompter.load(llava)
    engine = writer.inner
    assert isinstance(engine, TransformersEngine)
    text, asked = engine._text, []

    def first_empty(*given: Any) -> str:
        asked.append(given)
        return "" if len(asked) == 1 else text(*given)

    monkeypatch.setattr(engine, "_text", first_empty)
    prompt = writer.expand("a cat", sampling=FEW)
    assert prompt.text and prompt.flags == ("retried:empty",)
    monkeypatch.setattr(engine, "_text", lambda *given: "")
    with pytest.raises(GenerationError, match="wrote nothing"):
        writer.expand("a cat", sampling=FEW)


def test_the_conversation_of_a_vila_folder_can_be_named(tmp_path: Path) -> None:
    from tests.models.vila.tiny import write_tiny_vila

    write_tiny_vila(tmp_path / "vila")
    assert "conversation llama_3," in VidPrompter.load(tmp_path / "vila").prepare()
    old = EngineOptions(conversation="llama_3_may_2024")
    assert "conversation llama_3_may_2024," in VidPrompter.load(tmp_path / "vila", options=old).prepare()
    with pytest.raises(ModelError, match="llama_9"):
        VidPrompter.load(tmp_path / "vila", options=EngineOptions(conversation="llama_9")).prepare()
