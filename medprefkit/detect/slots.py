"""Which claims of an answer fill the question's slot: the whole of a short answer, or the new words of a sentence.

Where the slot's words cannot be told from the rest, there is no slot claim: the statements stand alone.
"""

from collections.abc import Sequence

from medprefkit.detect.attributes import Mark
from medprefkit.detect.drafts import Draft
from medprefkit.detect.questions import Question, Slot
from medprefkit.detect.sentences import split_sentences
from medprefkit.detect.short_answers import read_short_answer
from medprefkit.detect.slot_words import KIND_OF_SLOT, SlotReader
from medprefkit.detect.subjects import names_a_study
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import VERBS

_SHORT = 8  # tokens of a short answer, which is all slot
_PICTURE_SLOTS: tuple[Slot, Slot] = ("modality", "view_plane")
"""Questions mix these up: "What type of MRI is this?" asks for a weighting."""


def read_slot(
    words: Words, question: Question, drafts: Sequence[Draft], mentions: Sequence[Mention], marks: Sequence[Mark]
) -> list[Draft]:
    """Return the claims with those that fill the question's slot marked or added.

    Args:
        words: The text; not empty.
        question: What was asked; its slot says what kind of words to look for.
        drafts: The text's statements.
        mentions: What the text names.
        marks: Its attributes.
    """
    slot = _slot_of_choice(words, question, mentions, marks)
    if len(words) <= _SHORT and not any(word in VERBS for word in words.lower):
        return read_short_answer(words, slot, drafts, mentions, marks)
    first = split_sentences(words)[0]
    reader = SlotReader(words, question, tuple(marks), tuple(mentions), first)
    if slot not in {"finding", "modality", "view_plane", "organ"}:
        return _with(drafts, reader.place_or_attribute(slot))
    for wanted in (slot, *(s for s in _PICTURE_SLOTS if slot in _PICTURE_SLOTS)):
        fresh = [d for d in drafts if first[0] <= d.start < first[1] and _fills(reader, d, wanted)]
        if fresh:
            return _mark_answer(drafts, fresh)
    return [*drafts, *reader.names(KIND_OF_SLOT[slot])]


def _slot_of_choice(words: Words, question: Question, mentions: Sequence[Mention], marks: Sequence[Mark]) -> Slot:
    """Return the slot of "left or right", "CT or MRI", "heart or lung": the kind of what the answer repeats of it."""
    if not question.choice:
        return question.slot
    if {"left", "right"} <= question.words:
        return "laterality"
    repeated = [
        m
        for m in mentions
        if m.concept in question.concepts or question.words.intersection(words.lower[m.start : m.end])
    ]
    kinds = {m.kind for m in repeated if m.kind != "organ" or not names_a_study(m, mentions)}
    if KIND_OF_SLOT[question.slot] in kinds and question.slot != "finding":
        return question.slot
    if any(m.kind == "descriptor" and words.lower[m.start] in question.words for m in marks):
        return "descriptor"
    offered: tuple[Slot, ...] = ("view_plane", "organ", "modality", "finding")
    return next((kind for kind in offered if kind in kinds), question.slot)


def _fills(reader: SlotReader, draft: Draft, slot: Slot) -> bool:
    if draft.role == "definition":
        return False
    if slot == "finding":
        new = draft.polarity == "denied" or reader.is_new(draft.start, draft.end, draft.concept)
        return draft.kind == "normality" or (draft.kind == "finding" and new)
    return draft.kind == KIND_OF_SLOT[slot] and reader.is_new(draft.start, draft.end, draft.concept)


def _mark_answer(drafts: Sequence[Draft], fresh: Sequence[Draft]) -> list[Draft]:
    """Mark the first new claim, and its whole list, as the answer."""
    for draft in fresh:
        if draft is fresh[0] or (draft.list_id is not None and draft.list_id == fresh[0].list_id):
            draft.role = "slot_answer"
    return list(drafts)


def _with(drafts: Sequence[Draft], filled: Draft | None) -> list[Draft]:
    """Add the slot claim, or mark the statement that already has its words."""
    if filled is None:
        return list(drafts)
    for draft in drafts:
        if (draft.start, draft.end, draft.kind) == (filled.start, filled.end, filled.kind):
            draft.role = "slot_answer"
            return list(drafts)
    return [*drafts, filled]
