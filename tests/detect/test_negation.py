"""What denies or doubts a finding, by construction: before it, behind it, pseudo-denials, and where denials end."""

import pytest

from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.records import Passage

DETECTOR = LexiconDetector()


def said(sentence: str, concept: str) -> str:
    claims = DETECTOR([Passage(id="x", prompt="Describe the image.", text=sentence)])[0]
    claim = next(c for c in claims if c.concept == concept)
    return "denied" if claim.polarity == "denied" else "affirmed" if claim.certainty == "certain" else "doubted"


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no evidence of pneumothorax.",
        "Negative for pneumothorax.",
        "The lungs are free of pneumothorax.",
        "Absence of pneumothorax.",
        "Without evidence for pneumothorax.",
        "Fails to reveal any pneumothorax.",
        "Inconsistent with pneumothorax.",
        "Nonvisualization of pneumothorax.",
        "Neither effusion nor pneumothorax is seen.",
        "None of the films show pneumothorax.",
        "There isn't any pneumothorax.",
        "No longer a pneumothorax.",
        "Pneumothorax is not seen.",
        "Pneumothorax has been excluded.",
        "Pneumothorax was ruled out.",
        "Pneumothorax is no longer visible.",
        "Effusion and pneumothorax are absent.",
        "Pneumothorax: none.",
        "Pneumothorax - negative.",
        "no consolidation effusion or pneumothorax .",
    ],
)
def test_denied(sentence: str) -> None:
    assert said(sentence, "pneumothorax") == "denied"


@pytest.mark.parametrize(
    "sentence",
    [
        "No increase in pleural effusion.",
        "No significant change in the right pleural effusion.",
        "Pleural effusion has not increased.",
        "Not only cardiomegaly but also pleural effusion.",
        "The pleural effusion is not large.",
        "No consolidation but a pleural effusion.",
        "No consolidation, although pleural effusion is present.",
        "No abnormality other than a pleural effusion.",
        "No acute findings aside from a small pleural effusion.",
        "A pleural effusion not seen on the prior study.",
        "No edema around the pleural effusion.",
    ],
)
def test_not_denied(sentence: str) -> None:
    assert said(sentence, "pleural_effusion") == "affirmed"


@pytest.mark.parametrize(
    "sentence",
    [
        "Cannot exclude pneumonia.",
        "Pneumonia cannot be excluded.",
        "Pneumonia not excluded.",
        "Evaluate for pneumonia.",
        "Rule out pneumonia.",
        "There is doubt about pneumonia.",
        "This could be due to various reasons, such as an abscess, a tumor, or a pneumonia.",
        "The differential diagnosis includes pneumonia.",
    ],
)
def test_doubted(sentence: str) -> None:
    assert said(sentence, "pneumonia") == "doubted"
