"""Slips of long words are put right where one known word is meant, and nothing else is touched."""

import pytest

from medprefkit.api import correct
from medprefkit.detect.spelling import Speller
from medprefkit.detect.tokens import Words
from medprefkit.detect.vocabulary import vocabulary


@pytest.mark.parametrize(
    ("written", "concept"),
    [
        ("cardiomegally", "cardiomegaly"),
        ("pnuemothorax", "pneumothorax"),
        ("consolidaiton", "consolidation"),
        ("pneummonia", "pneumonia"),
    ],
)
def test_a_slip_is_read(written: str, concept: str) -> None:
    mentions, _ = vocabulary().find(Words(f"There is {written}."))
    assert [m.concept for m in mentions] == [concept]


@pytest.mark.parametrize("word", ["confusion", "diffusion", "perfusion", "additionally", "ileum", "hypertrophy"])
def test_other_words_stay(word: str) -> None:
    assert Speller({"contusion", "effusion", "ilium"}).spell((word,)) == (word,)


def test_two_candidates_are_none() -> None:
    # one letter swapped either way
    assert Speller({"abcdefgh", "abcdegfh"}).spell(("abcdfegh",)) == ("abcdefgh",)
    assert Speller({"bacdefgh", "abdcefgh"}).spell(("abcdefgh",)) == ("abcdefgh",)


def test_the_answers_own_spelling_is_kept() -> None:
    answer = "There is cardiomegally and no pnuemothorax."
    edited = correct(prompt="Describe the chest X-ray.", answer=answer, reference="No cardiomegaly. No pneumothorax.")
    assert edited.chosen == "There is no cardiomegally and no pnuemothorax."
