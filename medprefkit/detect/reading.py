"""One passage, read once: statements, what they refer to, asides, and what the question makes of the answer."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from medprefkit.detect.attributes import Mark
from medprefkit.detect.coreference import link_back
from medprefkit.detect.drafts import Draft, as_claims
from medprefkit.detect.questions import Question, answer_word, asked_text, parse_question
from medprefkit.detect.sentence_reading import SentenceReading, read_alone
from medprefkit.detect.sentences import split_sentences
from medprefkit.detect.slots import read_slot
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention
from medprefkit.detect.yes_no import read_yes_no
from medprefkit.lexicon import lexicon
from medprefkit.records import Claim

_CHEST_IMAGE = ("chest x", "cxr", "chest radiograph", "chest film")
_N_PROMPTS = 1024


class Prompt(NamedTuple):
    """What a text answers.

    Attributes:
        lower: The whole prompt in lower case.
        words: Its question.
        question: What the question asks.
        drafts: The question's claims, read as if it were a statement; never changed.
    """

    lower: str
    words: Words
    question: Question
    drafts: tuple[Draft, ...]


@lru_cache(maxsize=_N_PROMPTS)
def read_prompt(prompt: str) -> Prompt:
    """Read a prompt, which an answer shares with its reference, its edited text and with answers on other images."""
    words = Words(asked_text(prompt))
    return Prompt(prompt.lower(), words, parse_question(words), tuple(read_statements(words, read_sentences(words))))


class PlacedSentence(NamedTuple):
    """A sentence's range of tokens and its reading."""

    start: int
    end: int
    reading: SentenceReading


def read_passage(prompt: Prompt, words: Words, named: Sequence[Mention] | None = None) -> tuple[Claim, ...]:
    """Return the claims of one text, sorted; none for an empty text.

    Args:
        prompt: What the text answers.
        words: The text.
        named: What the text names, where that is not just what the lexicon finds in it.
    """
    if not len(words):
        return ()
    question, asked = prompt.question, prompt.drafts
    skip = answer_word(words, question)
    sentences = read_sentences(words, named, skip=skip)
    drafts = read_statements(words, sentences)
    if question.asks_advice:
        drafts = [d for d in drafts if d.kind != "recommendation"]
    chest = any(sign in f"{prompt.lower} {words.text.lower()}" for sign in _CHEST_IMAGE)
    if chest:
        _assume_lung(drafts)
    if question.kind != "none" and skip:
        if chest:
            asked = tuple(replace(draft) for draft in asked)
            _assume_lung(asked)
        drafts = [*drafts, *read_yes_no(words, question, asked, prompt.words)]
    elif question.kind in {"wh", "either"}:
        drafts = read_slot(words, question, drafts, *_whole_text(sentences))
    return as_claims(words, _without_doubles(drafts))


def read_sentences(words: Words, named: Sequence[Mention] | None = None, *, skip: int = 0) -> list[PlacedSentence]:
    """Return the text's sentences, each read by itself.

    Args:
        words: The text.
        named: What the text names, where that is not just what the lexicon finds in it.
        skip: Tokens before this one are the "yes" or "no" that answers a question.
    """
    read: list[PlacedSentence] = []
    for start, end in split_sentences(words):
        sentence = words.text[words.places[start][0] : words.places[end - 1][1]]
        inside = None if named is None else _inside(named, start, end)
        read.append(PlacedSentence(start, end, read_alone(sentence, skip=max(skip - start, 0), named=inside)))
    return read


def read_statements(words: Words, sentences: Sequence[PlacedSentence]) -> list[Draft]:
    """Return what the text states, as drafts, question apart."""
    drafts: list[Draft] = []
    lists = 0
    for start, end, reading in sentences:
        first_char = words.places[start][0]
        made = [draft.moved(start, first_char) for draft in reading.drafts]
        made += link_back(words, (start, end), made, drafts)
        for draft in made:
            draft.list_id = None if draft.list_id is None else draft.list_id + lists
        lists = max([lists, *(d.list_id + 1 for d in made if d.list_id is not None)])
        asides = [aside.moved(start, first_char) for aside in reading.asides]
        told = [a for a in asides if a.kind != "comparison" or a.end - a.start < end - start - 1]
        for draft in made:
            # a sentence that compares says what there is now, too
            if any(a.start <= draft.start and draft.end <= a.end for a in told):
                draft.role = "definition"
        drafts += made + asides
    return drafts


def _inside(named: Sequence[Mention], start: int, end: int) -> tuple[Mention, ...]:
    return tuple(m.moved(-start) for m in named if start <= m.start and m.end <= end)


def _whole_text(sentences: Sequence[PlacedSentence]) -> tuple[list[Mention], list[Mark]]:
    """Return the mentions and the attributes of all sentences, where they stand in the text."""
    mentions = [m.moved(start) for start, _, reading in sentences for m in reading.mentions]
    marks = [m.moved(start) for start, _, reading in sentences for m in reading.marks]
    return mentions, marks


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
