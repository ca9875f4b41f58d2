"""An OpenAI-compatible endpoint: a limited number of calls at once, retries with back-off, every failure named.

Works with vLLM, Ollama, `transformers serve` or a gateway. What a server does not know (a JSON Schema, logprobs) is
left out after its first refusal. Nothing but the recipe decides where requests go: the address and the key that the
environment holds for OpenAI are not read, redirects are not followed, and no proxy stands before a loopback address.
"""

import base64
import concurrent.futures
import json
import logging
import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import openai
from openai import NOT_GIVEN
from openai.types.chat import ChatCompletion

from medprefkit.errors import ModelError
from medprefkit.images import encode_png, is_grey, shrink_image
from medprefkit.models.privacy import api_key, host_of, is_local, key_variable
from medprefkit.models.requests import Failure, Keep, Outcome, Reply, Request

logger = logging.getLogger(__name__)

MAX_SIDE_PX = 2048
"""Larger images are shrunk before they are sent; what serves models shrinks them further anyway."""

OUTAGE = 3
"""So many failures in a row, without an answer between them, mean that the endpoint is out of reach."""

_OPTIONAL = {"response_format": ("response_format", "json_schema", "guided"), "logprobs": ("logprobs", "top_logprobs")}
"""A parameter that a server may not know -> words by which its refusal is told."""

_TOP_LOGPROBS = 20


class Endpoint:
    """Answers requests through an OpenAI-compatible server; satisfies `requests.Asker`.

    Args:
        model: As the server calls it.
        base_url: The server's address, up to and with `/v1`.
        revision: Which state of the model the server runs, in your words; another one asks everything anew.
        concurrency: Calls under way at once.
        timeout_s: Seconds until one try counts as failed.
        max_retries: Further tries of a call that failed for a passing reason, with growing pauses.

    Raises:
        RecipeError: If the address is none, or a remote host has no key in the environment.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        revision: str = "",
        concurrency: int = 4,
        timeout_s: float = 120.0,
        max_retries: int = 4,
    ) -> None:
        self.model = model
        self.revision = revision
        self.place = base_url
        self._concurrency = concurrency
        self._key = api_key(base_url)
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._unknown: set[str] = set()
        self._failed_in_a_row = 0
        self._lock = threading.Lock()

    def ask(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answer every request, several at once; answers are kept as they come, also while the endpoint gives out.

        Raises:
            ModelError: If the endpoint refuses the key or does not know the model, or gives out.
        """
        with self._client() as client:
            self._ask(client, requests, keep)

    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(
            api_key=self._key,
            base_url=self.place,
            organization="",
            project="",
            timeout=self._timeout_s,
            max_retries=self._max_retries,
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False,
                trust_env=not is_local(self.place),
                verify=not self.place.startswith("http://"),  # certificates load slowly, and plain http has none
            ),
        )

    def _ask(self, client: openai.OpenAI, requests: Sequence[Request], keep: Keep) -> None:
        def work(position: int, request: Request) -> Outcome:
            outcome = self._outcome(client, request)
            with self._lock:  # kept before this thread asks again: a kill costs only what is under way
                keep(position, outcome)
            return outcome

        with concurrent.futures.ThreadPoolExecutor(self._concurrency, thread_name_prefix="endpoint") as pool:
            futures = [pool.submit(work, position, request) for position, request in enumerate(requests)]
            try:
                for future in concurrent.futures.as_completed(futures):
                    self._refuse_outage(future.result())
            finally:
                pool.shutdown(wait=True, cancel_futures=True)  # what is under way is paid for: wait until it is kept

    def count_tokens(self, request: Request) -> int:
        """Estimate: four characters a token, and 170 tokens for each 512 x 512 pixels of an image and 85 for itself."""
        n_words = math.ceil(len(request.prompt) / 4)
        return n_words + sum(_image_tokens(picture.pixels.shape[:2]) for picture in request.pictures)

    def _refuse_outage(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reply) or outcome.reason == "call_refused":
            self._failed_in_a_row = 0
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= OUTAGE:
            self._failed_in_a_row = 0
            raise ModelError(
                f"{self.place} gave no usable answer {OUTAGE} times in a row: {outcome.detail}; what was answered is "
                "kept, so mend the endpoint and go on with --resume"
            )

    def _outcome(self, client: openai.OpenAI, request: Request) -> Outcome:
        """Ask once, and once more without each parameter that the server turns out not to know."""
        while True:
            told = self._parameters(request)
            try:
                completion = client.chat.completions.create(**told)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._learn(error, told):
                    return self._refusal(error)
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                raise ModelError(self._denied(error)) from None  # its own text may hold the key
            except openai.APIStatusError as error:
                if error.status_code == 413:
                    return Failure("call_refused", "the request is too large for the server")
                return Failure("call_failed", f"HTTP {error.status_code}: {self._said(error)}")
            except openai.APITimeoutError:
                return Failure("call_failed", f"no answer in {self._timeout_s:g} s")
            except openai.APIConnectionError as error:
                return Failure("call_failed", f"no connection: {self._clean(str(error.__cause__ or error))}")
            except (openai.APIError, json.JSONDecodeError, ValueError) as error:
                return Failure("reply_malformed", f"not a completion: {self._clean(str(error))}")
            else:
                return self._reply(completion, request)

    def _parameters(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        told: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": _content(request)}],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or NOT_GIVEN,
        }
        if request.schema is not None and "response_format" not in self._unknown:
            schema = {"name": request.schema.name, "schema": json.loads(request.schema.json_text), "strict": True}
            told["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.wants == "yes_no" and "logprobs" not in self._unknown:
            told |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        return told

    def _learn(self, error: openai.APIStatusError, told: Mapping[str, Any]) -> bool:
        """Note the parameter that a refusal speaks of; False where it speaks of none that could be left out."""
        message = str(error.body or error.message).lower()
        for parameter, words in _OPTIONAL.items():
            if parameter in told and any(word in message for word in words):
                with self._lock:
                    if parameter not in self._unknown:
                        logger.info("%s does not know %s; it is left out", self.place, parameter)
                    self._unknown.add(parameter)
                return True
        return False

    def _refusal(self, error: openai.APIStatusError) -> Failure:
        return Failure("call_refused", f"HTTP {error.status_code}: {self._said(error)}")

    def _denied(self, error: openai.APIStatusError) -> str:
        if isinstance(error, openai.NotFoundError):
            return f"{self.place} does not know the model {self.model!r}: {self._said(error)}"
        variable = key_variable(self.place)
        return f"{host_of(self.place)} refused the key of {variable} (HTTP {error.status_code}); set the right one"

    def _said(self, error: openai.APIStatusError) -> str:
        body = error.body
        message = body.get("message") if isinstance(body, dict) else None
        return self._clean(str(message or error.response.reason_phrase))

    def _clean(self, text: str) -> str:
        """Return one short line in which the key does not stand, whatever a server echoes."""
        line = " ".join(text.split())
        if self._key != "none":
            line = line.replace(self._key, "***")
        return line if len(line) <= 200 else f"{line[:200]} ..."

    def _reply(self, completion: ChatCompletion, request: Request) -> Outcome:
        """Read a completion; servers send anything, so nothing is taken for granted."""
        try:
            choice = completion.choices[0]
            message, reason = choice.message, choice.finish_reason
            content, refusal = message.content, getattr(message, "refusal", None)
            usage = completion.usage
            n_prompt = usage.prompt_tokens if usage is not None else self.count_tokens(request)
            n_completion = usage.completion_tokens if usage is not None else math.ceil(len(content or "") / 4)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            return Failure("reply_malformed", f"a completion without a choice or a message: {type(error).__name__}")
        filtered = reason == "content_filter" or bool(refusal)
        if not isinstance(content, str) and not filtered:
            return Failure("reply_malformed", f"a message whose content is {type(content).__name__}, not text")
        if reason not in {"stop", "length", "content_filter"}:
            return Failure("reply_malformed", f"finish_reason {reason!r}")
        said_yes, said_no = _yes_no_logps(choice) if request.wants == "yes_no" else (None, None)
        return Reply(
            text=content if isinstance(content, str) else "",
            finish_reason="content_filter" if filtered else reason,
            revision=str(completion.system_fingerprint or ""),
            prompt_tokens=n_prompt,
            completion_tokens=n_completion,
            yes_logp=said_yes,
            no_logp=said_no,
        )


def _content(request: Request) -> str | list[dict[str, object]]:
    if not request.pictures:
        return request.prompt
    images: list[dict[str, object]] = []
    for picture in request.pictures:
        pixels = shrink_image(picture.pixels, max_side_px=MAX_SIDE_PX)
        png = base64.b64encode(encode_png(pixels, grey=is_grey(pixels))).decode("ascii")
        images.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}})
    return [*images, {"type": "text", "text": request.prompt}]


def _image_tokens(shape: tuple[int, ...]) -> int:
    height, width = (min(side, MAX_SIDE_PX) for side in shape)
    return 85 + 170 * math.ceil(height / 512) * math.ceil(width / 512)


def _yes_no_logps(choice: Any) -> tuple[float | None, float | None]:
    """Return the log-probabilities that the first word is a yes or a no; None, None where the server gives none.

    A spelling that is not among the likeliest words counts as at most as likely as the least likely that is.
    """
    content = choice.logprobs.content if choice.logprobs is not None else None
    top = content[0].top_logprobs if content else None
    if not top:
        return None, None
    found: dict[str, list[float]] = {"yes": [], "no": []}
    for token in top:
        if (word := token.token.strip().lower()) in found:
            found[word].append(token.logprob)
    if not (found["yes"] or found["no"]):
        return None, None
    floor = min(token.logprob for token in top)
    return _log_sum(found["yes"], floor), _log_sum(found["no"], floor)


def _log_sum(logps: Sequence[float], floor: float) -> float:
    largest = max(logps, default=floor)
    return largest + math.log(sum(math.exp(logp - largest) for logp in logps)) if logps else floor
