"""From examples to requests and from replies to answers: what every generator that asks a model shares."""

from collections.abc import Sequence
from typing import cast

from medprefkit.context import RunContext
from medprefkit.errors import ImageError, RecipeError
from medprefkit.models.desk import Desk
from medprefkit.models.requests import Asker, Failure, Outcome, Reply, Request, picture_of
from medprefkit.records import Answer, Dropped, DropReason, Example, Sampling
from medprefkit.seeds import rng_for

_MAX_SEED = 2**31 - 1  # what every server takes


def check_sampling(sampling: Sampling) -> Sampling:
    """Return the sampling if a model can do it.

    Raises:
        RecipeError: If a value is out of range.
    """
    if sampling.temperature < 0.0:
        raise RecipeError(f"temperature must be at least 0 (0 is greedy), got {sampling.temperature}")
    if not 0.0 < sampling.top_p <= 1.0:
        raise RecipeError(f"top_p must be in (0, 1], got {sampling.top_p}")
    if sampling.max_new_tokens < 1:
        raise RecipeError(f"max_new_tokens must be at least 1, got {sampling.max_new_tokens}")
    if not all(sampling.stop):
        raise RecipeError("stop holds an empty string, which every answer begins with; leave it out")
    return sampling


class Answering:
    """Asks one model for the answers of one run."""

    def __init__(self, asker: Asker, sampling: Sampling, context: RunContext) -> None:
        """Join the model with the run that it answers for."""
        self._desk = Desk(asker, context.calls, stage="generate")
        self._sampling = sampling
        self._context = context

    def answer(self, batch: Sequence[Example]) -> list[Answer | Dropped]:
        """Return an answer an example, in order, or why there is none."""
        requests = [self.request(example) for example in batch]
        outcomes = iter(self._desk.ask([request for request in requests if isinstance(request, Request)]))
        return [
            request if isinstance(request, Dropped) else self._answer(request, next(outcomes)) for request in requests
        ]

    def forecast(self, batch: Sequence[Example]) -> list[tuple[Asker, Request]]:
        """Return what would be asked for these examples; those whose images cannot be read are not."""
        requests = [self.request(example) for example in batch]
        return [(self._desk.asker, request) for request in requests if isinstance(request, Request)]

    def request(self, example: Example) -> Request | Dropped:
        """Return what is asked for an example: its prompt and images as they are, and the seed that is its own."""
        try:
            pictures = tuple(picture_of(image) for image in self._context.images(example))
        except ImageError as error:
            reason = cast("DropReason", error.reason)
            return Dropped(id=example.id, stage="generate", reason=reason, detail=" ".join(str(error).split()))
        seed = 0
        if self._sampling.temperature > 0.0:
            seed = int(rng_for(self._context.run_seed, "generate", example.id).integers(_MAX_SEED))
        return Request(
            record_id=example.id,
            prompt=example.prompt,
            pictures=pictures,
            sampling=self._sampling.model_copy(update={"seed": seed}),
            credentialed=example.source.credentialed,
        )

    def _answer(self, request: Request, outcome: Outcome) -> Answer | Dropped:
        if isinstance(outcome, Failure):
            return _dropped(request, "call_failed", f"{outcome.reason}: {outcome.detail}")
        if outcome.finish_reason == "length":
            limit = request.sampling.max_new_tokens
            return _dropped(request, "answer_truncated", f"no end within max_new_tokens {limit}; raise it")
        if outcome.finish_reason == "content_filter":
            return _dropped(request, "answer_filtered", "the endpoint's filter or the model's refusal cut the answer")
        if not outcome.text.strip():
            return _dropped(request, "answer_empty", f"the model said {outcome.text!r}")
        return Answer(
            id=request.record_id,
            text=outcome.text,
            model=self._desk.asker.model,
            revision=_revision(self._desk.asker, outcome),
            sampling=request.sampling,
            finish_reason=outcome.finish_reason,
        )


def _revision(asker: Asker, reply: Reply) -> str:
    return "+".join(part for part in (asker.revision, reply.revision) if part)


def _dropped(request: Request, reason: DropReason, detail: str) -> Dropped:
    return Dropped(id=request.record_id, stage="generate", reason=reason, detail=detail)
