"""Sentences of a reference: every one is quoted, all are read where they fit, the telling ones where they do not."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.check.selection import Subject, select_sentences, split_reference
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.lexicon import lexicon
from medprefkit.records import Passage

REFERENCE = (
    "The heart is normal in size. The lungs are clear. There is no pneumothorax. Surgical clips are seen in the neck. "
    "The spine is degenerated. No acute process."
)
DETECTOR = LexiconDetector()


def claims_of(text: str) -> tuple[object, ...]:
    return DETECTOR([Passage(id="x", prompt="", text=text)])[0]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=40), st.sampled_from([REFERENCE, "no effusion . heart normal .", "A.\nB.\n\nC"])))
def test_sentences_are_quotations_in_order(text: str) -> None:
    sentences = split_reference(text, claims_of(text))  # type: ignore[arg-type]  # claims
    assert all(text[s.start_char : s.end_char] == s.text == s.text.strip() for s in sentences)
    assert all(a.end_char <= b.start_char for a, b in pairwise(sentences))
    rest = list(text)
    for s in sentences:
        rest[s.start_char : s.end_char] = " " * len(s.text)
    assert not any(c.isalnum() for c in rest), "no word of the reference is lost"


def test_what_fits_is_read_whole_and_what_does_not_by_its_subject() -> None:
    claims = claims_of(REFERENCE)
    sentences = split_reference(REFERENCE, claims)  # type: ignore[arg-type]  # claims
    subject = Subject("pneumothorax", (), "A pneumothorax is seen.")
    arguments = (subject, sentences, claims, lexicon())
    assert select_sentences(*arguments, max_words=100) == sentences  # type: ignore[arg-type]  # claims
    few = select_sentences(*arguments, max_words=6)  # type: ignore[arg-type]  # claims
    assert [s.text for s in few] == ["There is no pneumothorax."]
    lungs = select_sentences(Subject("consolidation", (), "Consolidation."), *arguments[1:], max_words=8)  # type: ignore[arg-type]  # claims
    assert "The lungs are clear." in [s.text for s in lungs]
    one = select_sentences(*arguments, max_words=1)  # type: ignore[arg-type]  # claims
    assert len(one) == 1, "one sentence is read, however long"
