"""The lexicon's words in a text: which concepts it names, and its predicates and nouns of change.

Longest match wins; where two concepts share words, the earlier row of the table wins, unless its organs decide. Names
of one or two letters that are also English words ("us") count only in capitals.
"""

from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple

from medprefkit.detect.attributes import Mark
from medprefkit.detect.inflections import written_forms
from medprefkit.detect.spelling import Speller
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
_AMBIGUOUS = _CAPITALS_ONLY.union(_NOT_BEFORE)


class Mention(NamedTuple):
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

    def moved(self, by: int) -> "Mention":
        """Return the mention `by` tokens further on; it is of the lexicon, not yet of an organ."""
        return self._replace(start=self.start + by, end=self.end + by)

    def keeps(self, mark: Mark) -> bool:
        """Tell whether a mark inside the name is an attribute: "bibasilar atelectasis", not "basal ganglia"."""
        if not (self.start <= mark.start and mark.end <= self.end):
            return True
        if mark.kind == "laterality":
            return mark.value != "midline"
        if mark.value == "calcified":
            return self.kind == "finding" and self.concept != "calcification"
        zoned = self.kind == "finding" or self.predicate or self.concept.startswith("lung")
        return mark.kind == "location" and zoned


class Match(NamedTuple):
    """Tokens [start, end) are a predicate or noun of change of these concepts; which one, their organ decides."""

    start: int
    end: int
    concepts: tuple[str, ...]
    noun: bool


class _Name(NamedTuple):
    concept: str
    kind: MentionKind
    contrary: bool


class Vocabulary:
    """Finds the lexicon's words in a text; built once for a process. A phrase is looked up by its words, longest first.

    Not spaCy's phrase matcher, which asks for a document of its own kind: for texts of twenty words, to make it costs
    more than all lookups.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], _Name] = {}
        self._predicates: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._nouns: dict[tuple[str, ...], tuple[str, ...]] = {}
        for concept in lexicon().concepts.values():
            self._add(concept)
        self._phrases = frozenset((*self._names, *self._predicates, *self._nouns))
        lengths: dict[str, set[int]] = {}
        for phrase in self._phrases:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._speller = Speller({word for phrase in self._phrases for word in phrase})
        self._lengths = {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}

    def find(self, words: Words) -> tuple[list[Mention], list[Match]]:
        """Return what the text names, longest first and disjoint, and its predicates, both in order of position."""
        names: list[tuple[int, int]] = []
        matches: list[Match] = []
        lower = self._speller.spell(words.lower)
        for start, word in enumerate(lower):
            for length in self._lengths.get(word, ()):
                end = start + length
                phrase = lower[start:end]
                if phrase not in self._phrases or len(phrase) < length:  # the text ends within the phrase
                    continue
                if phrase in self._names and _is_meant(words, start, end):
                    names.append((start, end))
                if phrase in self._predicates:
                    matches.append(Match(start, end, self._predicates[phrase], noun=False))
                if phrase in self._nouns:
                    matches.append(Match(start, end, self._nouns[phrase], noun=True))
        mentions = [self._mention(lower, start, end) for start, end in _longest(names)]
        if not matches:
            return mentions, []
        inside = [(m.start, m.end) for m in mentions if m.kind != "organ"]
        kept = [m for m in matches if not any(a <= m.start and m.end <= b and (a, b) != m[:2] for a, b in inside)]
        chosen = set(_longest([(m.start, m.end) for m in kept]))
        return mentions, sorted(m for m in kept if (m.start, m.end) in chosen)

    def concept_of(self, text: str) -> Concept | None:
        """Return the concept that exactly these words name, or None."""
        found = self._names.get(Words(text).lower)
        return lexicon().concepts[found.concept] if found else None

    def _mention(self, lower: tuple[str, ...], start: int, end: int) -> Mention:
        name = self._names[lower[start:end]]
        return Mention(start, end, name.concept, name.kind, contrary=name.contrary)

    def _add(self, concept: Concept) -> None:
        # The name of a normality is for people; texts state it by predicates, which meet their organs elsewhere.
        for form in concept.synonyms if concept.kind == "normality" else (concept.name, *concept.synonyms):
            if form.startswith("is "):
                _append(self._predicates, form[3:], concept.id)
            elif form.startswith("+"):
                for written in written_forms(form[1:]):
                    _append(self._nouns, written, concept.id)
            else:
                contrary = concept.kind == "normality" and form.startswith("no ")
                for written in written_forms(form.removeprefix("no ") if contrary else form):
                    self._names.setdefault(Words(written).lower, _Name(concept.id, concept.kind, contrary))


def _append(table: dict[tuple[str, ...], tuple[str, ...]], phrase: str, concept: str) -> None:
    words = Words(phrase).lower
    table[words] = (*table.get(words, ()), concept)


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary of the lexicon that ships with the package, built once."""
    return Vocabulary()


def _is_meant(words: Words, start: int, end: int) -> bool:
    word = words.lower[start]
    if end - start > 1 or word not in _AMBIGUOUS:
        return True
    if word in _CAPITALS_ONLY and words.text[slice(*words.places[start])].islower():
        return len(words) <= 2
    after = words.lower[end] if end < len(words) else ""
    return after not in _NOT_BEFORE.get(word, frozenset())


def _longest(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return disjoint ranges: of those that overlap the longest, then the first; in order."""
    ordered = sorted(set(ranges))
    if all(before[1] <= after[0] for before, after in pairwise(ordered)):
        return ordered
    taken: list[tuple[int, int]] = []
    used: set[int] = set()
    for start, end in sorted(ordered, key=_length_then_place):
        if used.isdisjoint(range(start, end)):
            taken.append((start, end))
            used.update(range(start, end))
    return sorted(taken)


def _length_then_place(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0] - bounds[1], bounds[0]
