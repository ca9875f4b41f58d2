"""Findings and normality that are said of an organ: "the heart is enlarged", "widened mediastinum", "lungs clear".

The lexicon's predicates ("is enlarged") and nouns of change ("+widening") mean nothing alone; here they meet the organ that
they are said of. Words of normality ("within normal limits") make the normality of that organ.
"""

from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Match, Mention
from medprefkit.detect.words import DETERMINERS, DISPLAY_VERBS, PARTICIPLES, PREPOSITIONS, VERBS, bag, is_function_word
from medprefkit.lexicon import lexicon

_NORMAL = (
    "within normal limits", "within the normal limits", "within limits of normal", "within normal range", "within the normal range",
    "within the limits of normal", "normal limits", "normal", "unremarkable", "healthy", "normally", "in normal limits",
    "without abnormality", "grossly normal",
)  # fmt: skip
_ABNORMAL = ("abnormal", "unhealthy", "distorted", "abnormally")
_SIZE = bag("size sized width caliber calibre volume dimensions diameter large")
_ASPECTS = _SIZE | bag(
    "contour contours shape configuration appearance position silhouette structure texture alignment"
)
_SUBJECTS = bag("image picture study examination exam scan radiograph film everything x-ray imaging view views")
_AFTER_PREDICATE = bag("appearing looking sized today overall enough then again no without")
_COPULAS = bag("is are was were be been appears appear appearing seems seem remains remain looks look")


class _Said(NamedTuple):
    """Tokens [start, end) say `normal` (True), abnormal (False), or one of the lexicon's predicates (None)."""

    start: int
    end: int
    normal: bool | None
    match: Match | None
    aspects: frozenset[str]


def find_predicates(
    words: Words, clause: tuple[int, int], mentions: Sequence[Mention], matches: Sequence[Match]
) -> list[Mention]:
    """Return what the clause says of organs, one mention for each organ, in order of position."""
    organs = [m for m in mentions if m.kind == "organ" and not names_a_study(m, mentions)]
    places = {(m.start, m.end) for m in matches}
    names = [m for m in mentions if m.kind != "organ" and (m.start, m.end) not in places]
    named = {i for m in names for i in range(m.start, m.end)}
    said = [s for s in _sayings(words, clause, matches) if not named.intersection(range(s.start, s.end))]
    others = frozenset(i for s in said for i in range(s.start, s.end))
    found: list[Mention] = []
    for k, saying in enumerate(said):
        after = _end_of_last(said, k, clause[0])
        found += _resolve(words, clause, saying, organs, after, mentions, others)
    return found


def _end_of_last(said: Sequence[_Said], k: int, first: int) -> int:
    """Return where the subject of saying k may begin: coordinated predicates ("enlarged and abnormal") share theirs."""
    for earlier in reversed(said[:k]):
        if said[k].start - earlier.end > 2:
            return earlier.end
    return first


def _sayings(words: Words, clause: tuple[int, int], matches: Sequence[Match]) -> list[_Said]:
    found: list[_Said] = []
    i = clause[0]
    while i < clause[1]:
        saying = _normal_at(words, i, clause[1]) or _match_at(i, clause, matches)
        if saying:
            found.append(saying)
        i = saying.end if saying else i + 1
    return found


def _match_at(i: int, clause: tuple[int, int], matches: Sequence[Match]) -> _Said | None:
    for match in matches:
        if match.start == i and match.end <= clause[1]:
            return _Said(match.start, match.end, None, match, frozenset())
    return None


def _normal_at(words: Words, i: int, last: int) -> _Said | None:
    for phrases, normal in ((_NORMAL_WORDS, True), (_ABNORMAL_WORDS, False)):
        for phrase in phrases:
            if words.lower[i : i + len(phrase)] == phrase and i + len(phrase) <= last:
                end, aspects = _aspects_after(words, i + len(phrase), last)
                return _Said(i, end, normal, None, aspects)
    return None


def _aspects_after(words: Words, i: int, last: int) -> tuple[int, frozenset[str]]:
    """Read "in size and contour" behind a predicate; return its end and the aspects."""
    if i + 1 < last and words.lower[i] == "-" and words.lower[i + 1] in _ASPECTS:  # "normal-sized heart"
        return i + 2, frozenset({words.lower[i + 1]})
    if i >= last or words.lower[i] not in {"in", "for", *_ASPECTS}:
        return i, frozenset()
    found: list[str] = []
    end = i
    j = i + (words.lower[i] in {"in", "for"})
    while j < last and (words.lower[j] in _ASPECTS or (found and words.lower[j] in {"and", ",", "or"})):
        if words.lower[j] in _ASPECTS:
            found.append(words.lower[j])
            end = j + 1
        j += 1
    return (end, frozenset(found)) if found else (i, frozenset())


def _resolve(
    words: Words,
    clause: tuple[int, int],
    saying: _Said,
    organs: Sequence[Mention],
    subject_from: int,
    mentions: Sequence[Mention],
    others: frozenset[int],
) -> list[Mention]:
    ahead = _organs_ahead(words, clause, saying, organs, others)
    modifies = not ahead and not _is_noun(saying) and _modifies_a_noun(words, saying.end, clause[1], mentions)
    behind = [] if ahead or modifies else _subjects(words, subject_from, saying.start, organs, mentions)
    if saying.match and saying.match.noun and not ahead and not behind:
        return []
    subjects = ahead or behind
    found: list[Mention] = []
    for organ in subjects:
        aspects = saying.aspects | _aspects_of(words, organ, clause[1])
        concept = _concept(saying, organ.concept, aspects)
        if concept is None or any(f.concept == concept for f in found):
            continue
        kind = lexicon().concepts[concept].kind
        start, end = saying.start, saying.end
        noun = saying.match is not None and saying.match.noun
        if ahead and (noun or kind == "finding"):
            end = max(end, organ.end)
        elif behind and noun and saying.start - organ.end <= 1 and organ.end <= saying.start:
            start = organ.start  # "mediastinal widening"
        found.append(
            Mention(start, end, concept, kind, saying.normal is False, predicate=True, organs=(organ.concept,),
                    attributive=bool(ahead) or noun,
                    reach=max(end, _after_aspects(words, organ.end, clause[1])) if ahead else end)
        )  # fmt: skip
    study = _study_ahead(saying, clause[1], mentions)
    if saying.normal is not None and study and not subjects:
        found.append(
            Mention(saying.start, saying.end, "normal_study", "normality", saying.normal is False, predicate=True,
                    attributive=True, reach=study)
        )  # fmt: skip
        return found
    if modifies:
        return []
    if not subjects and saying.normal is not None and _speaks_of_the_study(words, clause, saying, mentions):
        found.append(
            Mention(saying.start, saying.end, "normal_study", "normality", saying.normal is False, predicate=True)
        )
    elif not subjects and saying.normal is not None and "patient" in words.lower[clause[0] : saying.start]:
        found.append(
            Mention(saying.start, saying.end, "healthy_patient", "normality", saying.normal is False, predicate=True)
        )
    return found


def _study_ahead(saying: _Said, last: int, mentions: Sequence[Mention]) -> int:
    """Return the end of the study that a word of normality modifies ("a normal brain MRI"), or 0."""
    i = saying.end
    organ = next((m for m in mentions if m.kind == "organ" and m.start == i), None)
    i = organ.end if organ else i
    return next((m.end for m in mentions if m.kind == "modality" and m.start == i and m.end <= last), 0)


def _is_noun(saying: _Said) -> bool:
    return saying.match is not None and saying.match.noun


def names_a_study(organ: Mention, mentions: Sequence[Mention]) -> bool:
    """Tell whether an organ only names a study: the "chest" of "chest X-ray"."""
    return any(m.kind == "modality" and m.start == organ.end for m in mentions)


def _modifies_a_noun(words: Words, i: int, last: int, mentions: Sequence[Mention]) -> bool:
    """Tell whether a predicate's words stand before a noun of their own: "filled with prominent nodules"."""
    if i >= last or not words.lower[i].isalpha() or is_function_word(words.lower[i]):
        return False
    if any(m.start == i and m.kind != "organ" for m in mentions):
        return True
    return not words.lower[i].endswith("ly") and words.lower[i] not in _AFTER_PREDICATE


def _organs_ahead(
    words: Words, clause: tuple[int, int], saying: _Said, organs: Sequence[Mention], others: frozenset[int]
) -> list[Mention]:
    """Return the organs of "clear lungs", "normal heart size and mediastinal contours", "enlargement of the heart"."""
    noun = saying.match is not None and saying.match.noun
    i = saying.end
    if noun:
        if i < clause[1] and words.lower[i] in {"of", "in"}:
            i += 1
        elif not any(o.start in {i, i + 1} and o.end <= clause[1] for o in organs):  # "elevation right hemidiaphragm"
            return []
    elif i < clause[1] and words.lower[i] == "of" and saying.aspects:  # "normal size and configuration of the heart"
        i += 1
    elif i < clause[1] and words.lower[i] in {"of", "in"}:
        return []
    found: list[Mention] = []
    while i < clause[1]:
        organ = next((o for o in organs if o.start == i), None)
        if organ:
            found.append(organ)
            i = organ.end
        elif (words.lower[i] in {"and", ",", "or"} and found and _organ_soon(words, i + 1, clause[1], organs)) or (
            words.lower[i] in {"and", ","} and not found and i + 1 in others
        ):
            i += 1
        elif not is_function_word(words.lower[i]) and (words.lower[i].isalpha() or words.lower[i] == "-"):
            if found and words.lower[i] not in _ASPECTS and words.lower[i] not in DETERMINERS:
                return [] if _head_follows(words, i, clause[1]) and not noun else found
            i += 1
            if not found and i - saying.end > 4:
                return []
        else:
            break
    return found


def _organ_soon(words: Words, i: int, last: int, organs: Sequence[Mention]) -> bool:
    """Tell whether the next noun after a coordinator is an organ: "heart and mediastinum", not "heart and no ..."."""
    while i < last and (words.lower[i] in {"and", ",", "or", "the"}):
        i += 1
    return (
        any(o.start in {i, i + 1} for o in organs) and i < last and words.lower[i] not in {"no", "without", "is", "are"}
    )


def _head_follows(words: Words, i: int, last: int) -> bool:
    """Tell whether an organ only modifies another noun: "abnormal lung function", "normal heart examination"."""
    return (
        i < last
        and words.lower[i] not in _ASPECTS
        and words.lower[i].endswith(("s", "n", "y", "t", "e", "s"))
        and words.lower[i]
        not in {
            "structures",
            "structure",
            "bilaterally",
            "system",
            "markings",
            "fields",
            "field",
            "size",
            "spaces",
            "space",
            "tissue",
            "parenchyma",
            "markers",
            "bases",
            "pattern",
        }
    )


def _subjects(
    words: Words, first: int, end: int, organs: Sequence[Mention], mentions: Sequence[Mention]
) -> list[Mention]:
    """Return the organs of the subject before a predicate: "heart and mediastinum are", not those of "of the chest"."""
    before = [o for o in organs if first <= o.start and o.end <= end]
    found: list[Mention] = []
    for organ in before:
        governed = _governor(words, organ.start, first)
        if governed == "of" and found:
            continue
        if governed and governed not in {"of"} and found:
            continue
        if governed and governed != "of":
            continue
        found.append(organ)
    gap = words.lower[found[-1].end : end] if found else ()
    between = [
        m for m in mentions if found and m.kind in {"finding", "device"} and found[-1].end <= m.start and m.end <= end
    ]
    if between or any(word in DISPLAY_VERBS - {"has", "have", "shows", "show"} for word in gap):
        return [] if between else found
    return found


def _governor(words: Words, i: int, first: int) -> str:
    """Return the preposition that governs the noun phrase of token i, or the empty string."""
    for j in range(i - 1, max(first, i - 5) - 1, -1):
        word = words.lower[j]
        if word in PREPOSITIONS:
            return word
        if word in VERBS or word in PARTICIPLES or word in {",", ".", "and", "or"}:
            return ""
    return ""


def _aspects_of(words: Words, organ: Mention, last: int) -> frozenset[str]:
    """Read the aspects named with the organ: "heart size", "size of the heart"."""
    inside = words.lower[organ.start : organ.end]
    after = words.lower[organ.end : min(organ.end + 3, last)]
    before = words.lower[max(organ.start - 3, 0) : organ.start]
    found = {w for w in inside if w in _ASPECTS}
    found |= {
        w
        for w, previous in zip(after, ("", *after), strict=False)
        if w in _ASPECTS and (not previous or previous in _ASPECTS | {"and"})
    }
    if "of" in before:
        found |= {w for w in before if w in _ASPECTS}
    return frozenset(found)


def _after_aspects(words: Words, i: int, last: int) -> int:
    while i < last and words.lower[i] in _ASPECTS:
        i += 1
    return i


def _concept(saying: _Said, organ: str, aspects: frozenset[str]) -> str | None:
    known = lexicon()
    if saying.match is None:
        looks_only = bool(aspects) and (organ == "heart" or aspects <= _SIZE)
        return known.normality_of(organ, size_only=looks_only)
    for concept in saying.match.concepts:
        if organ in known.concepts[concept].structures:
            return concept
    broad = [c for c in saying.match.concepts if known.ancestors(organ).intersection(known.concepts[c].structures)]
    if broad:
        return broad[0]
    anywhere = [c for c in saying.match.concepts if not known.concepts[c].structures]
    return known.specialize(anywhere[0], organ) if anywhere else None


def _speaks_of_the_study(words: Words, clause: tuple[int, int], saying: _Said, mentions: Sequence[Mention]) -> bool:
    """Tell whether the subject is the image itself: "the chest x-ray appears normal", "Is this image normal?"."""
    before = range(clause[0], saying.start)
    study = any(words.lower[i] in _SUBJECTS for i in before) or any(
        m.kind == "modality" and m.end <= saying.start and m.start >= clause[0] for m in mentions
    )
    copula = any(words.lower[i] in _COPULAS for i in before)
    last = saying.end >= clause[1] or not words.lower[saying.end].isalpha() or is_function_word(words.lower[saying.end])
    return study and copula and last


_NORMAL_WORDS = tuple(sorted((Words(p).lower for p in _NORMAL), key=len, reverse=True))
_ABNORMAL_WORDS = tuple(Words(p).lower for p in _ABNORMAL)
