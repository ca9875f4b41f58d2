"""From mentions to claims, one sentence at a time: phrase, polarity, attributes, anatomy, lists and glosses."""

from collections.abc import Sequence
from dataclasses import replace

from medprefkit.detect.attributes import Mark
from medprefkit.detect.descriptions import describe_subjects
from medprefkit.detect.drafts import Draft
from medprefkit.detect.glosses import find_glosses
from medprefkit.detect.lists import number_lists
from medprefkit.detect.phrases import phrase_of, predicate_of
from medprefkit.detect.places import attach_places
from medprefkit.detect.polarity import apply_cues
from medprefkit.detect.predicates import find_predicates
from medprefkit.detect.scopes import cut_clauses, find_cues
from medprefkit.detect.shown_organs import marks_inside, organs_shown
from medprefkit.detect.subjects import names_a_study
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Match, Mention
from medprefkit.lexicon import lexicon

_CLAIM_KINDS = frozenset({"finding", "normality", "device", "modality", "view_plane", "other"})


def read_sentence(
    words: Words,
    sentence: tuple[int, int],
    mentions: Sequence[Mention],
    matches: Sequence[Match],
    marks: dict[int, Mark],
    *,
    skip: int = 0,
) -> list[Draft]:
    """Return the statements of one sentence, in order of position; none for a sentence that names nothing known.

    Args:
        words: The text.
        sentence: Range of its tokens.
        mentions: What the whole text names.
        matches: The whole text's predicates, not yet joined with their organs.
        marks: Attributes by each of their tokens.
        skip: Tokens before this one are the "yes" or "no" that answers the question.
    """
    first, last = sentence
    named = [m for m in mentions if first <= m.start and m.end <= last]
    drafts: list[Draft] = []
    for clause in cut_clauses(words, first, last, named):
        inside = [m for m in named if clause[0] <= m.start and m.end <= clause[1]]
        said = find_predicates(words, clause, inside, [m for m in matches if clause[0] <= m.start < clause[1]])
        names = [m for m in inside if m.kind in _CLAIM_KINDS and not _is_said(m, said)]
        claimed = sorted((*names, *said), key=_place)
        claimed = _without_repeats(words, claimed)
        organs = [m for m in inside if m.kind == "organ" and not names_a_study(m, inside)]
        cues = find_cues(words, clause, skip=skip)
        made = [_draft(words, sentence, clause, m, claimed, inside, marks) for m in claimed]
        for mention, draft in zip(claimed, made, strict=True):
            apply_cues(words, draft, cues, contrary=mention.contrary)
        attach_places(words, clause, made, organs, marks)
        drafts += made
        drafts += _of_shared_noun(words, made, organs, marks)
        drafts += describe_subjects(words, clause, made, marks, cues)
        drafts += organs_shown(words, sentence, clause, organs, made, marks, cues)
    number_lists(words, drafts)
    subjects = [(m.start, m.end, m.kind) for m in named] + [(d.start, d.end, d.kind) for d in drafts]
    for start, end in find_glosses(words, sentence, sorted(subjects)):
        for draft in drafts:
            if start <= draft.start and draft.end <= end:
                draft.role = "definition"
    return drafts


def _of_shared_noun(
    words: Words, made: Sequence[Draft], organs: Sequence[Mention], marks: dict[int, Mark]
) -> list[Draft]:
    """Return what is said of an organ that leaves the noun to the next: "no [bony] or soft tissue abnormalities".

    What qualifies the first qualifies both: "no acute bony or soft tissue abnormality".
    """
    found: list[Draft] = []
    for draft in made:
        if draft.kind != "finding" or not draft.concept.endswith("abnormality") or draft.polarity != "denied":
            continue
        for organ in organs:
            gap = words.lower[organ.end : draft.phrase[0]]
            if gap in {("or",), ("and",)} and organ.start not in {d.start for d in made}:
                concept = lexicon().specialize("abnormality", organ.concept)
                place = (organ.start, organ.end)
                shared = [marks[organ.start - 1]] if organ.start - 1 in marks else []
                draft.marks += [mark for mark in shared if mark not in draft.marks]
                found.append(
                    replace(draft, start=organ.start, end=organ.end, concept=concept, phrase=place,
                            marks=list(shared), anatomy=[organ.concept])
                )  # fmt: skip
    return found


def _is_said(mention: Mention, said: Sequence[Mention]) -> bool:
    """Tell whether a general name ("enlargement") was read with its organ, which says more."""
    return any(s.start <= mention.start and mention.end <= s.end for s in said)


def _without_repeats(words: Words, claimed: Sequence[Mention]) -> list[Mention]:
    """Leave out the abbreviation behind its long form: "anteroposterior (AP)" is one name."""
    kept: list[Mention] = []
    for mention in claimed:
        last = kept[-1] if kept else None
        bracketed = (
            last is not None
            and words.lower[last.end : mention.start] == ("(",)
            and words.lower[mention.end : mention.end + 1] == (")",)
        )
        if last is not None and bracketed and last.concept == mention.concept:
            kept[-1] = last._replace(reach=mention.end + 1)
        else:
            kept.append(mention)
    return kept


def _draft(
    words: Words,
    sentence: tuple[int, int],
    clause: tuple[int, int],
    mention: Mention,
    claimed: Sequence[Mention],
    inside: Sequence[Mention],
    marks: dict[int, Mark],
) -> Draft:
    organs = [m for m in inside if m.kind == "organ"]
    before = [m.end for m in claimed if m.end <= mention.start]
    after = [m.start for m in claimed if m.start >= mention.end]
    bounds = max(before, default=clause[0]), min(after, default=clause[1])
    of_organs = frozenset(i for o in organs for i in range(o.start, o.end))
    if mention.predicate and not mention.attributive:
        phrase = predicate_of(words, mention.start, bounds, marks), mention.end
    else:
        end = max(mention.end, mention.reach)
        phrase = phrase_of(words, mention.start, end, (bounds[0], max(bounds[1], end)), marks, of_organs)
    draft = Draft(
        mention.start, mention.end, mention.concept, mention.kind, sentence, clause, phrase,
        predicate=mention.predicate and not mention.attributive,
    )  # fmt: skip
    draft.anatomy += mention.organs
    if mention.kind == "normality" and not mention.organs:
        draft.anatomy += lexicon().concepts[mention.concept].structures
    draft.anatomy += [
        o.concept for o in organs if phrase[0] <= o.start and o.end <= phrase[1] and not mention.predicate
    ]
    draft.marks += marks_inside(mention, phrase, marks)
    if mention.predicate and mention.organ_at:
        draft.marks += _side_of_organ(mention.organ_at, clause[0], marks, draft.marks)
    return draft


def _side_of_organ(i: int, first: int, marks: dict[int, Mark], known: Sequence[Mark]) -> list[Mark]:
    """Return the side and zone before an organ's name: "the left lung is clear"."""
    found: list[Mark] = []
    while i - 1 >= first and (mark := marks.get(i - 1)) and mark.kind in {"laterality", "location"}:
        found += [mark] if mark not in known else []
        i = mark.start
    return found


def _place(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.concept
