"""A sentence is read by itself, so texts that share it share its reading, and nobody changes it for another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medprefkit.detect.asides import _PART_ROWS, _WHOLE_ROWS, _Row
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.detect.sentence_reading import _N_KEPT, read_alone
from medprefkit.records import Claim, Passage

PROMPTS = ("Describe the chest x-ray.", "Is there a pleural effusion?", "Where is the mass?", "")
SENTENCES = (
    "There is a large mass in the left upper lobe.",
    "This mass is calcified.",
    "It is located near the heart.",
    "No, the lungs are clear.",
    "Yes, there is a small effusion, possible pneumonia and bibasilar atelectasis.",
    "Stable cardiomegaly compared to the prior exam.",
    "Further evaluation with CT is recommended",
    "  The patient has a history of multiple sclerosis (MS).",
    "The MS plaques measure 3.2 cm.",
    "An effusion, which is fluid in the pleural space, is seen .",
    "Edema e\u0301 is not seen.",
)
TEXTS = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5).map(" ".join)


def str_of_needs(row: _Row) -> str:
    return row.needs[0]


def read(prompt: str, text: str) -> tuple[Claim, ...]:
    (claims,) = LexiconDetector()([Passage(id="p", prompt=prompt, text=text)])
    return claims


@settings(deadline=None, max_examples=40)
@given(prompt=st.sampled_from(PROMPTS), texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_what_was_read_before_changes_no_reading(prompt: str, texts: list[str]) -> None:
    after_others = [read(prompt, text) for text in texts]
    for text, claims in zip(texts, after_others, strict=True):
        read_alone.cache_clear()
        assert read(prompt, text) == claims


@settings(deadline=None, max_examples=40)
@given(prompt=st.sampled_from(PROMPTS), text=TEXTS)
def test_claims_that_are_not_validated_are_valid(prompt: str, text: str) -> None:
    for claim in read(prompt, text):
        assert Claim.model_validate_json(claim.model_dump_json()) == claim
        for span in (claim.span, claim.phrase, claim.sentence, *(a.span for a in claim.attributes)):
            assert text[span.start_char : span.end_char] == span.text


def test_the_number_of_kept_readings_is_bounded() -> None:
    read_alone.cache_clear()
    for i in range(_N_KEPT + 100):
        read_alone(f"A mass of {i} mm is seen.")
    assert read_alone.cache_info().currsize == _N_KEPT


@pytest.mark.parametrize("row", [*_PART_ROWS, *_WHOLE_ROWS], ids=str_of_needs)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_no_pattern_matches_without_a_word_that_it_needs(row: _Row, data: st.DataObject) -> None:
    matching = data.draw(st.from_regex(row.pattern, alphabet=st.characters(codec="ascii")))
    assert row.may_match(matching.lower())
