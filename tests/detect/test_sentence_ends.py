"""Where sentences end."""

import pytest

from medprefkit.detect.sentences import split_sentences
from medprefkit.detect.tokens import Words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The mass is 3.2 cm. It is round.", ["The mass is 3.2 cm.", "It is round."]),
        ("the heart is normal . no effusion  .", ["the heart is normal .", "no effusion  ."]),
        ("Abnormal signs, e.g. effusion, are seen. No mass", ["Abnormal signs, e.g. effusion, are seen.", "No mass"]),
        ("Findings\nNo effusion\nNo mass", ["Findings", "No effusion", "No mass"]),
        ("no effusion or\nmass is seen", ["no effusion or\nmass is seen"]),
        ("1. Heart size is normal. 2. No effusion.", ["1. Heart size is normal.", "2. No effusion."]),
        ("Atelectasis vs. pneumonia.", ["Atelectasis vs. pneumonia."]),
        ('He said "normal." Then left.', ['He said "normal."', "Then left."]),
        ("No. There is none.", ["No.", "There is none."]),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    words = Words(text)
    assert [words.span(*bounds).text for bounds in split_sentences(words)] == sentences


def test_words_keep_their_marks_and_emoji_whole() -> None:
    words = Words("effusion\u0301 👩‍⚕️ isn't patient's T2-weighted 3.2cm")
    assert [words.text[start:end] for start, end in words.places] == [
        "effusion\u0301", "👩‍⚕️", "isn't", "patient", "'s", "T2", "-", "weighted", "3.2", "cm",
    ]  # fmt: skip
