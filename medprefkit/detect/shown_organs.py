"""Claims that an organ is in the picture: "the image shows the liver", "the spleen is visible"."""

from collections.abc import Sequence

from medprefkit.detect.attributes import Mark
from medprefkit.detect.drafts import Draft
from medprefkit.detect.phrases import phrase_of
from medprefkit.detect.polarity import apply_cues
from medprefkit.detect.scopes import Cue
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import DISPLAY_VERBS, PREPOSITIONS, SEEN


def organs_shown(
    words: Words,
    sentence: tuple[int, int],
    clause: tuple[int, int],
    organs: Sequence[Mention],
    made: Sequence[Draft],
    marks: dict[int, Mark],
    cues: Sequence[Cue],
) -> list[Draft]:
    """Return claims that organs are in the picture: "the image shows the liver", "the spleen is visible"."""
    used = {i for d in made for i in range(d.phrase[0], d.phrase[1])}
    used |= {m.start for d in made for m in d.marks}
    said_of = {o for d in made if d.predicate for o in d.anatomy}
    shown = [i for i in range(*clause) if words.lower[i] in DISPLAY_VERBS]
    seen = any(words.lower[i] in SEEN - {"there"} for i in range(*clause))
    found: list[Draft] = []
    for organ in organs:
        alone = used.isdisjoint(range(organ.start, organ.end)) and not _is_place(words, organ, clause[0])
        if organ.concept in said_of or not alone or not (any(i < organ.start for i in shown) or (seen and not made)):
            continue
        bounds = clause[0], clause[1]
        own = frozenset(range(organ.start, organ.end))
        phrase = phrase_of(words, organ.start, organ.end, bounds, marks, own)
        draft = Draft(organ.start, organ.end, organ.concept, "organ", sentence, clause, (phrase[0], organ.end))
        draft.marks += marks_inside(organ, draft.phrase, marks)
        apply_cues(words, draft, cues, contrary=False)
        found.append(draft)
    return found


def _is_place(words: Words, organ: Mention, first: int) -> bool:
    """Tell whether an organ only says where: "in the lung", "of the chest"."""
    before = words.lower[max(first, organ.start - 4) : organ.start]
    return any((word in PREPOSITIONS and word != "with") or word.endswith("ing") for word in before)


def marks_inside(mention: Mention, phrase: tuple[int, int], marks: dict[int, Mark]) -> list[Mark]:
    found: list[Mark] = []
    for i in range(*phrase):
        mark = marks.get(i)
        if mark is None or mark.start != i or mark.end > phrase[1]:
            continue
        if mention.keeps(mark):
            found.append(mark)
    return found
