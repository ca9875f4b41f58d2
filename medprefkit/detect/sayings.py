"""Words that say something of an organ without naming it: "within normal limits", "abnormal", "enlarged"."""

from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Match
from medprefkit.detect.words import bag

SIZES = bag("size sizes sized width caliber calibre volume volumes dimensions diameter")
ASPECTS = SIZES | bag(
    "contour contours shape configuration appearance position silhouette silhouettes structure structures texture"
    " alignment"
)
"""What of an organ is spoken of: "heart size", "normal in size and contour"."""

_NORMAL = (
    "within normal limits",
    "within the normal limits",
    "within limits of normal",
    "within normal range",
    "within the normal range",
    "within the limits of normal",
    "in normal limits",
    "normal limits",
    "grossly normal",
    "normal",
    "normally",
    "unremarkable",
    "healthy",
)
_ABNORMAL = ("abnormal", "abnormally", "unhealthy", "distorted")


class Saying(NamedTuple):
    """Tokens [start, end) call an organ normal or abnormal, or are one of the lexicon's predicates.

    Attributes:
        start: First token.
        end: Token after the last.
        normal: None for a predicate of the lexicon.
        match: The lexicon's predicate or noun of change; None for a word of normality.
        aspects: What of the organ is meant ("size").
    """

    start: int
    end: int
    normal: bool | None
    match: Match | None
    aspects: frozenset[str]

    @property
    def is_noun(self) -> bool:
        """Whether it is a noun of change ("widening") rather than a predicate ("widened")."""
        return self.match is not None and self.match.noun


def find_sayings(words: Words, clause: tuple[int, int], matches: Sequence[Match]) -> list[Saying]:
    """Return what the clause says of organs yet to be found, disjoint and in order of position."""
    found: list[Saying] = []
    starts = {m.start for m in matches}
    i = clause[0]
    while i < clause[1]:
        if i not in starts and words.lower[i] not in _PHRASES:
            i += 1
            continue
        normal, match = _normal_at(words, i, clause[1]), _match_at(i, clause[1], matches)
        longer = match is not None and (normal is None or match.end > normal.end)
        saying = match if longer else normal  # "normally inflated" is more than "normally"
        if saying:
            found.append(saying)
        i = saying.end if saying else i + 1
    return found


def _match_at(i: int, last: int, matches: Sequence[Match]) -> Saying | None:
    match = next((m for m in matches if m.start == i and m.end <= last), None)
    return Saying(match.start, match.end, None, match, frozenset()) if match else None


def _normal_at(words: Words, i: int, last: int) -> Saying | None:
    for phrase, normal in _PHRASES.get(words.lower[i], ()):
        end = i + len(phrase)
        if end <= last and words.lower[i:end] == phrase:
            end, aspects = _aspects_behind(words, end, last)
            return Saying(i, end, normal, None, aspects)
    return None


def _aspects_behind(words: Words, i: int, last: int) -> tuple[int, frozenset[str]]:
    """Read "in size and contour", "-sized" or "size" behind a word of normality; return the end and the aspects."""
    if i + 1 < last and words.lower[i] == "-" and words.lower[i + 1] in ASPECTS:
        return i + 2, frozenset({words.lower[i + 1]})
    found: list[str] = []
    end = i
    j = i + 1 if i < last and words.lower[i] in {"in", "for"} else i
    while j < last and (words.lower[j] in ASPECTS or (found and words.lower[j] in {"and", ",", "or"})):
        if words.lower[j] in ASPECTS:
            found.append(words.lower[j])
            end = j + 1
        j += 1
    return end, frozenset(found)


def _by_first_word() -> dict[str, list[tuple[tuple[str, ...], bool]]]:
    table: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
    for phrases, normal in ((_NORMAL, True), (_ABNORMAL, False)):
        for phrase in phrases:
            key = Words(phrase).lower
            table.setdefault(key[0], []).append((key, normal))
    return table


_PHRASES = _by_first_word()
