"""Where a claim is: words behind its phrase ("in the right lower lobe"), at the clause's head, or the subject's own."""

from collections.abc import Sequence

from medprefkit.detect.attributes import Mark
from medprefkit.detect.drafts import Draft
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import DETERMINERS, DISPLAY_VERBS, PARTICIPLES, bag
from medprefkit.lexicon import lexicon

_PLACING = bag(
    "in of at within on over involving near along throughout overlying projecting to into affecting around occupying"
    " filling"
)
_LINKS = PARTICIPLES | bag("is are was were that which be can clearly primarily mainly mostly predominantly appears")
_PLACE_NOUNS = bag("""lobe lobes zone zones field fields side sides region regions area areas portion part parts aspect
    aspects half third quadrant quadrants lung hemithorax corner segment segments and or , - / of the chest level cavity
    image picture space""")
_DEVICE_ENDS = bag("tip tips terminates terminating ends ending projects with its the distal lead leads overlies")
_SITES = frozenset({"finding", "device", "other"})


def attach_places(
    words: Words, clause: tuple[int, int], drafts: Sequence[Draft], organs: Sequence[Mention], marks: dict[int, Mark]
) -> None:
    """Give the clause's findings and devices the side, place and organs that are said of them, and their organ's form.

    A place behind the last of a list holds for the whole list, unless a member has a side of its own.
    """
    by_token = {o.start: o for o in organs}
    sited = [d for d in drafts if d.kind in _SITES]
    for draft in reversed(sited):
        if draft.predicate:
            continue
        first = _behind_device(words, draft, clause[1]) if draft.kind == "device" else draft.phrase[1]
        found = _behind(words, first, clause[1], by_token, marks)
        if not found[0] and not found[1] and not draft.anatomy:
            follower = next((d for d in sited if _joined(words, draft, d)), None)
            if follower and not any(m.kind == "laterality" for m in draft.marks):
                found = _behind(words, follower.phrase[1], clause[1], by_token, marks)
                inside = [m for m in follower.marks if m.start >= follower.end and m.kind in {"laterality", "location"}]
                found = found[0] + inside, found[1]
        draft.marks += [m for m in found[0] if m not in draft.marks]
        draft.anatomy += found[1]
    heading = _at_head(words, clause, by_token, marks, sited)
    for draft in sited:
        if not draft.anatomy and heading:
            draft.anatomy += heading[1]
            if not any(m.kind == "laterality" for m in draft.marks):
                draft.marks += [m for m in heading[0] if m.kind in {"laterality", "location"}]
        _take_organs_form(draft)


def _behind_device(words: Words, draft: Draft, last: int) -> int:
    """Return the token behind what says how a device ends: "tip", "with its tip", "terminates"."""
    i = draft.phrase[1]
    while i < last and words.lower[i] in _DEVICE_ENDS:
        i += 1
    return i


def _joined(words: Words, left: Draft, right: Draft) -> bool:
    gap = words.lower[left.phrase[1] : right.phrase[0]]
    return 0 < len(gap) <= 2 and set(gap) <= {",", "and", "or"}


def _behind(
    words: Words, i: int, last: int, organs: dict[int, Mention], marks: dict[int, Mark]
) -> tuple[list[Mark], list[str]]:
    found: list[Mark] = []
    where: list[str] = []
    while i < last:
        j = i
        while j < last and j - i < 4 and words.lower[j] in _LINKS:
            j += 1
        if j == i and not found and not where:
            bare = _bare_place(words, i, last, organs, marks)
            if bare:
                return bare
        if j >= last or words.lower[j] not in _PLACING:
            break
        end, more, names = _place_phrase(words, j + 1, last, organs, marks)
        if not more and not names:
            break
        found += more
        where += names
        i = end
    return found, where


def _bare_place(
    words: Words, i: int, last: int, organs: dict[int, Mention], marks: dict[int, Mark]
) -> tuple[list[Mark], list[str]] | None:
    """Read a place without a preposition that ends the clause: "degenerative changes thoracic spine ."."""
    if i >= last or not (i in organs or (i in marks and marks[i].kind in {"laterality", "location"})):
        return None
    end, found, names = _place_phrase(words, i, last, organs, marks)
    return (found, names) if end == last or words.lower[end] in {".", ","} else None


def _place_phrase(
    words: Words, i: int, last: int, organs: dict[int, Mention], marks: dict[int, Mark]
) -> tuple[int, list[Mark], list[str]]:
    """Read "the right and left lower lobes of the lung"; return its end, its marks and its organs."""
    found: list[Mark] = []
    names: list[str] = []
    while i < last:
        mark, organ = marks.get(i), organs.get(i)
        if organ:
            names.append(organ.concept)
            found += [
                m for k in range(organ.start, organ.end) if (m := marks.get(k)) and m.start == k and organ.keeps(m)
            ]
            found += _organ_as_place(organ, found)
            i = organ.end
        elif mark and mark.start == i and mark.kind in {"laterality", "location", "quantity", "severity", "descriptor"}:
            if mark.kind in {"laterality", "location"}:
                found.append(mark)
            i = mark.end
        elif (
            words.lower[i] in DETERMINERS
            or (words.lower[i] in _PLACE_NOUNS and words.lower[i] != ",")
            or (words.lower[i] == "," and i + 1 in marks and marks[i + 1].kind in {"laterality", "location"})
            or (names and words.lower[i] == "," and _lists_organs(words, i, last, organs))
        ):
            i += 1
        else:
            break
    return i, found, names


def _lists_organs(words: Words, i: int, last: int, organs: dict[int, Mention]) -> bool:
    """Tell whether a list of organs goes on from token i to its "and" or "or": "in the heart, lungs, or spine"."""
    joined = False
    while i < last:
        if i in organs:
            i = organs[i].end
            if joined:
                return True
        elif words.lower[i] in {",", "the", "and", "or"}:
            joined = joined or words.lower[i] in {"and", "or"}
            i += 1
        else:
            return False
    return False


def _organ_as_place(organ: Mention, found: Sequence[Mark]) -> list[Mark]:
    """Return the organ as a location, unless a zone word inside its name already is one ("upper lobe")."""
    if any(organ.start <= m.start < organ.end and m.kind == "location" for m in found):
        return []
    return [Mark(organ.start, organ.end, "location", organ.concept)]


def _at_head(
    words: Words, clause: tuple[int, int], organs: dict[int, Mention], marks: dict[int, Mark], sited: Sequence[Draft]
) -> tuple[list[Mark], list[str]] | None:
    """Return the place at the head of the clause: "In the left lung, ...", "The right lung shows ...", or None."""
    first, last = clause
    if not sited:
        return None
    if words.lower[first] in {"in", "within", "at", "on"}:
        return _place_phrase(words, first + 1, last, organs, marks)[1:]
    display = next((i for i in range(first, sited[0].start) if words.lower[i] in DISPLAY_VERBS), None)
    if display is None or not any(first <= o < display for o in organs):
        return None
    if {"image", "ray", "scan", "picture", "radiograph"} & set(words.lower[first:display]):
        return None
    return _place_phrase(words, first, display, organs, marks)[1:]


def _take_organs_form(draft: Draft) -> None:
    """Make "mass" of the lung a `lung_mass`, and drop places that the finding's name already says."""
    if draft.kind != "finding" or draft.concept not in lexicon().concepts:
        return
    known = lexicon()
    structures = known.concepts[draft.concept].structures
    usual = known.ancestors("lung").union(*(known.ancestors(organ) for organ in structures))
    zoned = any(m.kind == "location" and m.value not in known.concepts for m in draft.marks)
    draft.marks = [m for m in draft.marks if m.kind != "location" or m.value not in known.concepts
                   or not (zoned or m.value in usual)]  # fmt: skip
    if draft.concept == "abnormality" and len({known.specialize(draft.concept, o) for o in draft.anatomy}) > 1:
        return  # of several organs: no one form says it
    for organ in draft.anatomy:
        form = known.specialize(draft.concept, organ)
        if form != draft.concept:
            draft.concept = form
            break
