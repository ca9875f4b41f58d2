"""The words of an answer that fill a question's slot: the whole of a short answer, or the new words of a sentence.

Where the slot's words cannot be told from the rest, there is no slot claim: the statements stand alone.
"""

from collections.abc import Sequence
from itertools import pairwise

from medprefkit.detect.attributes import Mark, find_marks, millimetres
from medprefkit.detect.drafts import Draft
from medprefkit.detect.questions import Question, Slot
from medprefkit.detect.sentences import split_sentences
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.words import DETERMINERS, VERBS, bag
from medprefkit.detect.yes_no import open_concept
from medprefkit.records import ClaimKind

_SHORT = 8  # tokens of a short answer, which is all slot
_KIND: dict[Slot, ClaimKind] = {
    "modality": "modality",
    "view_plane": "view_plane",
    "organ": "organ",
    "location": "location",
    "laterality": "location",
    "quantity": "quantity",
    "measurement": "measurement",
    "descriptor": "descriptor",
    "finding": "finding",
    "other": "other",
}
_MARKS: dict[Slot, frozenset[str]] = {
    "location": frozenset({"laterality", "location"}),
    "laterality": frozenset({"laterality", "location"}),
    "quantity": frozenset({"quantity"}),
    "measurement": frozenset({"measurement"}),
    "descriptor": frozenset({"descriptor", "severity", "quantity"}),
}
_PLACE_NOUNS = bag("lobe lung zone field side quadrant region hemisphere part corner area of the hemithorax")


def read_slot(words: Words, question: Question, drafts: Sequence[Draft], mentions: Sequence[Mention]) -> list[Draft]:
    """Return the claims with those that fill the question's slot marked or added.

    Args:
        words: The text.
        question: What was asked; its slot says what kind of words to look for.
        drafts: The text's statements.
        mentions: What the text names.
    """
    first = split_sentences(words)[0]
    marks = find_marks(words)
    slot = _slot_of_choice(question, mentions)
    if len(words) <= _SHORT and not any(word in VERBS for word in words.lower):
        return _whole_text(words, slot, drafts, mentions, marks)
    if slot in {"finding", "modality", "view_plane", "organ"}:
        fresh = [d for d in drafts if first[0] <= d.start < first[1] and _fills(words, d, slot, question)]
        if fresh:
            return _mark_answer(drafts, fresh[0], fresh)
        return [*drafts, *_mentioned(words, _KIND[slot], question, mentions, first)]
    filled = _by_marks(words, slot, question, marks, mentions, first)
    return [*drafts, filled] if filled else list(drafts)


def _slot_of_choice(question: Question, mentions: Sequence[Mention]) -> Slot:
    """Return the slot of "left or right", "CT or MRI", "heart or lung": the kind of what the answer names."""
    if not question.choice:
        return question.slot
    if {"left", "right"} <= question.words:
        return "laterality"
    kinds = {m.kind for m in mentions}
    if _KIND[question.slot] in kinds and question.slot != "finding":
        return question.slot
    offered: tuple[Slot, ...] = ("view_plane", "organ", "modality", "finding")
    return next((kind for kind in offered if kind in kinds), question.slot)


def _fills(words: Words, draft: Draft, slot: Slot, question: Question) -> bool:
    if draft.role == "definition":
        return False
    if slot == "finding":
        new = draft.polarity == "denied" or _is_new(words, draft.start, draft.end, question)
        return draft.kind == "normality" or (draft.kind == "finding" and new)
    return draft.kind == _KIND[slot] and _is_new(words, draft.start, draft.end, question)


def _is_new(words: Words, start: int, end: int, question: Question) -> bool:
    return question.choice or not question.words.issuperset(words.lower[start:end])


def _whole_text(
    words: Words, slot: Slot, drafts: Sequence[Draft], mentions: Sequence[Mention], marks: Sequence[Mark]
) -> list[Draft]:
    """Return a slot claim for each member of a short answer ("Heart, Liver"), or one for the whole of it."""
    end = len(words)
    while end > 1 and not words.lower[end - 1].isalnum():
        end -= 1
    kind = _KIND[slot]
    members = [m for m in mentions if kind in {m.kind, "other"} or (kind == "location" and m.kind == "organ")]
    listed = [m for m in members if m.kind == kind]
    if slot in {"organ", "finding"} and len(listed) > 1 and all(_only_joined(words, a, b) for a, b in pairwise(listed)):
        return [_filled(words, m.start, m.end, m.concept, kind, marks, m, list_id=0) for m in listed]
    main = members[-1] if members and kind != "quantity" else None
    concept = main.concept if main else open_concept(words)
    if kind == "quantity":
        concept = next((m.value for m in marks if m.kind == "quantity"), open_concept(words))
    elif kind == "measurement":
        concept = millimetres(words.text) or open_concept(words)
    same = next((d for d in drafts if main and (d.start, d.end) == (main.start, main.end)), None)
    if same and kind == "finding":
        same.role = "slot_answer"
        same.phrase = (0, end)
        return [same, *(d for d in drafts if d is not same)]
    actual: ClaimKind = main.kind if main and kind == "other" else kind
    return [_filled(words, 0, end, concept, actual, marks, main, list_id=None)]


def _only_joined(words: Words, left: Mention, right: Mention) -> bool:
    return set(words.lower[left.end : right.start]) <= {",", "and", "or", "&", "/"}


def _filled(
    words: Words,
    start: int,
    end: int,
    concept: str,
    kind: ClaimKind,
    marks: Sequence[Mark],
    main: Mention | None,
    *,
    list_id: int | None,
) -> Draft:
    draft = Draft(start, end, concept, kind, (0, len(words)), (0, len(words)), (start, end), role="slot_answer")
    draft.marks = [m for m in marks if start <= m.start and m.end <= end]
    draft.list_id = list_id
    if main and main.kind == "organ":
        draft.anatomy = [main.concept]
    return draft


def _mark_answer(drafts: Sequence[Draft], chosen: Draft, fresh: Sequence[Draft]) -> list[Draft]:
    """Mark the first new claim, and its whole list, as the answer."""
    for draft in fresh:
        if draft is chosen or (draft.list_id is not None and draft.list_id == chosen.list_id):
            draft.role = "slot_answer"
    return list(drafts)


def _mentioned(
    words: Words, kind: ClaimKind, question: Question, mentions: Sequence[Mention], sentence: tuple[int, int]
) -> list[Draft]:
    """Return a slot claim for the first new mention of the kind behind the verb, with those joined to it."""
    verb = next((i for i in range(*sentence) if words.lower[i] in VERBS), sentence[0] - 1)
    if question.choice:  # the answer may be the subject: "The lung is larger than the liver."
        verb = sentence[0] - 1
    fresh = [
        m
        for m in mentions
        if m.kind == kind and verb < m.start < sentence[1] and _is_new(words, m.start, m.end, question)
    ]
    if not fresh and kind == "organ":  # the answer is the subject: "The lungs are part of the circulatory system."
        fresh = [m for m in mentions if m.kind == kind and m.start < verb and _is_new(words, m.start, m.end, question)]
        verb = sentence[0] - 1
    if not fresh:
        return []
    listed = [fresh[0]]
    for mention in fresh[1:]:
        if set(words.lower[listed[-1].end : mention.start]) <= {",", "and", "or", "the", "a", "left", "right"}:
            listed.append(mention)
    marks = find_marks(words)
    made: list[Draft] = []
    for mention in listed:
        start = mention.start
        while start - 1 > verb and any(m.start <= start - 1 < m.end and m.kind == "laterality" for m in marks):
            start -= 1
        article = start - 1 > verb and words.lower[start - 1] in DETERMINERS
        draft = Draft(
            mention.start, mention.end, mention.concept, kind, sentence, sentence, (start - article, mention.end),
            role="slot_answer", list_id=0 if len(listed) > 1 else None,
        )  # fmt: skip
        draft.marks = [
            m for m in marks if start <= m.start and m.end <= mention.end and m.kind in {"laterality", "location"}
        ]
        draft.anatomy = [mention.concept] if kind == "organ" else []
        made.append(draft)
    return made


def _by_marks(
    words: Words,
    slot: Slot,
    question: Question,
    marks: Sequence[Mark],
    mentions: Sequence[Mention],
    sentence: tuple[int, int],
) -> Draft | None:
    """Return the slot claim of the first new attribute of the right kind, with the words of place around it, or None."""
    wanted = _MARKS.get(slot, frozenset())
    verb = next((i for i in range(*sentence) if words.lower[i] in VERBS), sentence[0] - 1)
    fresh = [
        m
        for m in marks
        if m.kind in wanted and verb < m.start < sentence[1] and _is_new(words, m.start, m.end, question)
    ]
    if not fresh and slot == "laterality":  # the answer is the subject: "The left side is affected."
        fresh = [m for m in marks if m.kind in wanted and sentence[0] <= m.start < verb]
        verb = sentence[0] - 1
    if slot == "descriptor":
        fresh = [m for m in fresh if m.kind == "descriptor"] or fresh
    if not fresh:
        organ = next((m for m in mentions if slot == "location" and m.kind == "organ" and verb < m.start < sentence[1]
                      and _is_new(words, m.start, m.end, question)), None)  # fmt: skip
        if organ is None:
            return None
        draft = Draft(
            organ.start,
            organ.end,
            organ.concept,
            "location",
            sentence,
            sentence,
            (organ.start, organ.end),
            role="slot_answer",
        )
        draft.anatomy = [organ.concept]
        return draft
    start, end = fresh[0].start, fresh[0].end
    organs = {i: m for m in mentions if m.kind == "organ" for i in range(m.start, m.end)}
    while slot in {"location", "laterality"} and end < sentence[1]:
        inside = any(m.start <= end < m.end and m.kind in wanted for m in marks)
        if not (inside or words.lower[end] in _PLACE_NOUNS or end in organs or words.lower[end] in {"-", "and"}):
            break
        end += 1
    while end > start + 1 and words.lower[end - 1] in {"of", "the", "and", "-"}:
        end -= 1
    named = next((organs[i] for i in range(start, end) if i in organs), None)
    concept = named.concept if named else fresh[0].value if slot != "location" else open_concept_of(words, start, end)
    article = start - 1 > verb and words.lower[start - 1] in DETERMINERS
    draft = Draft(start, end, concept, _KIND[slot], sentence, sentence, (start - article, end), role="slot_answer")
    draft.marks = [m for m in marks if start <= m.start and m.end <= end]
    draft.anatomy = [named.concept] if named else []
    return draft


def open_concept_of(words: Words, start: int, end: int) -> str:
    """Return the words of a range as an open concept."""
    return " ".join(words.lower[start:end])
