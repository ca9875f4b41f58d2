"""Findings and normality that are said of an organ: "the heart is enlarged", "widened mediastinum", "lungs clear".

The lexicon's predicates ("is enlarged") and nouns of change ("+widening") mean nothing alone; here they meet the organ
that they are said of. Words of normality ("within normal limits") make the normality of that organ.
"""

from collections.abc import Sequence

from medprefkit.detect.sayings import ASPECTS, SIZES, Saying, find_sayings
from medprefkit.detect.subjects import governor, names_a_study, organs_ahead, subjects_before
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Match, Mention
from medprefkit.detect.words import bag, is_function_word
from medprefkit.lexicon import lexicon

_STUDIES = bag("image picture study examination exam scan radiograph film everything imaging view views")
_AFTER_PREDICATE = bag(
    "stable unchanged bilaterally appearing looking sized today overall enough then again no without"
)
_COPULAS = bag("is are was were be been appears appear appearing seems seem remains remain looks look")


def find_predicates(
    words: Words, clause: tuple[int, int], mentions: Sequence[Mention], matches: Sequence[Match]
) -> list[Mention]:
    """Return what the clause says of organs, one mention for each organ, in order of position.

    Args:
        words: The text.
        clause: Range of tokens.
        mentions: What the clause names. A general name that is a predicate too ("enlargement") gives way to it.
        matches: The clause's predicates and nouns of change.
    """
    organs = [m for m in mentions if m.kind == "organ" and not names_a_study(m, mentions)]
    places = {(m.start, m.end) for m in matches}
    named = {i for m in mentions if m.kind != "organ" and (m.start, m.end) not in places for i in range(m.start, m.end)}
    said = [s for s in find_sayings(words, clause, matches) if named.isdisjoint(range(s.start, s.end))]
    others = frozenset(i for s in said for i in range(s.start, s.end))
    found: list[Mention] = []
    for k, saying in enumerate(said):
        bounds = _end_of_last(said, k, clause[0]), saying.start
        ahead = organs_ahead(words, clause[1], saying, organs, others)
        if ahead and _is_copular(words, saying, clause[0]) and subjects_before(words, bounds, organs, mentions, others):
            ahead = []  # "the heart is enlarged pulmonary vascularity is normal": two clauses that nothing parts
        if ahead and _follows_size(words, saying, clause[0]):
            ahead = []  # "heart size enlarged mediastinal contours stable"
        if ahead:
            found += _of_organs(words, clause[1], saying, ahead, attributive=True)
            continue
        study = _study_ahead(saying, clause[1], mentions)
        if study and saying.normal is not None:
            found.append(_normality("normal_study", saying, reach=study))
            continue
        if not saying.is_noun and _modifies_a_noun(words, saying.end, clause[1], mentions):
            continue
        behind = subjects_before(words, bounds, organs, mentions, others)
        if behind:
            found += _of_organs(words, clause[1], saying, behind, attributive=saying.is_noun)
        elif saying.normal is not None:
            found += _of_the_whole(words, clause, saying, mentions)
    return found


def _is_copular(words: Words, saying: Saying, first: int) -> bool:
    """Tell whether a copula stands before the saying, adverbs apart."""
    i = saying.start - 1
    while i > first and words.lower[i].endswith("ly"):
        i -= 1
    return i >= first and words.lower[i] in _COPULAS


def _follows_size(words: Words, saying: Saying, first: int) -> bool:
    """Tell whether "size" stands before the saying, adverbs apart, so that it is said of what has the size."""
    i = saying.start - 1
    while i > first and words.lower[i].endswith("ly"):
        i -= 1
    return i > first and words.lower[i] in SIZES


def _of_organs(
    words: Words, last: int, saying: Saying, organs: Sequence[Mention], *, attributive: bool
) -> list[Mention]:
    ahead = organs[0].start >= saying.end
    found: dict[str, Mention] = {}
    for organ in organs:
        concept = _concept(saying, organ.concept, saying.aspects | _aspects_of(words, organ, last))
        if concept is None or concept in found:
            continue
        kind = lexicon().concepts[concept].kind
        start, end = saying.start, saying.end
        if ahead and (saying.is_noun or kind == "finding"):
            end = max(end, organ.end)  # "an enlarged heart" names the finding as a whole
        elif saying.is_noun and 0 <= saying.start - organ.end <= 1:
            start = organ.start  # "mediastinal widening"
        reach = max(end, _behind_aspects(words, organ.end, last)) if ahead else end
        found[concept] = Mention(
            start, end, concept, kind, saying.normal is False, predicate=True, organs=(organ.concept,),
            organ_at=organ.start, attributive=attributive, reach=reach,
        )  # fmt: skip
    return list(found.values())


def _of_the_whole(words: Words, clause: tuple[int, int], saying: Saying, mentions: Sequence[Mention]) -> list[Mention]:
    """Read "the chest x-ray appears normal", "Is this image normal?", "the patient is healthy"."""
    before = words.lower[clause[0] : saying.start]
    modality = any(
        m.kind == "modality"
        and clause[0] <= m.start
        and m.end <= saying.start
        and not governor(words, m.start, clause[0])
        for m in mentions
    )
    bare = saying.end >= clause[1] or not words.lower[saying.end].isalpha() or is_function_word(words.lower[saying.end])
    if (modality or not _STUDIES.isdisjoint(before)) and bare and not _COPULAS.isdisjoint(before):
        return [_normality("normal_study", saying, reach=0)]
    return [_normality("healthy_patient", saying, reach=0)] if "patient" in before else []


def _normality(concept: str, saying: Saying, *, reach: int) -> Mention:
    return Mention(
        saying.start, saying.end, concept, "normality", saying.normal is False, predicate=True,
        attributive=reach > 0, reach=reach,
    )  # fmt: skip


def _concept(saying: Saying, organ: str, aspects: frozenset[str]) -> str | None:
    """Return the normality or finding of this organ, or None where the lexicon has no such one."""
    known = lexicon()
    if saying.match is None:
        size_only = bool(aspects) and (organ == "heart" or aspects <= SIZES)
        return known.normality_of(organ, size_only=size_only)
    rows = [known.concepts[c] for c in saying.match.concepts]
    exact = [row.id for row in rows if organ in row.structures]
    wider = [row.id for row in rows if known.ancestors(organ).intersection(row.structures)]
    anywhere = [known.specialize(row.id, organ) for row in rows if not row.structures]
    return next(iter([*exact, *wider, *anywhere]), None)


def _aspects_of(words: Words, organ: Mention, last: int) -> frozenset[str]:
    """Read the aspects named with the organ: "heart size", "size of the heart"."""
    found = {w for w in words.lower[organ.start : organ.end] if w in ASPECTS}
    found.update(words.lower[organ.end : _behind_aspects(words, organ.end, last)])
    before = words.lower[max(organ.start - 3, 0) : organ.start]
    if "of" in before:
        found.update(w for w in before if w in ASPECTS)
    return frozenset(found)


def _behind_aspects(words: Words, i: int, last: int) -> int:
    """Return the end of "size", "size and contour" behind an organ's name."""
    while i < last and (
        words.lower[i] in ASPECTS or (words.lower[i : i + 1] == ("and",) and _is_aspect(words, i + 1, last))
    ):
        i += 1
    return i


def _is_aspect(words: Words, i: int, last: int) -> bool:
    return i < last and words.lower[i] in ASPECTS


def _study_ahead(saying: Saying, last: int, mentions: Sequence[Mention]) -> int:
    """Return the end of the study that a word of normality modifies ("a normal brain MRI"), or 0."""
    organ = next((m for m in mentions if m.kind == "organ" and m.start == saying.end), None)
    start = organ.end if organ else saying.end
    return next((m.end for m in mentions if m.kind == "modality" and m.start == start and m.end <= last), 0)


def _modifies_a_noun(words: Words, i: int, last: int, mentions: Sequence[Mention]) -> bool:
    """Tell whether a predicate's words stand before a noun of their own: "filled with prominent nodules"."""
    if i >= last or not words.lower[i].isalpha() or is_function_word(words.lower[i]):
        return False
    if any(m.start == i and m.kind != "organ" for m in mentions):
        return True
    return not words.lower[i].endswith("ly") and words.lower[i] not in _AFTER_PREDICATE


def _end_of_last(said: Sequence[Saying], k: int, first: int) -> int:
    """Return where the subject of saying k may begin: coordinated predicates ("enlarged and abnormal") share theirs."""
    for earlier in reversed(said[:k]):
        if said[k].start - earlier.end > 2:
            return earlier.end
    return first
