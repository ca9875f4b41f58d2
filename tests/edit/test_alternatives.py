"""What a sentence only considers: an excluded alternative leaves, and a telegram that rests on it with it."""

import pytest

from medprefkit.api import correct


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("1 cm of apical opacity scarring versus nodule .", "there are no nodules or masses .",
         "1 cm of apical opacity scarring ."),
        ("Patchy opacity may represent atelectasis or pneumonia.", "No pneumonia.",
         "Patchy opacity may represent atelectasis."),
        ("Patchy opacity, pneumonia versus atelectasis.", "No pneumonia.", "Patchy opacity, atelectasis."),
        ("heart normal . nodular opacity over the right 9th rib reflects granuloma .", "lungs are clear .",
         "heart normal ."),
        ("nodular density over the left 4th rib represents a healing rib fracture .", "osseous structures intact .",
         "nodular density over the left 4th rib ."),
        ("a few bandlike opacities are present which are xxxx to represent small areas of scarring or atelectasis .",
         "lungs are clear .", "no bandlike opacities are present ."),
        ("copd and chronic opacities more pronounced in the lower lung xxxx .", "the lungs are clear .",
         "copd but no opacities ."),
        # to deny the acute is not to deny what need not be
        ("scarring or atelectasis at the base .", "no consolidation .", "scarring or atelectasis at the base ."),
    ],
)  # fmt: skip
def test_what_is_considered(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the chest X-ray.", answer=answer, reference=reference).chosen == expected
