"""The NER detector: entities from any installed spaCy or scispaCy pipeline, read by the lexicon detector's rules."""

from collections.abc import Sequence

import spacy
from spacy.language import Language

from medprefkit.detect.reading import read_passage, read_prompt
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, vocabulary
from medprefkit.errors import RecipeError
from medprefkit.records import Claim, Passage


class NerDetector:
    """Finds claims where a trained pipeline finds entities.

    An entity whose words the lexicon knows takes the lexicon's concept and kind; any other has kind `other` and its
    words in lower case as its concept. Organs and predicates ("is enlarged"), which no entity model marks as such, are
    the lexicon's.

    Args:
        model: The name of an installed pipeline ("en_core_sci_sm"), or a path to one.

    Raises:
        RecipeError: If no pipeline of that name is installed.
    """

    def __init__(self, *, model: str) -> None:
        self.model = model
        self._pipeline = _load(model)

    def __call__(self, batch: Sequence[Passage]) -> list[tuple[Claim, ...]]:
        """Return the claims of each passage, in order of appearance; none for an empty text."""
        docs = self._pipeline.pipe([passage.text for passage in batch])
        return [
            self._read(passage, [(e.start_char, e.end_char) for e in doc.ents])
            for passage, doc in zip(batch, docs, strict=True)
        ]

    def _read(self, passage: Passage, entities: Sequence[tuple[int, int]]) -> tuple[Claim, ...]:
        words = Words(passage.text)
        return read_passage(read_prompt(passage.prompt), words, _with_entities(words, entities))


def _load(model: str) -> Language:
    try:
        return spacy.load(model)
    except OSError as error:
        raise RecipeError(
            f"detect.with.model: no spaCy pipeline {model!r} is installed; pip install {model} where a package index "
            f"has it, else pip install the wheel that spaCy's or scispaCy's release page names"
        ) from error


def _with_entities(words: Words, entities: Sequence[tuple[int, int]]) -> list[Mention]:
    """Return the entities as mentions, with the lexicon's own where no entity stands."""
    known, _ = vocabulary().find(words)
    kept = [m for m in known if m.kind in {"organ", "modality", "view_plane", "normality"}]
    found: list[Mention] = []
    for start_char, end_char in entities:
        start, end = words.between(start_char, end_char)
        if start >= end:
            continue
        inside = [m for m in known if start <= m.start and m.end <= end and m.kind in {"finding", "device"}]
        if inside:
            found += inside
        elif not any(m.start < end and start < m.end for m in kept):
            found.append(Mention(start, end, " ".join(words.lower[start:end]), "other"))
    named = {i for m in found for i in range(m.start, m.end)}
    kept = [m for m in kept if named.isdisjoint(range(m.start, m.end))]
    return sorted({*found, *kept}, key=_start)


def _start(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.concept
