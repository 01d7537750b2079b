"""vLLM in this process, for throughput on one or many GPUs: the `vllm` extra.

NOTE: written against vLLM's documented offline interface (`LLM.generate`, `LLM.beam_search`, `SamplingParams`) and its
sources of 2026; it was tested with a stand-in for vLLM and never run with vLLM itself. See docs/servers.md.

Contexts are given as tokens, so that a chat template's own beginning-of-text is not followed by a second one; frames
as a video with its metadata, so that nothing samples them again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidprompter.engines.decoding import seed_of
from vidprompter.engines.options import EngineOptions
from vidprompter.engines.protocol import Capabilities
from vidprompter.errors import (
    CapabilityError,
    GenerationError,
    InputError,
    ModelError,
    NoAnswer,
    VidPrompterError,
    VisualTokenMismatch,
)
from vidprompter.tasks import Answer, Beam, Finish, Prompt, Request, Sampling, Task, TokenLogprobs

if TYPE_CHECKING:
    from models.locate import Located
    from vidprompter.engines.multimodal.inputs import Reader
    from vidprompter.video.clip import Clip

_DEFAULT_FPS = 24.0  # of a still picture, which has none


@dataclass(frozen=True)
class _Job:
    """A request as vLLM takes it. ids: of its context, in which vLLM widens the frames' placeholder."""

    request: Request
    ids: tuple[int, ...]
    video: tuple[Any, dict[str, Any]] | None

    @property
    def sampling(self) -> Sampling:
        return self.request.sampling

    def prompt(self, answer: Sequence[int] = ()) -> dict[str, Any]:
        """A `TokensPrompt` of the context, with an answer behind it or not."""
        given: dict[str, Any] = {"prompt_token_ids": [*self.ids, *answer]}
        return given if self.video is None else given | {"multi_modal_data": {"video": [self.video]}}


class VllmEngine:
    """A video model of transformers' format in vLLM. All requests of a batch go in one call; vLLM packs them.

    options: `device` "split" takes all GPUs (tensor parallel), "auto" and "cuda" one; `dtype` as named; `quantize`
    "4bit" is bitsandbytes. What vLLM decides itself (attention kernel, which GPU, the CPU) is refused.
    """

    engine = "vllm"
    capabilities = Capabilities(
        video=True, beams=True, logprobs=True, streaming=False, frames=True, languages=True
    )

    def __init__(self, located: Located, options: EngineOptions | None = None) -> None:
        self.options = options or EngineOptions()
        self._located = located
        self.model, self.revision = located.name, located.revision
        if located.kind != "transformers":
            raise CapabilityError(
                f"{self.model} is laid out as {located.kind}, which vLLM does not load; use --engine auto"
            )
        if self.options.device not in ("auto", "cuda", "split"):
            raise CapabilityError(
                f"device {self.options.device!r} is not for the engine 'vllm': CUDA_VISIBLE_DEVICES names its GPUs, and "
                "--device split takes all of them"
            )
        if self.options.attention != "auto" or self.options.quantize == "8bit":
            raise CapabilityError(
                "vLLM chooses its attention kernel itself and has no 8-bit loading here; leave them at their defaults"
            )

    # ---- loading ----------------------------------------------------------------------------------------------

    @cached_property
    def _vllm(self) -> Any:
        try:
            return import_module("vllm")
        except ImportError as error:
            raise ModelError(
                "the engine 'vllm' needs vLLM, which is not installed: pip install 'vidprompter[vllm]' (Linux with a GPU), "
                f"or use --engine transformers ({error})"
            ) from error

    @cached_property
    def _reader(self) -> Reader:
        from transformers import AutoConfig, AutoProcessor

        from vidprompter.engines.multimodal.inputs import Reader

        folder = self._located.folder
        found = Reader(
            AutoProcessor.from_pretrained(folder, local_files_only=True),
            AutoConfig.from_pretrained(folder, local_files_only=True),
        )
        if not found.has_template:
            raise ModelError(
                f"{self.model} has no chat template, so nobody knows how to talk to it; use --engine transformers"
            )
        return found

    @cached_property
    def _loaded(self) -> tuple[Any, str]:
        """The `vllm.LLM`, and a line that says what was chosen."""
        gpus = self._gpus()
        settings: dict[str, Any] = {
            "model": str(self._located.folder),
            "tensor_parallel_size": gpus,
            "dtype": self.options.dtype,
            "limit_mm_per_prompt": {"video": 1},
            "enable_prefix_caching": True,
            "seed": 0,
        }
        if self.options.quantize == "4bit":
            settings["quantization"] = "bitsandbytes"
        try:
            llm = self._vllm.LLM(**settings)
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(f"vLLM cannot load {self.model}: {_line(error)}") from error
        version = self._vllm.__version__
        return (
            llm,
            f"{self.model}: vLLM {version} on {gpus} GPU{'s' * (gpus > 1)}, {self.options.dtype} weights",
        )

    def _gpus(self) -> int:
        if self.options.device != "split":
            return 1
        import torch

        return max(1, torch.cuda.device_count())

    def load(self) -> str:
        """Loads the weights now; one line on what was chosen.

        Raises:
            ModelError: vLLM is not installed, or cannot load this model.
        """
        return self._loaded[1]

    def unload(self) -> None:
        """Drops the weights; the next request loads them again. vLLM may keep part of the memory of a GPU."""
        self.__dict__.pop("_loaded", None)
        self.__dict__.pop("_reader", None)
        gc.collect()

    # ---- writing ----------------------------------------------------------------------------------------------

    def generate_batch(self, requests: Sequence[Request]) -> list[Prompt | VidPrompterError]:
        """One result per request, in order; a request that cannot be answered gives its error.

        Raises:
            CapabilityError: beams with stop texts, which vLLM's beam search does not know.
            ModelError: as `load`.
        """
        for request in requests:
            if request.sampling.beams > 1 and request.sampling.stop:
                raise CapabilityError("vLLM's beam search knows no stop texts; leave out --beams or --stop")
        self.load()
        results: dict[int, Prompt | VidPrompterError] = {}
        jobs: dict[int, _Job] = {}
        for number, request in enumerate(requests):
            try:
                jobs[number] = self._prepare(request)
            except VidPrompterError as error:
                results[number] = error
        drawn = [number for number, job in jobs.items() if job.sampling.beams == 1]
        results |= self._each(drawn, jobs, self._draw)
        widths: dict[tuple[int, int], list[int]] = {}
        for number, job in jobs.items():
            if job.sampling.beams > 1:
                widths.setdefault((job.sampling.beams, job.sampling.max_new_tokens), []).append(number)
        for members in widths.values():
            results |= self._each(members, jobs, self._search)
        return [results[number] for number in range(len(requests))]

    def _each(
        self,
        members: Sequence[int],
        jobs: dict[int, _Job],
        write: Callable[[Sequence[_Job]], list[Prompt | VidPrompterError]],
    ) -> dict[int, Prompt | VidPrompterError]:
        """The results by number; a request that vLLM refuses (too long, say) does not cost its neighbours."""
        if not members:
            return {}
        try:
            return dict(zip(members, write([jobs[n] for n in members]), strict=True))
        except ValueError as error:
            if len(members) == 1:
                return {members[0]: GenerationError(f"vLLM refused the request: {_line(error)}")}
        found: dict[int, Prompt | VidPrompterError] = {}
        for number in members:
            found |= self._each([number], jobs, write)
        return found

    def _draw(self, jobs: Sequence[_Job]) -> list[Prompt | VidPrompterError]:
        params = [self._params(job) for job in jobs]
        outputs = self._loaded[0].generate([job.prompt() for job in jobs], params, use_tqdm=False)
        return [self._best(job, output) for job, output in zip(jobs, outputs, strict=True)]

    def _params(self, job: _Job) -> Any:
        sampling = job.sampling
        count = (sampling.candidates or 1) if sampling.temperature else 1
        return self._vllm.SamplingParams(
            n=count,
            temperature=sampling.temperature,
            top_p=sampling.top_p if sampling.temperature else 1.0,
            max_tokens=sampling.max_new_tokens,
            stop=list(sampling.stop) or None,
            seed=seed_of(job.request.seed, job.request.variant, job.ids) & 0x7FFFFFFF,
            logprobs=0,  # of the drawn tokens alone: their sum is the text's
        )

    def _best(self, job: _Job, output: Any) -> Prompt | VidPrompterError:
        """A finished text before a cut one, then the likeliest by the token."""

        def rank(one: Any) -> tuple[bool, float]:
            return one.finish_reason != "stop", -(one.cumulative_logprob or 0.0) / (len(one.token_ids) + 1)

        best = min(output.outputs, key=rank)
        finish: Finish = "stop" if best.finish_reason == "stop" else "length"
        ids = tuple(best.token_ids)
        read = output.prompt_token_ids
        return self._prompt(job, best.text, finish, ids, best.cumulative_logprob, read=read)

    def _search(self, jobs: Sequence[_Job]) -> list[Prompt | VidPrompterError]:
        """Jobs of one width and length."""
        sampling = jobs[0].sampling
        search = import_module("vllm.sampling_params").BeamSearchParams
        params = search(beam_width=sampling.beams, max_tokens=sampling.max_new_tokens)
        outputs = self._loaded[0].beam_search([job.prompt() for job in jobs], params)
        results: list[Prompt | VidPrompterError] = []
        for job, output in zip(jobs, outputs, strict=True):
            beams = tuple(self._beam(one) for one in output.sequences)
            # The tokens begin with the context as the model read it, frames and all.
            read = output.sequences[0].tokens[: -len(output.sequences[0].logprobs)]
            first = beams[0]
            results.append(
                self._prompt(job, first.text, first.finish, first.ids, first.logprob, read=read, beams=beams)
            )
        return results

    def _beam(self, one: Any) -> Beam:
        # `logprobs` has one entry for each token that was written, and none for the context.
        ids = tuple(one.tokens[len(one.tokens) - len(one.logprobs) :])
        stopped = bool(ids) and ids[-1] == self._end
        return Beam(self._text(ids), float(one.cum_logprob), ids, "stop" if stopped else "length")

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._reader.tokenizer.decode(list(ids), skip_special_tokens=True))

    @property
    def _end(self) -> int:
        return int(self._reader.tokenizer.eos_token_id)

    def _prompt(
        self,
        job: _Job,
        text: str,
        finish: Finish,
        ids: tuple[int, ...],
        logprob: float | None,
        *,
        read: Sequence[int],
        beams: tuple[Beam, ...] = (),
    ) -> Prompt | VidPrompterError:
        from vidprompter.engines.asking import answer_text

        request = job.request
        text = answer_text(request, text)
        if not text:
            return NoAnswer(f"{self.model} wrote nothing; try another --seed")
        visual = sum(token in self._reader.placeholders for token in read)
        if job.video is not None and not visual:
            return VisualTokenMismatch(
                f"{self.model} was given {job.video[0].shape[0]} frames, and none of them is in its context; use "
                "--engine transformers"
            )
        frames = {} if job.video is None else {"frames": int(job.video[0].shape[0])}
        return Prompt(
            text=text,
            task=request.task,
            model=self.model,
            revision=self.revision,
            engine=self.engine,
            seed=request.seed,
            variant=request.variant,
            finish=finish,
            tokens_in=len(read),
            tokens_out=len(ids) - (1 if ids and ids[-1] == self._end else 0),
            settings=request.sampling.resolved(1).fields() | {"dtype": self.options.dtype} | frames,
            logprob=logprob,
            beams=beams,
            tokens_visual=visual,
            ids=ids,
        )

    # ---- contexts ---------------------------------------------------------------------------------------------

    def _prepare(self, request: Request) -> _Job:
        from vidprompter.engines.asking import asked_text
        from vidprompter.engines.multimodal.inputs import check_plain

        text = asked_text(request, self.options.template)
        tokenizer = self._reader.tokenizer
        check_plain(text, [token for token in tokenizer.all_special_tokens if token.strip()])
        clip = None if request.task is Task.SHORT_TO_PROMPT else self._clip(request)
        parts: list[dict[str, str]] = [{"type": "video"}] if clip is not None else []
        turn = {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
        told = self._reader.processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(told, add_special_tokens=False)["input_ids"]
        return _Job(request, tuple(ids), None if clip is None else (clip.frames, _metadata(clip)))

    def _clip(self, request: Request) -> Clip:
        from vidprompter.engines.multimodal.inputs import spread_frames
        from vidprompter.video.clip import Clip
        from vidprompter.video.sampling import Uniform
        from vidprompter.video.source import VideoSource

        if isinstance(request.video, Clip):
            return spread_frames(request.video, self.options.frames)
        if request.video is None:
            raise InputError(
                f"{self.model} looks at frames, and the request has a scene sheet alone; give video="
            )
        source = VideoSource(request.video, start=request.start, end=request.end)
        return source.sample(Uniform(self.options.frames, max_side=self.options.max_side))[0]

    # ---- probabilities ----------------------------------------------------------------------------------------

    def logprobs(self, request: Request, texts: Sequence[Answer]) -> list[TokenLogprobs]:
        """For each text its tokens' log-probabilities as the answer to `request`.

        A string is tokenized and its end added; of a `Prompt` or `Beam` of this model its own tokens are taken.

        Raises:
            ModelError: as `load`; or vLLM's answer does not hold the text's tokens.
        """
        self.load()
        job = self._prepare(request)
        answers = [self._tokens(text) for text in texts]
        params = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        prompts = [job.prompt(answer) for answer in answers]
        outputs = self._loaded[0].generate(prompts, params, use_tqdm=False) if prompts else []
        return [
            TokenLogprobs(text if isinstance(text, str) else text.text, ids, _scored(output, ids))
            for text, ids, output in zip(texts, answers, outputs, strict=True)
        ]

    def _tokens(self, text: Answer) -> tuple[int, ...]:
        if not isinstance(text, str):
            if not text.ids:
                raise InputError(
                    "this prompt holds no tokens of its model; give its text, or one of this model's own"
                )
            return text.ids
        if not text.strip():
            raise InputError("an answer is empty; give the texts whose probability is asked for")
        return (*self._reader.tokenizer(text, add_special_tokens=False)["input_ids"], self._end)

    def stream(self, request: Request) -> Iterator[str]:
        """vLLM's offline interface gives whole texts.

        Raises:
            CapabilityError: always.
        """
        raise CapabilityError(
            f"{self.model} in vLLM gives whole texts; to stream, start `vllm serve` and use openai:MODEL@URL"
        )


def _scored(output: Any, ids: Sequence[int]) -> tuple[float, ...]:
    """The log-probabilities of the last tokens of a context, which are `ids`."""
    told = output.prompt_logprobs
    if told is None or list(output.prompt_token_ids[-len(ids) :]) != list(ids):
        raise ModelError(
            "vLLM's answer does not hold the tokens that were asked for; use --engine transformers"
        )
    return tuple(
        float(at[token].logprob) for at, token in zip(told[len(told) - len(ids) :], ids, strict=True)
    )


def _metadata(clip: Clip) -> dict[str, Any]:
    """What vLLM is told of the frames: when each stands, and that none is to be left out."""
    fps = clip.info.fps if clip.info.fps > 0 else _DEFAULT_FPS
    indices = [round(float(time - clip.timestamps[0]) * fps) for time in clip.timestamps]
    total = max(indices[-1] + 1, len(clip))
    return {
        "total_num_frames": total,
        "fps": fps,
        "duration": total / fps,
        "frames_indices": indices,
        "video_backend": clip.info.backend,
        "do_sample_frames": False,
    }


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
