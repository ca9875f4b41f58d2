"""The nouns of asking a model: a request, a reply, a failure, and whoever answers. Nothing here asks."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from medprefkit.protocols import Image
from medprefkit.records import Record, Sampling

Wants = Literal["text", "yes_no"]
"""`text`: words; `yes_no`: the log-probabilities of yes and no as the next word, or the word where there are none."""

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image on its way to a model.

    Attributes:
        pixels: (height, width, 3) RGB, uint8.
        digest: Of size and pixels: what a call is remembered by.
    """

    pixels: Image
    digest: str


def picture_of(pixels: Image) -> Picture:
    """Return the image with its digest."""
    digest = hashlib.blake2b(f"{pixels.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return Picture(pixels, digest.hexdigest())


class Schema(NamedTuple):
    """A JSON Schema that the reply has to follow, under a name."""

    name: str
    json_text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Attributes:
        record_id: Of the example that it is asked for; no part of what is asked.
        prompt: The user's words; images stand before them.
        pictures: In the order of the example's images; empty for a question about text.
        sampling: How the reply is drawn; its seed alone decides the draw.
        wants: What kind of reply is of use.
        schema: What the reply has to follow, for an endpoint that can hold it to that.
        credentialed: Its text or images are under a data use agreement: only this machine may see them.
    """

    record_id: str
    prompt: str
    pictures: tuple[Picture, ...]
    sampling: Sampling
    wants: Wants = "text"
    schema: Schema | None = None
    credentialed: bool = False


class Reply(Record):
    """What a model said, byte for byte, and what it took."""

    text: str
    finish_reason: FinishReason
    revision: str = ""
    """What the endpoint says it ran, where it says so."""
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]
    yes_logp: float | None = None
    """Log-probability, nats, that the next word is a yes; None where it is not to be had."""
    no_logp: float | None = None


class Failure(NamedTuple):
    """A request without a reply that could be used; never kept, so it is asked again on a resume.

    `call_refused`: this very request will not be answered (too long, filtered before it ran); `call_failed`: no answer
    came in spite of retries; `reply_malformed`: an answer came that is not one.
    """

    reason: Literal["call_refused", "call_failed", "reply_malformed"]
    detail: str


Outcome = Reply | Failure

Keep = Callable[[int, Outcome], None]
"""Called with a request's position and its outcome as soon as there is one, by one thread at a time."""


class Asker(Protocol):
    """Whoever answers: a model in this process, or an endpoint."""

    @property
    def model(self) -> str:
        """What the model is called in records."""
        ...

    @property
    def revision(self) -> str:
        """Which state of it answers; empty where nobody can tell."""
        ...

    @property
    def place(self) -> str:
        """The endpoint's address; empty for this process."""
        ...

    def ask(self, requests: Sequence[Request], keep: Keep) -> None:
        """Answer every request, in any order."""
        ...

    def count_tokens(self, request: Request) -> int:
        """Estimate the tokens of a request, images included, without asking."""
        ...
