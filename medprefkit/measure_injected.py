"""Measuring with known errors: true texts are made wrong, and the shipped steps judge them against the true ones.

The one place that joins the injector with the tool; `inject/` makes the errors, `evaluate/injected.py` scores.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from medprefkit.errors import SourceError
from medprefkit.evaluate.injected import InjectedReading, describe_miss
from medprefkit.inject.inject import INJECTABLE, Injected, find_candidates, inject_errors, inject_one
from medprefkit.measure import OwnText, Tool
from medprefkit.records import Example, Source
from medprefkit.seeds import rng_for

_SOURCE = Source(name="injected", licence="unknown")
_BATCH = 64


class Made(NamedTuple):
    """A true text and the same with known errors."""

    id: str
    true_text: str
    injected: Injected


def make_each_type(texts: Sequence[OwnText], *, per_type: int, seed: int) -> list[Made]:
    """Return texts with one error each, up to `per_type` of every type, from as many different texts.

    Args:
        texts: True texts.
        per_type: How many texts a type gets, where so many have a place for it.
        seed: Decides which texts, which places and which words.
    """
    order = rng_for(seed, "inject", "order").permutation(len(texts))
    made: dict[str, list[Made]] = {kind: [] for kind in INJECTABLE}
    for k in order:
        own, rng = texts[k], rng_for(seed, "inject", texts[k].id)
        for kind, candidates in find_candidates(own.text, rng).items():
            if len(made[kind]) < per_type:
                chosen = candidates[int(rng.integers(len(candidates)))]
                made[kind].append(Made(own.id, own.text, inject_one(own.text, chosen)))
    return list(itertools.chain.from_iterable(made.values()))


def make_wrong(texts: Sequence[OwnText], *, n_errors: int, seed: int) -> Iterator[Made]:
    """Yield every text that has a place for an error, with up to `n_errors` of different types."""
    for own in texts:
        injected = inject_errors(own.text, rng=rng_for(seed, "inject", own.id), n_errors=n_errors)
        if injected is not None:
            yield Made(own.id, own.text, injected)


def write_labelled(file: Path, made: Iterable[Made], *, prompt: str) -> int:
    """Write texts with known errors as labelled answers, the form that `evaluate detection --gold` reads.

    Returns:
        How many were written.

    Raises:
        SourceError: If the file cannot be written.
    """
    rows = [_labelled(one, prompt) for one in made]
    try:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be written: {error.strerror}; give a file in a folder that exists"
        ) from error
    return len(rows)


def measure_injected(tool: Tool, made: Sequence[Made], *, prompt: str) -> list[InjectedReading]:
    """Judge every text with one known error against the true one, with a progress bar."""
    readings: list[InjectedReading] = []
    with tqdm(total=len(made), desc="judging", unit="text", disable=None, leave=False, dynamic_ncols=True) as bar:
        for start in range(0, len(made), _BATCH):
            batch = made[start : start + _BATCH]
            examples = [_example(one, prompt) for one in batch]
            for one, judged in zip(batch, tool.judge(examples, [o.injected.text for o in batch]), strict=True):
                readings.append(InjectedReading(one.id, one.injected.errors[0], one.true_text, judged))
            bar.update(len(batch))
    return readings


def write_misses(file: Path, readings: Sequence[InjectedReading]) -> int:
    """Write what was not undone, one JSON object a line; return how many.

    Raises:
        SourceError: If the file cannot be written.
    """
    missed = [describe_miss(reading) for reading in readings if not reading.restored]
    try:
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in missed), "utf-8")
    except OSError as error:
        raise SourceError(
            f"{file}: cannot be written: {error.strerror}; give a file in a folder that exists"
        ) from error
    return len(missed)


def _labelled(made: Made, prompt: str) -> dict[str, object]:
    errors = [
        {
            "start": edit.span.start_char,
            "end": edit.span.end_char,
            "text": edit.span.text,
            "type": edit.error_type,
            "correction": edit.replacement,
            "severity": edit.severity,
            "basis": "injected",
        }
        for edit in made.injected.errors
    ]
    return {
        "id": made.id,
        "source": "injected",
        "task": "report",
        "prompt": prompt,
        "response": made.injected.text,
        "reference": made.true_text,
        "errors": errors,
        "unverifiable": [],
    }


def _example(made: Made, prompt: str) -> Example:
    return Example(id=made.id, group_id=made.id, task="report", prompt=prompt, reference=made.true_text, source=_SOURCE)
