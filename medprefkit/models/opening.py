"""Opening a model by the plain values that a recipe gives; what a kind needs is imported only when it is opened."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medprefkit.errors import RecipeError
from medprefkit.models.requests import Asker

Precision = Literal["fp32", "bf16", "fp16"]


def open_local(
    model: str, *, adapter: Path | None, precision: Precision, device_map: str | None, batch_size: int
) -> Asker:
    """Open a transformers model in this process; options as `local.LocalModel`.

    Raises:
        RecipeError: If torch or transformers is not installed, or an option is out of range.
        ModelError: If the model cannot be loaded.
    """
    if batch_size < 1:
        raise RecipeError(f"a forward pass takes at least one request, got {batch_size}")
    try:
        from medprefkit.models.local import LocalModel  # heavy: torch
    except ModuleNotFoundError as error:
        raise RecipeError(f"a model in this process needs {error.name}: pip install 'medprefkit[train]'") from error
    return LocalModel(model, adapter=adapter, precision=precision, device_map=device_map, batch_size=batch_size)


def open_endpoint(model: str, *, base_url: str, revision: str, concurrency: int, timeout_s: float) -> Asker:
    """Open an OpenAI-compatible endpoint; options as `endpoint.Endpoint`. Nothing is sent.

    Raises:
        RecipeError: If the client is not installed, an option is out of range, or a remote host has no key.
    """
    if concurrency < 1 or timeout_s <= 0.0:
        raise RecipeError(f"concurrency and timeout_s must be above 0, got {concurrency} and {timeout_s}")
    try:
        from medprefkit.models.endpoint import Endpoint
    except ModuleNotFoundError as error:
        raise RecipeError(f"an endpoint needs the package {error.name}: pip install 'medprefkit[llm]'") from error
    return Endpoint(model, base_url=base_url, revision=revision, concurrency=concurrency, timeout_s=timeout_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """What a recipe says of a model that it asks: which, where, and how; whoever asks documents the fields."""

    model: str
    base_url: str | None
    revision: str
    precision: Precision
    device_map: str | None
    batch_size: int
    concurrency: int
    timeout_s: float

    @property
    def named(self) -> frozenset[tuple[str, str]]:
        """The one model and where it runs, as `context.AsksModels` tells it."""
        return frozenset({(self.base_url or "", self.model)})

    def open(self) -> Asker:
        """Open an endpoint where there is an address, else a model in this process."""
        if self.base_url is not None:
            return open_endpoint(
                self.model,
                base_url=self.base_url,
                revision=self.revision,
                concurrency=self.concurrency,
                timeout_s=self.timeout_s,
            )
        return open_local(
            self.model,
            adapter=None,
            precision=self.precision,
            device_map=self.device_map,
            batch_size=self.batch_size,
        )
