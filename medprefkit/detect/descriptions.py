"""What a sentence says of a finding that it takes as given: "the mass is calcified", "appears well-defined"."""

from collections.abc import Sequence

from medprefkit.detect.attributes import Mark
from medprefkit.detect.drafts import Draft
from medprefkit.detect.phrases import predicate_of
from medprefkit.detect.polarity import apply_cues
from medprefkit.detect.scopes import Cue
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag
from medprefkit.records import ClaimKind

COPULAS = bag("is are was were be appears appear seems seem looks look remains remain")
_DEFINITE = bag("the this these that those")
_KIND: dict[str, ClaimKind] = {
    "descriptor": "descriptor",
    "severity": "descriptor",
    "temporal": "descriptor",
    "quantity": "quantity",
    "measurement": "measurement",
    "laterality": "location",
}


def kind_of(mark: Mark) -> ClaimKind:
    """Return the kind of a claim that consists of an attribute."""
    return _KIND.get(mark.kind, "location")


def describe_subjects(
    words: Words, clause: tuple[int, int], drafts: Sequence[Draft], marks: dict[int, Mark], cues: Sequence[Cue]
) -> list[Draft]:
    """Return a claim for each attribute that the clause says of a definite finding, by a verb of being.

    Args:
        words: The text.
        clause: Range of tokens.
        drafts: The clause's claims; the first is the subject, if it is a definite finding before the verb.
        marks: Attributes by each of their tokens.
        cues: The clause's cues.
    """
    subject = next((d for d in drafts if d.kind in {"finding", "other"}), None)
    if subject is None or subject.predicate or words.lower[subject.phrase[0]] not in _DEFINITE:
        return []
    copula = next((i for i in range(subject.end, clause[1]) if words.lower[i] in COPULAS), None)
    if copula is None or copula - subject.end > 5:
        return []
    taken = {i for d in drafts for i in range(*d.phrase)}
    found: list[Draft] = []
    i = copula + 1
    while i < clause[1] and (
        words.lower[i] in {"to", "be", "not", "and", ",", "a", "an"} or words.lower[i].endswith("ly") or i in marks
    ):
        mark = marks.get(i)
        if mark is None or mark.kind not in {"descriptor", "quantity"} or i in taken:
            i += 1
            continue
        first = predicate_of(words, mark.start, (copula + 1, clause[1]), marks)
        draft = Draft(
            mark.start, mark.end, mark.value, kind_of(mark), subject.sentence, clause, (first, mark.end), predicate=True
        )
        draft.anatomy = [subject.concept]
        apply_cues(words, draft, cues, contrary=False)
        found.append(draft)
        i = mark.end
    return found
