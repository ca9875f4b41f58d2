"""The data card: a README with the Hub's metadata. Plain facts in, one Markdown text out, the same every time."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medprefkit.publish.escape import code, escape_markdown, one_line
from medprefkit.publish.facts import AuditFacts, CardFacts
from medprefkit.publish.licences import terms_of
from medprefkit.resources import resource_dir

TEMPLATE = "pair_dataset.md.jinja"

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


Form = Literal["rows", "index"]
"""What lies beside the card: the rows as Parquet, or `index.jsonl` alone, where the rows may not be shared."""


def render_card(
    facts: CardFacts,
    *,
    form: Form = "rows",
    audit: Sequence[AuditFacts] = (),
    pictures: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the card of a dataset whose Parquet files lie in `parquet/` beside it, or whose index does.

    Args:
        facts: What it states.
        form: What lies beside it.
        audit: What `medprefkit audit` found; empty where none was made.
        pictures: (file beside the card, what it shows).

    Everything that comes from data is escaped: a source's or a model's name cannot add a line to the metadata, a link
    or markup to the text.
    """
    body = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            facts=facts,
            terms=terms_of(facts.sources),
            example_split=next(iter(facts.n_pairs), "train"),
            form=form,
            audit=audit,
            pictures=pictures,
        )
    )
    front = yaml.safe_dump(metadata(facts, form=form), sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{front}---\n\n{body}"


def metadata(facts: CardFacts, *, form: Form = "rows") -> dict[str, object]:
    """Return the card's metadata, as the Hub reads it."""
    terms = terms_of(facts.sources)
    tasks = ["image-text-to-text", "visual-question-answering"] if facts.n_with_images else ["text-generation"]
    files: object = [{"split": split, "path": f"parquet/{split}-*.parquet"} for split in facts.n_pairs]
    if form == "index":
        files = "index.jsonl"
    return {
        "license": terms.hub_id,
        **({"license_name": one_line(terms.name)} if terms.hub_id == "other" else {}),
        "language": [one_line(facts.language)],
        "pretty_name": one_line(facts.title),
        "task_categories": tasks,
        "size_categories": [_size(facts.n_rows)],
        "tags": ["medical", "preference", "dpo", "rlhf", "trl", "hallucination", "medprefkit"],
        "configs": [{"config_name": "default", "data_files": files}],
    }


def _size(n_rows: int) -> str:
    return next((name for limit, name in _SIZES if n_rows < limit), "n>10M")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(resource_dir("data_cards"))),
        autoescape=False,  # noqa: S701  # `finalize` escapes every value, for Markdown and HTML both
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = code
    environment.filters["percent"] = _percent
    return environment


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
