"""Which sentences of a long reference a claim is read against, so that the two fit an encoder, and are read fast.

The sentences that speak of the claim's concept come first, then those of its organ and its words; what is chosen keeps
the reference's order.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.lexicon import Lexicon
from medprefkit.records import Claim, Span

_WORD = re.compile(r"[a-z]{3,}", re.I)
_SAME, _RELATED, _EXCLUDED, _ORGAN, _GENERAL = 8.0, 4.0, 3.0, 1.0, 0.5
"""What a sentence is worth that speaks of the concept, of a broader, narrower or kindred one, of a normality that
excludes it, of its organ, of normality at all."""
_NOT_TELLING = frozenset({"the", "and", "are", "there", "with", "seen", "noted", "image", "shows", "chest", "this"})


def split_reference(reference: str, claims: Sequence[Claim]) -> tuple[Span, ...]:
    """Return the sentences of a reference, white space at their ends apart.

    Where claims were read, their sentences are taken as they stand; what lies between is split at stops and lines.
    """
    bounds = sorted({(c.sentence.start_char, c.sentence.end_char) for c in claims})
    pieces: list[tuple[int, int]] = []
    cursor = 0
    for start, end in [*bounds, (len(reference), len(reference))]:
        if start < cursor:
            continue
        gap = reference[cursor:start]
        pieces += [
            (cursor + m.start(), cursor + m.end()) for m in re.finditer(r"[^\n]+?(?:[.!?](?=\s|$)|(?=\n)|$)", gap)
        ]
        if end > start:
            pieces.append((start, end))
        cursor = end
    spans = []
    for start, end in pieces:
        text = reference[start:end]
        if any(c.isalnum() for c in text):
            left = start + len(text) - len(text.lstrip())
            stripped = text.strip()
            spans.append(Span(start_char=left, end_char=left + len(stripped), text=stripped))
    return tuple(spans)


class Subject(NamedTuple):
    """What a claim is about.

    Attributes:
        concept: The lexicon's id, or any words for an open concept.
        anatomy: Lexicon ids of the structures that it is said of.
        sentence: The claim's sentence.
    """

    concept: str
    anatomy: tuple[str, ...]
    sentence: str


def select_sentences(
    subject: Subject, sentences: Sequence[Span], claims: Sequence[Claim], lexicon: Lexicon, *, max_words: int
) -> tuple[Span, ...]:
    """Return the sentences to read a claim against, in the reference's order.

    Args:
        subject: Of the claim.
        sentences: Of the reference.
        claims: What was read in the reference.
        lexicon: Tells what is related.
        max_words: How many words of the reference are read, as white space parts them.

    Returns:
        All of them where they fit; the most telling ones that do otherwise, at least one where there is any.
    """
    sizes = [len(s.text.split()) for s in sentences]
    if sum(sizes) <= max_words:
        return tuple(sentences)
    scores = [_score(subject, s, claims, lexicon) for s in sentences]
    chosen: list[int] = []
    for k in sorted(range(len(sentences)), key=_Descending(scores)):
        if not chosen or sum(sizes[i] for i in chosen) + sizes[k] <= max_words:
            chosen.append(k)
    return tuple(sentences[k] for k in sorted(chosen))


def _score(subject: Subject, sentence: Span, claims: Sequence[Claim], lexicon: Lexicon) -> float:
    score = _overlap(subject.sentence, sentence.text)
    concept = lexicon.concepts.get(subject.concept)
    organs = set(subject.anatomy) | set(concept.structures if concept else ())
    for other in claims:
        if other.sentence.start_char >= sentence.end_char or sentence.start_char >= other.sentence.end_char:
            continue
        if other.concept == subject.concept:
            score += _SAME
        elif (
            lexicon.is_a(other.concept, subject.concept)
            or lexicon.is_a(subject.concept, other.concept)
            or lexicon.kin(other.concept, subject.concept)
        ):
            score += _RELATED
        elif subject.concept in lexicon.denied_by(other.concept) or other.concept in lexicon.denied_by(subject.concept):
            score += _EXCLUDED
        seen = lexicon.concepts.get(other.concept)
        there = set(other.anatomy) | set(seen.structures if seen else ())
        score += _ORGAN * bool(organs & there) + _GENERAL * (other.kind == "normality")
    return score


def _overlap(a: str, b: str) -> float:
    """Return the share of the claim's telling words that the sentence has, 0 to 1; 0 where it has none."""
    ours = {w.lower() for w in _WORD.findall(a)} - _NOT_TELLING
    theirs = {w.lower() for w in _WORD.findall(b)}
    return len(ours & theirs) / len(ours) if ours else 0.0


class _Descending:
    """Sorts indices by score, the highest first, then by place."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = scores

    def __call__(self, k: int) -> tuple[float, int]:
        return -self._scores[k], k
