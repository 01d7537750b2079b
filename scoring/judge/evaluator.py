"""The evaluator `judge`: a large language model's mark from 0 to 10 for a text alone (VidPrompter paper, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any

from scoring.ensemble import check_lengths
from scoring.judge.agreement import Agreement, AgreementTally
from scoring.judge.asking import digest, instruction, judge_template, without_control
from scoring.judge.parse import Parsed, parse_score
from scoring.names import EvaluatorOptions
from vidprompter.engines.choose import make_engine
from vidprompter.engines.protocol import Engine, Reports
from vidprompter.errors import CapabilityError, GenerationError, InputError, NoAnswer, VidPrompterError
from vidprompter.scores import EvaluatorIdentity, Outcome, Score, Scored, empty_score
from vidprompter.tasks import Prompt, Request, Sampling, Task

NAME = "judge"
UNPARSED = "unparsed"
"""Flag: no answer of the judge held a score, so that there is none."""
PARTLY = "unparsed:some"
"""Flag: some of the repeated answers held no score; the mean is of the others."""
UNREADABLE = "unreadable"
"""Flag: the text cannot be given to the judge's model; details say why."""
SHOWN_LETTERS = 4000


@dataclass(frozen=True)
class JudgeSettings:
    """How the judge is asked.

    attempts: at one answer, until it holds a score. temperature: of repeated answers and of new attempts; the first answer
    of one that is not repeated is greedy.
    """

    attempts: int = 3
    temperature: float = 0.7
    top_p: float = 0.95

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError(f"attempts is {self.attempts}; it must be at least 1")
        if self.temperature <= 0:
            raise InputError(
                f"temperature is {self.temperature}; it must be above 0, or attempts would be alike"
            )


@dataclass
class _Asked:
    """One text with what came of asking.

    marks, failures: of each repeat; a failure is its reason and the answer. unreadable: why the model cannot be asked this.
    error: why nothing more is asked.
    """

    text: str
    marks: dict[int, Parsed] = field(default_factory=dict)
    failures: dict[int, tuple[str, str]] = field(default_factory=dict)
    answers: int = 0
    unreadable: str | None = None
    error: VidPrompterError | None = None

    def is_open(self, repeat: int) -> bool:
        """Whether another answer is wanted."""
        return repeat not in self.marks and self.unreadable is None and self.error is None

    def take(self, repeat: int, answer: Prompt | VidPrompterError) -> None:
        """What came back: a mark, an answer without one, or an error."""
        self.answers += 1
        if isinstance(answer, Prompt):
            shown = without_control(self.text)
            found = parse_score(answer.text, judged=shown, cut=answer.finish == "length")
            if isinstance(found, Parsed):
                self.marks[repeat] = found
            else:
                self.failures[repeat] = (found.reason, answer.text)
        elif isinstance(answer, NoAnswer):
            self.failures[repeat] = (str(answer), "")
        elif isinstance(answer, InputError):  # nothing is wrong with the other texts of its request
            self.unreadable = str(answer)
        else:
            self.error = self.error or answer


class JudgeEvaluator:
    """Asks a large model of ours for a mark of each text, by the seven factors; no clip is looked at.

    options: `judge` is its model as of `--model` ("openai:MODEL@URL", a folder, a name of the registry), `judge_engine` and
    `judge_options` how it is run (its `template`, if given, is the judge's, with `{caption}`), `judge_tokens` how long an
    answer may be, `repeats` how many answers a text gets, `seed`. A text that occurs more than once in a call is judged once.

    Raises:
        InputError: no model is named, or repeats is below 1.
        CapabilityError: the built-in model is named, which writes prompts alone.
        UnknownModel, WeightsMissing: as `vidprompter.engines.choose.make_engine`.
    """

    def __init__(
        self,
        options: EvaluatorOptions,
        say: Callable[[str], None] = lambda line: None,
        settings: JudgeSettings | None = None,
    ) -> None:
        if not (options.judge or "").strip():
            raise InputError(
                "the evaluator 'judge' needs a model; name it with --judge MODEL, such as --judge openai:MODEL@URL"
            )
        for name, value in (("repeats", options.repeats), ("judge_tokens", options.judge_tokens)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        self._options, self._settings, self._say = options, settings or JudgeSettings(), say
        self._engine = _engine(str(options.judge), options, say)
        self._template = judge_template(options.judge_options.template)
        self._tally = AgreementTally()
        self._said = False

    @property
    def identities(self) -> tuple[EvaluatorIdentity, ...]:
        """The one of the mark, with model and revision of the judge."""
        told = {
            **self._options.judge_options.fields(),
            "engine": self._engine.engine,
            "template": digest(self._template),
            "repeats": self._options.repeats,
            "seed": self._options.seed,
            "greedy": self._options.repeats == 1,
            "max_new_tokens": self._options.judge_tokens,
            **asdict(self._settings),
        }
        return (
            EvaluatorIdentity(
                NAME,
                low=0.0,
                high=10.0,
                model=self._engine.model,
                revision=self._engine.revision,
                needs_video=False,
                settings=told,
            ),
        )

    @property
    def agreement(self) -> Agreement:
        """How well repeated answers agreed, over all texts since this evaluator was made."""
        return self._tally.result()

    def summary(self) -> str:
        """One line: the agreement of repeated answers, and what the engine says it cost; "" for nothing."""
        engine = self._engine.summary() if isinstance(self._engine, Reports) else ""
        return "; ".join(part for part in (self.agreement.line(), engine) if part)

    def score(self, requests: Sequence[Request], candidates: Sequence[Sequence[str]]) -> list[Outcome]:
        """See `vidprompter.scores.Evaluator`. Every text of the call is asked for at once.

        details: `scores`, `sd` (None of one), `evidence`, `answers` asked for; without a score `reason` and `answer`, the
        last one. Flags: "unparsed" (no answer held a score), "unparsed:some", "unreadable", "empty".

        Raises:
            InputError: not as many lists of texts as requests.
            ModelError: the judge cannot be used (no server, no key, no weights ...).
        """
        check_lengths(requests, candidates)
        texts = dict.fromkeys(text for given in candidates for text in given if _has_words(text))
        asked = {text: _Asked(text) for text in texts}
        self._ask(list(asked.values()))
        scores = {text: self._score(one) for text, one in asked.items() if one.error is None}
        for one in asked.values():
            self._tally.add([mark.score for mark in one.marks.values()])
        return [_outcome(given, asked, scores) for given in candidates]

    def close(self) -> None:
        """Lets go of the judge's weights or connection."""
        self._engine.unload()

    # ---- asking

    def _ask(self, texts: Sequence[_Asked]) -> None:
        """Asks for all answers at once, then again for those without a score, with other seeds."""
        open_ = [(one, repeat) for one in texts for repeat in range(self._options.repeats)]
        for attempt in range(self._settings.attempts):
            open_ = [(one, repeat) for one, repeat in open_ if one.is_open(repeat)]
            if not open_:
                return
            if not self._said:
                self._say(self._engine.load())
                self._said = True
            requests = [self._request(one.text, repeat, attempt) for one, repeat in open_]
            for (one, repeat), answer in zip(open_, self._answers(requests), strict=True):
                one.take(repeat, answer)

    def _answers(self, requests: Sequence[Request]) -> Sequence[Prompt | VidPrompterError]:
        try:
            return self._engine.generate_batch(requests)
        except GenerationError as error:  # the memory does not hold one of them, say
            return [error] * len(requests)

    def _request(self, text: str, repeat: int, attempt: int) -> Request:
        chosen = self._settings
        greedy = self._options.repeats == 1 and attempt == 0
        return Request(
            Task.SHORT_TO_PROMPT,
            instruction=instruction(self._template, text),
            seed=self._options.seed,
            variant=repeat * chosen.attempts + attempt,
            sampling=Sampling(
                max_new_tokens=self._options.judge_tokens,
                temperature=0.0 if greedy else chosen.temperature,
                top_p=chosen.top_p,
                candidates=1,
            ),
        )

    # ---- scores

    def _score(self, one: _Asked) -> Score:
        details: dict[str, Any] = {"answers": one.answers}
        if one.unreadable is not None:
            return Score(NAME, None, flags=(UNREADABLE,), details=details | {"reason": one.unreadable})
        lost = [one.failures[repeat] for repeat in sorted(one.failures) if repeat not in one.marks]
        if lost:
            details |= {"reason": lost[-1][0], "answer": lost[-1][1][-SHOWN_LETTERS:]}
        if not one.marks:
            return Score(NAME, None, flags=(UNPARSED,), details=details)
        marks = [one.marks[repeat] for repeat in sorted(one.marks)]
        numbers = [mark.score for mark in marks]
        details |= {
            "scores": numbers,
            "sd": stdev(numbers) if len(numbers) > 1 else None,
            "evidence": [mark.evidence for mark in marks],
        }
        return Score(NAME, fmean(numbers), flags=(PARTLY,) if lost else (), details=details)


def _engine(name: str, options: EvaluatorOptions, say: Callable[[str], None]) -> Engine:
    refusal = f"{name!r} writes prompts alone and cannot judge; name a large model, such as --judge openai:MODEL@URL"
    if name == "builtin" or options.judge_engine == "builtin":
        raise CapabilityError(refusal)
    engine = make_engine(name, options.judge_engine, options.judge_options, say)
    if engine.engine == "builtin":
        raise CapabilityError(refusal)
    return engine


def _outcome(given: Sequence[str], asked: dict[str, _Asked], scores: dict[str, Score]) -> Outcome:
    for text in given:
        if text in asked and (error := asked[text].error) is not None:
            return error
    return [Scored(text, (scores[text] if text in scores else empty_score(NAME),)) for text in given]


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)
