"""Answers of a transformers model in this process: the user's own policy, bare or with an adapter."""

from collections.abc import Sequence

from medprefkit.context import RunContext, attached
from medprefkit.generate.answering import Answering, check_sampling
from medprefkit.models.opening import Precision, open_local
from medprefkit.models.requests import Asker, Request
from medprefkit.records import Answer, Case, Dropped, Example, Sampling


class TransformersGenerator:
    """Samples any image-text-to-text model that transformers loads.

    An answer depends on its example, the run's seed and the model, not on the batch that it was drawn in. What is
    sampled is the model's own distribution: penalties in its generation settings are not applied.
    """

    def __init__(
        self,
        *,
        model: str,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        stop: tuple[str, ...] = (),
        precision: Precision = "bf16",
        device_map: str | None = None,
        requests_per_pass: int = 8,
    ) -> None:
        """Prepare to sample; weights load with the first answer that is not in the call store.

        Args:
            model: Folder or Hub name; code from the Hub is never run.
            temperature: 0 is greedy.
            top_p: Sample from the likeliest tokens that hold this much of the probability, in (0, 1].
            max_new_tokens: An answer that does not end within them is dropped as truncated.
            stop: Strings that end an answer; they are no part of it.
            precision: Of weights and arithmetic.
            device_map: `auto` spreads the layers over all GPUs; null takes one.
            requests_per_pass: Answers sampled at once.

        Raises:
            RecipeError: If a value is out of range.
        """
        self._sampling = check_sampling(
            Sampling(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, stop=stop)
        )
        self._options = (model, precision, device_map, requests_per_pass)
        self._answering: Answering | None = None

    def attach(self, context: RunContext) -> None:
        """Open the model, with the run's policy on it where there is one.

        Raises:
            ModelError: If the processor cannot be loaded.
        """
        model, precision, device_map, batch_size = self._options
        asker = open_local(
            model, adapter=context.policy, precision=precision, device_map=device_map, batch_size=batch_size
        )
        self._answering = Answering(asker, self._sampling, context)

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """The one model, in this process."""
        return frozenset({("", self._options[0])})

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked: one question an example."""
        return attached(self._answering).forecast([case.example for case in batch])

    def __call__(self, batch: Sequence[Example]) -> list[Answer | Dropped]:
        """Return one answer an example, in order, or why there is none."""
        return attached(self._answering).answer(batch)
