"""The lexicon's words as spaCy phrase matchers: which concepts a text names, and its predicates and nouns of change.

Longest match wins; where two concepts share words, the earlier row of the table wins, unless its organs decide. Names
of one or two letters that are also English words ("us") count only in capitals.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import spacy
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from medprefkit.detect.attributes import Mark
from medprefkit.detect.inflections import written_forms
from medprefkit.detect.tokens import Words
from medprefkit.lexicon import Concept, lexicon

MentionKind = Literal["finding", "normality", "device", "organ", "modality", "view_plane", "other"]

_CAPITALS_ONLY = frozenset({"us"})
_NOT_BEFORE = {
    "lead": frozenset({"to"}),
    "leads": frozenset({"to"}),
    "ap": frozenset({"diameter"}),
    "pa": frozenset({"catheter"}),
}


@dataclass(frozen=True, slots=True)
class Mention:
    """Tokens [start, end) name `concept`.

    Attributes:
        contrary: Of a normality: the words name what it denies ("acute disease"), so that affirming them denies it.
        predicate: The words were said of `organs`, not a name by themselves ("enlarged").
        organs: Lexicon ids of what a predicate is said of.
        organ_at: First token of the organ that a predicate is said of; its side is the claim's.
        attributive: The predicate stands in one noun phrase with its organ ("enlarged heart").
        reach: Token after that noun phrase.
    """

    start: int
    end: int
    concept: str
    kind: MentionKind
    contrary: bool = False
    predicate: bool = False
    organs: tuple[str, ...] = ()
    organ_at: int = 0
    attributive: bool = False
    reach: int = 0

    def keeps(self, mark: Mark) -> bool:
        """Tell whether a mark inside the name is an attribute: "bibasilar atelectasis", not "basal ganglia"."""
        if not (self.start <= mark.start and mark.end <= self.end):
            return True
        if mark.kind == "laterality":
            return mark.value != "midline"
        zoned = self.kind == "finding" or self.predicate or self.concept.startswith("lung")
        return mark.kind == "location" and zoned


class Match(NamedTuple):
    """Tokens [start, end) are a predicate or noun of change of these concepts; which one, their organ decides."""

    start: int
    end: int
    concepts: tuple[str, ...]
    noun: bool


class Vocabulary:
    """Finds the lexicon's words in a text; built once for a process."""

    def __init__(self) -> None:
        self.vocab = spacy.blank("en").vocab
        self._names: dict[tuple[str, ...], list[tuple[str, bool]]] = {}
        self._predicates: dict[tuple[str, ...], list[str]] = {}
        self._nouns: dict[tuple[str, ...], list[str]] = {}
        for concept in lexicon().concepts.values():
            self._add(concept)
        self._matcher = PhraseMatcher(self.vocab, attr="LOWER")
        for label, table in (("name", self._names), ("is", self._predicates), ("+", self._nouns)):
            self._matcher.add(label, [Doc(self.vocab, words=list(words)) for words in table])

    def doc(self, words: Words) -> Doc:
        """Return the text as a spaCy document with these tokens, so that its tools can read it."""
        spaces = [
            after is not None and after.start_char > token.end_char
            for token, after in zip(words.tokens, (*words.tokens[1:], None), strict=True)
        ]
        return Doc(self.vocab, words=[words.text[t.start_char : t.end_char] for t in words.tokens], spaces=spaces)

    def find(self, words: Words) -> tuple[list[Mention], list[Match]]:
        """Return what the text names, longest first and disjoint, and its predicates, both in order of position."""
        if not len(words):
            return [], []
        names: list[tuple[int, int]] = []
        matches: list[Match] = []
        strings = self.vocab.strings
        for key, start, end in self._matcher(self.doc(words)):
            label, found = strings[key], words.lower[start:end]
            if label == "name" and _is_meant(words, start, end):
                names.append((start, end))
            elif label == "is":
                matches.append(Match(start, end, tuple(self._predicates[found]), noun=False))
            elif label == "+":
                matches.append(Match(start, end, tuple(self._nouns[found]), noun=True))
        mentions = [self._mention(words, start, end) for start, end in _longest(names)]
        inside = [(m.start, m.end) for m in mentions if m.kind != "organ"]
        kept = [m for m in matches if not any(a <= m.start and m.end <= b and (a, b) != m[:2] for a, b in inside)]
        chosen = set(_longest([(m.start, m.end) for m in kept]))
        return mentions, sorted(m for m in kept if (m.start, m.end) in chosen)

    def concept_of(self, text: str) -> Concept | None:
        """Return the concept that exactly these words name, or None."""
        found = self._names.get(Words(text).lower)
        return lexicon().concepts[found[0][0]] if found else None

    def _mention(self, words: Words, start: int, end: int) -> Mention:
        concept, contrary = self._names[words.lower[start:end]][0]
        return Mention(start, end, concept, lexicon().concepts[concept].kind, contrary=contrary)

    def _add(self, concept: Concept) -> None:
        # The name of a normality is for people; texts state it by predicates, which meet their organs elsewhere.
        for form in concept.synonyms if concept.kind == "normality" else (concept.name, *concept.synonyms):
            if form.startswith("is "):
                self._predicates.setdefault(Words(form[3:]).lower, []).append(concept.id)
            elif form.startswith("+"):
                for written in written_forms(form[1:]):
                    self._nouns.setdefault(Words(written).lower, []).append(concept.id)
            else:
                contrary = concept.kind == "normality" and form.startswith("no ")
                for written in written_forms(form.removeprefix("no ") if contrary else form):
                    known = self._names.setdefault(Words(written).lower, [])
                    if concept.id not in {id_ for id_, _ in known}:
                        known.append((concept.id, contrary))


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary of the lexicon that ships with the package, built once."""
    return Vocabulary()


def _is_meant(words: Words, start: int, end: int) -> bool:
    found = words.span(start, end).text
    if found.lower() in _CAPITALS_ONLY and found.islower():
        return len(words) <= 2
    after = words.lower[end] if end < len(words) else ""
    return after not in _NOT_BEFORE.get(found.lower(), frozenset())


def _longest(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return disjoint ranges: of those that overlap the longest, then the first; in order."""
    taken: list[tuple[int, int]] = []
    used: set[int] = set()
    for start, end in sorted(set(ranges), key=_length_then_place):
        if used.isdisjoint(range(start, end)):
            taken.append((start, end))
            used.update(range(start, end))
    return sorted(taken)


def _length_then_place(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0] - bounds[1], bounds[0]
