"""Prompts: versioned files of the package, rendered with the values at hand; their digests go to provenance."""

import functools
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent.parent / "prompts"


def render_prompt(name: str, **values: object) -> str:
    """Return a prompt with its values in place.

    Args:
        name: Of the file without its ending, such as `check_claim.v1`. A changed text is a new version.
        values: What stands in it; nothing of a value is read as template.
    """
    return _environment().get_template(f"{name}.jinja").render(values)


@functools.cache
def prompt_digest(name: str) -> str:
    """Return 12 hex digits of a prompt's text."""
    return hashlib.sha256((_FOLDER / f"{name}.jinja").read_bytes()).hexdigest()[:12]


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=False,  # noqa: S701  # plain text for a model; nothing is shown as HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
