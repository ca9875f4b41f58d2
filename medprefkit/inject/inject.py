"""Put known errors into a true text: seeded, with exact spans, undone by the edits that are returned with it.

Knows no stage: what it makes can train a checker and measure a detector that share nothing with it but the lexicon.

Source: the idea of synthetic report errors (ReXErr, CheXpert-derived corruptions). Differs: every type of the taxonomy
that has characters, edits that restore the text byte for byte, and no model in the loop.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from medprefkit.inject.additions import additions
from medprefkit.inject.attributes import attribute_errors
from medprefkit.inject.candidates import Candidate
from medprefkit.inject.existence import existence_errors
from medprefkit.inject.names import name_errors
from medprefkit.inject.reading import read_sentences
from medprefkit.offsets import apply_edits, invert_edits, span_of
from medprefkit.records import Edit, ErrorType

INJECTABLE: Final[tuple[ErrorType, ...]] = (
    "false_finding", "false_negation", "wrong_laterality", "wrong_location", "wrong_severity", "wrong_quantity",
    "wrong_measurement", "wrong_descriptor", "wrong_diagnosis", "wrong_organ", "wrong_modality", "wrong_view_plane",
    "wrong_device", "wrong_certainty", "wrong_temporal", "self_contradiction", "unsupported_context", "wrong_knowledge",
    "recommendation", "meta_text",
)  # fmt: skip
"""Every type of the taxonomy that has characters; an omission has none."""

_TWIN_TYPES: Final[tuple[ErrorType, ...]] = (
    "false_finding", "false_negation", "wrong_laterality", "wrong_location", "wrong_severity",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Injected:
    """A text with known errors.

    Attributes:
        text: The text with its errors.
        errors: What to edit in `text` to get the true one back, in order: `span` is what is wrong, `replacement` the
            true words, empty where the error was put in between.
        made_at: The characters of the true text that the errors stand in place of, in the same order.
    """

    text: str
    errors: tuple[Edit, ...]
    made_at: tuple[tuple[int, int], ...]


def find_candidates(text: str, rng: np.random.Generator) -> Mapping[ErrorType, tuple[Candidate, ...]]:
    """Return what could be made wrong in a true text, by type; a type that the text gives no place for is left out.

    Args:
        text: A true text.
        rng: Chooses the wrong words.
    """
    sentences = read_sentences(text)
    found: dict[ErrorType, list[Candidate]] = {}
    makers = (existence_errors, attribute_errors, name_errors, additions)
    for candidate in itertools.chain.from_iterable(make(text, sentences, rng) for make in makers):
        if text[candidate.start : candidate.end] != candidate.wrong:
            found.setdefault(candidate.error_type, []).append(candidate)
    return MappingProxyType({kind: tuple(candidates) for kind, candidates in found.items()})


def inject_errors(
    text: str,
    *,
    rng: np.random.Generator,
    n_errors: int = 1,
    types: Sequence[ErrorType] = INJECTABLE,
) -> Injected | None:
    """Make a true text wrong in `n_errors` places, each of another type where the text allows it.

    Args:
        text: A true text.
        rng: Decides everything; the same state makes the same errors.
        n_errors: How many; fewer where the text has no more places.
        types: Which types may be made.

    Returns:
        The wrong text with the edits that undo it, or None where the text has no place for any of the types.
    """
    found = find_candidates(text, rng)
    waiting = [kind for kind in types if kind in found]
    chosen: list[Candidate] = []
    while waiting and len(chosen) < n_errors:
        kind = waiting.pop(int(rng.integers(len(waiting))))
        free = [c for c in found[kind] if not any(_touch(c, other) for other in chosen)]
        if free:
            chosen.append(free[int(rng.integers(len(free)))])
    return _applied(text, chosen) if chosen else None


def make_twin(text: str, *, rng: np.random.Generator, n_changes: int) -> str | None:
    """Return a report of another patient that might have been: the same text, saying something else in a few places.

    Only what replaces words is changed, so that the twin does not contradict itself by an addition. Where most reports
    are normal, a learner sees by their twins that the same words may be false.

    Args:
        text: A true text.
        rng: Chooses places and words.
        n_changes: How many; fewer where the text has no more places.

    Returns:
        The twin, or None where nothing can be changed.
    """
    found = find_candidates(text, rng)
    pool = [c for kind in _TWIN_TYPES for c in found.get(kind, ()) if c.start < c.end]
    chosen: list[Candidate] = []
    for k in rng.permutation(len(pool)):
        if len(chosen) < n_changes and not any(_touch(pool[k], other) for other in chosen):
            chosen.append(pool[k])
    return _applied(text, chosen).text if chosen else None


def inject_one(text: str, candidate: Candidate) -> Injected:
    """Make one candidate's error."""
    return _applied(text, [candidate])


def _applied(text: str, candidates: Sequence[Candidate]) -> Injected:
    ordered = sorted(candidates, key=_position)
    edits = [
        Edit(
            phrase_id=k,
            span=span_of(text, c.start, c.end),
            claim_span=span_of(text, c.start, c.end),
            replacement=c.wrong,
            error_type=c.error_type,
            severity=c.severity,
        )
        for k, c in enumerate(ordered, start=1)
    ]
    wrong = apply_edits(text, edits).text
    return Injected(wrong, invert_edits(text, edits), tuple((c.start, c.end) for c in ordered))


def _touch(a: Candidate, b: Candidate) -> bool:
    """Tell whether two candidates meet; neighbours do, so that each error keeps words of its own."""
    return a.start <= b.end + 1 and b.start <= a.end + 1


def _position(candidate: Candidate) -> tuple[int, int]:
    return candidate.start, candidate.end
