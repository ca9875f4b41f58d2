"""One passage, read once: statements, what they refer to, asides, and what the question makes of the answer."""

from collections.abc import Sequence

from medprefkit.detect.asides import find_asides
from medprefkit.detect.attributes import Mark, find_marks
from medprefkit.detect.coreference import link_back
from medprefkit.detect.drafts import Draft, as_claims
from medprefkit.detect.questions import answer_word, parse_question
from medprefkit.detect.sentences import split_sentences
from medprefkit.detect.slots import read_slot
from medprefkit.detect.statements import read_sentence
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Match, Mention
from medprefkit.detect.yes_no import read_yes_no
from medprefkit.lexicon import lexicon
from medprefkit.records import Claim

_CHEST_IMAGE = ("chest x", "cxr", "chest radiograph", "chest film")


def read_passage(
    prompt: str,
    words: Words,
    mentions: Sequence[Mention],
    matches: Sequence[Match],
    asked: Sequence[Draft],
    asked_words: Words,
) -> tuple[Claim, ...]:
    """Return the claims of one text, sorted; none for an empty text.

    Args:
        prompt: What the text answers.
        words: The text.
        mentions: What the text names.
        matches: Its predicates.
        asked: The claims of the question, read as if it were a statement.
        asked_words: The question's words.
    """
    if not len(words):
        return ()
    question = parse_question(asked_words)
    skip = answer_word(words, question)
    drafts = read_statements(words, mentions, matches, skip=skip)
    if question.asks_advice:
        drafts = [d for d in drafts if d.kind != "recommendation"]
    chest = any(sign in f"{prompt} {words.text}".lower() for sign in _CHEST_IMAGE)
    if chest:
        _assume_lung(drafts)
    if question.kind != "none" and skip:
        asked = list(asked)
        if chest:
            _assume_lung(asked)
        drafts = [*drafts, *read_yes_no(words, question, asked, asked_words)]
    elif question.kind in {"wh", "either"}:
        drafts = read_slot(words, question, drafts, mentions)
    return as_claims(words, _without_doubles(drafts))


def read_statements(
    words: Words, mentions: Sequence[Mention], matches: Sequence[Match], *, skip: int = 0
) -> list[Draft]:
    """Return what the text states, as drafts, question apart.

    Args:
        words: The text.
        mentions: What it names.
        matches: Its predicates.
        skip: Tokens before this one are the "yes" or "no" that answers a question.
    """
    found = find_marks(words)
    marks: dict[int, Mark] = {}
    for mark in found:
        for i in range(mark.start, mark.end):
            marks.setdefault(i, mark)
    drafts: list[Draft] = []
    lists = 0
    for sentence in split_sentences(words):
        made = read_sentence(words, sentence, mentions, matches, marks, skip=skip)
        made += link_back(words, sentence, made, drafts)
        for draft in made:
            draft.list_id = None if draft.list_id is None else draft.list_id + lists
        lists = max([lists, *(d.list_id + 1 for d in made if d.list_id is not None)])
        asides = _asides(words, sentence)
        told = [a for a in asides if a.kind != "comparison" or a.end - a.start < sentence[1] - sentence[0] - 1]
        for draft in made:
            # a sentence that compares says what there is now, too
            if any(a.start <= draft.start and draft.end <= a.end for a in told):
                draft.role = "definition"
        drafts += made + asides
    for draft in drafts:
        draft.marks += [t for m in draft.marks for t in found if (t.start, t.end) == (m.start, m.end) and t != m]
    return drafts


def _asides(words: Words, sentence: tuple[int, int]) -> list[Draft]:
    span = words.span(*sentence)
    drafts: list[Draft] = []
    for aside in find_asides(words.text, span.start_char, span.end_char):
        start, end = words.between(aside.start_char, aside.end_char)
        while start < end and words.lower[start] in {",", ";"}:
            start += 1
        if start < end:
            bounds = (aside.start_char, max(aside.end_char, words.places[end - 1][1]))
            drafts.append(Draft(start, end, aside.kind, aside.kind, sentence, sentence, (start, end), aside=bounds))
    return drafts


def _assume_lung(drafts: Sequence[Draft]) -> None:
    """Read a mass, nodule or edema without a place on a chest radiograph as one of the lung."""
    for draft in drafts:
        if draft.concept in {"mass", "nodule", "edema"} and set(draft.anatomy) <= {"chest"}:
            draft.concept = lexicon().specialize(draft.concept, "lung")
            draft.anatomy = ["lung"]


def _without_doubles(drafts: Sequence[Draft]) -> list[Draft]:
    seen: dict[tuple[int, int, str, str], Draft] = {}
    for draft in drafts:
        seen.setdefault((draft.start, draft.end, draft.concept, draft.role), draft)
    return list(seen.values())
