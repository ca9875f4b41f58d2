"""A true text as the injector needs it: sentences, the lexicon's names in them, and whether a sentence plainly affirms.

A reader of its own, simpler and more cautious than the detector's: where a word could deny or doubt, the sentence is
left alone. So what it makes can measure the detector.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from medprefkit.lexicon import Concept, lexicon

_SENTENCE = re.compile(r"[^\s](?:[^.!?\n]|[.!?](?=\S))*(?:[.!?]+(?=\s|$))?")
_LABEL = re.compile(r"(?:\d{1,2}[.)]|[-*])\s*$|\d{1,2}[.)]\s*")
_WORD = re.compile(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", re.I)
_NOT_PLAIN = re.compile(
    r"\b(?:no|not|none|never|without|neither|nor|negative|free|clear|absent|absence|resolved|resolution|removed|normal|"
    r"unremarkable|intact|exclude[ds]?|excluding|rule[ds]?|versus|vs|or|could|may|might|possib\w+|probabl\w+|likely|"
    r"suspicious|suspected|suspicion|suggest\w*|question\w*|concerning|represent\w*|consider\w*|differential|if|history|"
    r"prior|previous\w*|cannot|can't|less|limits?|evaluat\w+|recommend\w*|correlat\w+|appear\w*|xxxx)\b|\?",
    re.I,
)
_MOST_WORDS = 5
_KINDS = frozenset({"finding", "device", "organ"})


class Name(NamedTuple):
    """Characters [start, end) of the text name a concept."""

    start: int
    end: int
    concept: Concept


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text.

    Attributes:
        start: Its first character in the text.
        end: After its last one, the stop included.
        text: Its characters.
        names: The concepts that it names, in order, with characters of the whole text.
        plain: It affirms what it names: nothing in it denies, doubts, compares or looks back.
    """

    start: int
    end: int
    text: str
    names: tuple[Name, ...]
    plain: bool

    @property
    def findings(self) -> tuple[Name, ...]:
        """The names of findings in it."""
        return tuple(name for name in self.names if name.concept.kind == "finding")


def read_sentences(text: str) -> tuple[Sentence, ...]:
    """Return the sentences of a text in order, list labels ("2.") apart; none for an empty text."""
    sentences = []
    for match in _SENTENCE.finditer(text):
        start = match.start()
        if (label := _LABEL.match(match.group())) is not None:
            start += label.end()
        said = text[start : match.end()]
        if len(said.split()) == 0 or not any(c.isalpha() for c in said):
            continue
        plain = _NOT_PLAIN.search(said) is None
        sentences.append(Sentence(start, match.end(), said, tuple(_names_in(said, start)), plain))
    return tuple(sentences)


def is_tokenized(text: str) -> bool:
    """Tell whether the text is written as lower-case tokens ("no effusion .")."""
    return " ." in text and text == text.lower()


def _names_in(sentence: str, offset: int) -> Iterator[Name]:
    words = list(_WORD.finditer(sentence))
    lowered = [word.group().lower() for word in words]
    at = 0
    while at < len(words):
        for length in range(min(_MOST_WORDS, len(words) - at), 0, -1):
            concept = _vocabulary().get(" ".join(lowered[at : at + length]))
            if concept is not None:
                yield Name(offset + words[at].start(), offset + words[at + length - 1].end(), concept)
                at += length
                break
        else:
            at += 1


@cache
def _vocabulary() -> dict[str, Concept]:
    """Return written form -> concept for the plain names of findings, devices and organs."""
    found: dict[str, Concept] = {}
    for concept in lexicon().concepts.values():
        if concept.kind not in _KINDS:
            continue
        for form in (concept.name, *concept.synonyms):
            if form.startswith(("is ", "+", "no ")):
                continue
            words = " ".join(word.group().lower() for word in _WORD.finditer(form))
            if len(words) > 2:
                for written in (words, *plurals(words)):
                    found.setdefault(written, concept)
    return found


def plurals(words: str) -> tuple[str, ...]:
    """Return the plural of a noun phrase by the common rule; none where it is not a rule's matter."""
    if words.endswith("ss"):
        return (words + "es",)
    if words.endswith(("s", "x", "i", "ae")):
        return ()
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return (words[:-1] + "ies",)
    return (words + "s",)
