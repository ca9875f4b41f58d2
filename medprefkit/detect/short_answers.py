"""Answers without a sentence ("Right upper lobe", "MRI T2-weighted", "2", "Heart, Liver"): all of it is slot."""

from collections.abc import Sequence
from itertools import pairwise

from medprefkit.detect.attributes import Mark, millimetres
from medprefkit.detect.drafts import Draft
from medprefkit.detect.open_words import open_concept
from medprefkit.detect.questions import Slot
from medprefkit.detect.slot_words import KIND_OF_SLOT
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.records import ClaimKind

_PICTURE = frozenset({"modality", "view_plane"})


def read_short_answer(
    words: Words, slot: Slot, drafts: Sequence[Draft], mentions: Sequence[Mention], marks: Sequence[Mark]
) -> list[Draft]:
    """Return a slot claim for each member of a list, or one for the whole text without its final stop.

    Args:
        words: The text; not empty.
        slot: What was asked for.
        drafts: The text's statements; a finding that is the answer becomes the slot claim itself.
        mentions: What the text names.
        marks: Its attributes.
    """
    end = len(words)
    while end > 1 and not words.lower[end - 1].isalnum():
        end -= 1
    kind = KIND_OF_SLOT[slot]
    listed = [m for m in mentions if m.kind == kind]
    joined = all(set(words.lower[a.end : b.start]) <= {",", "and", "or", "&", "/"} for a, b in pairwise(listed))
    findings = [d for d in drafts if d.kind == "finding"]
    if kind == "finding" and len({d.list_id for d in findings} - {None}) == 1 < len(findings):
        for draft in findings:
            draft.role = "slot_answer"
        return list(drafts)
    if kind == "organ" and len(listed) > 1 and joined:
        return [_filled(words, (m.start, m.end), m.concept, kind, marks, m, list_id=0) for m in listed]
    main = _main(kind, mentions)
    same = next((d for d in drafts if main and (d.start, d.end) == (main.start, main.end)), None)
    if same and kind == "finding":
        same.role, same.phrase = "slot_answer", (0, end)
        return list(drafts)
    concept = _concept(words, kind, main, marks)
    if main and (kind == "other" or {kind, main.kind} == _PICTURE):
        kind = main.kind
    return [_filled(words, (0, end), concept, kind, marks, main, list_id=None)]


def _main(kind: ClaimKind, mentions: Sequence[Mention]) -> Mention | None:
    """Return the mention that the answer is: the last of the kind, since modifiers come first; or None."""
    if kind in {"quantity", "measurement"}:
        return None
    alike = {kind, "organ"} if kind == "location" else {kind}
    first_choice = [m for m in mentions if kind == "other" or m.kind in alike]
    second_choice = [m for m in mentions if kind in _PICTURE and m.kind in _PICTURE]
    found = first_choice or second_choice
    return found[-1] if found else None


def _concept(words: Words, kind: ClaimKind, main: Mention | None, marks: Sequence[Mark]) -> str:
    if kind == "quantity":
        return next((m.value for m in marks if m.kind == "quantity"), open_concept(words))
    if kind == "measurement":
        return millimetres(words.text) or open_concept(words)
    return main.concept if main else open_concept(words)


def _filled(
    words: Words,
    bounds: tuple[int, int],
    concept: str,
    kind: ClaimKind,
    marks: Sequence[Mark],
    main: Mention | None,
    *,
    list_id: int | None,
) -> Draft:
    whole = 0, len(words)
    draft = Draft(*bounds, concept, kind, whole, whole, bounds, role="slot_answer", list_id=list_id)
    draft.marks = [m for m in marks if bounds[0] <= m.start and m.end <= bounds[1] and (not main or main.keeps(m))]
    if words.lower[0] in {"not", "none"}:  # "Not seen", "none"
        draft.polarity, draft.cue = "denied", (0, 1)
    if main and main.kind == "organ":
        draft.anatomy = [main.concept]
    return draft
