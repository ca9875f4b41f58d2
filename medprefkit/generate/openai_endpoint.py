"""Answers of a model behind an OpenAI-compatible endpoint: vLLM, Ollama, a gateway; loopback needs no key."""

from collections.abc import Sequence

from medprefkit.context import RunContext, attached
from medprefkit.errors import RecipeError
from medprefkit.generate.answering import Answering, check_sampling
from medprefkit.models.opening import open_endpoint
from medprefkit.models.requests import Asker, Request
from medprefkit.records import Answer, Case, Dropped, Example, Sampling


class OpenAIGenerator:
    """Asks an endpoint, several questions at once; images go as PNG data URLs.

    The key of a remote host comes from the environment variable `MEDPREFKIT_KEY_` and the host's name in capitals, with
    `_` for every other character. Examples of a credentialed source go to this machine's own addresses only.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str,
        revision: str = "",
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 256,
        stop: tuple[str, ...] = (),
        concurrency: int = 4,
        timeout_s: float = 120.0,
    ) -> None:
        """Prepare to ask; nothing is sent.

        Args:
            model: As the server calls it.
            base_url: The server's address, up to and with `/v1`.
            revision: Which state of the model the server runs, in your words; another one asks everything anew.
            temperature: 0 is greedy.
            top_p: Sample from the likeliest tokens that hold this much of the probability, in (0, 1].
            max_new_tokens: An answer that does not end within them is dropped as truncated.
            stop: Strings that end an answer; they are no part of it.
            concurrency: Questions under way at once.
            timeout_s: Seconds until one try counts as failed; a failed try is repeated with growing pauses.

        Raises:
            RecipeError: If a value is out of range.
        """
        self._sampling = check_sampling(
            Sampling(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, stop=stop)
        )
        self._model, self._base_url, self._revision = model, base_url, revision
        self._concurrency, self._timeout_s = concurrency, timeout_s
        self._answering: Answering | None = None

    def attach(self, context: RunContext) -> None:
        """Open the endpoint.

        Raises:
            RecipeError: If the run has a policy, which no endpoint can load, or the host has no key.
        """
        if context.policy is not None:
            raise RecipeError("generate.use openai cannot load the policy: serve the adapter, and name it as `model`")
        asker = open_endpoint(
            self._model,
            base_url=self._base_url,
            revision=self._revision,
            concurrency=self._concurrency,
            timeout_s=self._timeout_s,
        )
        self._answering = Answering(asker, self._sampling, context)

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """The one model, at its address."""
        return frozenset({(self._base_url, self._model)})

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked: one question an example."""
        return attached(self._answering).forecast([case.example for case in batch])

    def __call__(self, batch: Sequence[Example]) -> list[Answer | Dropped]:
        """Return one answer an example, in order, or why there is none."""
        return attached(self._answering).answer(batch)
