"""Hard sentences with their labels, beside negspacy: post-negation, lists, scope ends, pseudo-negation."""

import warnings
from pathlib import Path
from typing import NamedTuple

import spacy

from medprefkit.detect.reading import read_passage, read_prompt
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import Mention, vocabulary

SENTENCES = Path(__file__).with_name("hard_negations.tsv")


class Hard(NamedTuple):
    """A sentence, a finding in it, and whether the sentence denies the finding."""

    sentence: str
    finding: str
    denied: bool


def hard_sentences() -> list[Hard]:
    lines = [line.split("\t") for line in SENTENCES.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [Hard(sentence, finding, label == "denied") for sentence, finding, label in lines]


def ours(hard: Hard) -> bool:
    words = Words(hard.sentence)
    start_char = hard.sentence.lower().index(hard.finding.lower())
    start, end = words.between(start_char, start_char + len(hard.finding))
    mentions, _ = vocabulary().find(words)
    beside = [m for m in mentions if m.end <= start or end <= m.start]
    known = vocabulary().concept_of(hard.finding)
    mention = Mention(start, end, known.id, known.kind) if known else Mention(start, end, hard.finding, "other")
    named = None if hard.finding == "enlarged" else sorted([*beside, mention], key=_start)
    claims = read_passage(read_prompt(""), words, named)
    end_char = start_char + len(hard.finding)
    here = [c for c in claims if c.kind != "context" and c.span.start_char < end_char and start_char < c.span.end_char]
    here = [c for c in here if c.kind not in {"comparison", "recommendation"}]
    return bool(here) and here[0].polarity == "denied"


def _start(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end


def negspacys(hard: list[Hard]) -> list[bool]:
    """negspacy's blank pipeline: sentences, phrase rules, negation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from negspacy.negation import Negex  # noqa: F401  # registers the component

        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
        ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
        ruler.add_patterns([{"label": "F", "pattern": one.finding} for one in hard])  # type: ignore[attr-defined]
        nlp.add_pipe("negex", config={"ent_types": ["F"]})
        docs = list(nlp.pipe([one.sentence for one in hard]))
    said = []
    for one, doc in zip(hard, docs, strict=True):
        ents = [e for e in doc.ents if one.finding.lower() in e.text.lower()]
        said.append(bool(ents) and bool(ents[0]._.negex))
    return said


def f1(said: list[bool], hard: list[Hard]) -> float:
    """Of the denied ones."""
    both = sum(s and h.denied for s, h in zip(said, hard, strict=True))
    return 2 * both / (sum(said) + sum(h.denied for h in hard))


def test_it_reads_hard_sentences_better_than_negspacy() -> None:
    hard = hard_sentences()
    said = [ours(one) for one in hard]
    wrong = [one for one, s in zip(hard, said, strict=True) if s != one.denied]
    score, theirs = f1(said, hard), f1(negspacys(hard), hard)
    assert score >= 0.95, wrong
    assert score > theirs
