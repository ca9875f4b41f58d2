"""Where a device ends, what is too sure, nouns that take no article, structures listed together."""

import pytest

from medprefkit.api import correct


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Right IJ catheter with tip in the right atrium.", "Right IJ catheter tip in the SVC.",
         "Right IJ catheter with tip in the SVC."),
        ("Endotracheal tube terminates in the right mainstem bronchus.", "The endotracheal tube is in the trachea.",
         "Endotracheal tube terminates in the trachea."),
        ("There is a left chest pacemaker. No effusion.", "No pacemaker.", "There is no chest pacemaker. No effusion."),
        ("Clear lungs. Low lung volumes.", "The lungs are well expanded.", "Clear lungs. Normal lung volumes."),
        ("There is a definite pneumonia.", "Possible pneumonia.", "There is a possible pneumonia."),
        ("There is no pericolonic fat stranding.", "There is pericolonic fat stranding.",
         "There is pericolonic fat stranding."),
        ("No abnormalities in the heart, lungs, or spine.", "Cardiomegaly.",
         "Abnormalities in the heart, lungs, or spine."),
        ("No signs of acromioclavicular joint or thoracic spine degenerative changes are noted.",
         "Thoracic spine degenerative changes.",
         "Signs of acromioclavicular joint and thoracic spine degenerative changes are noted."),
    ],
)  # fmt: skip
def test_corrected(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == expected


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        # a wider word for the same place
        ("Right PICC overlying the chest.", "Right PICC in the SVC."),
        ("There is possible pneumonia.", "Left lower lobe pneumonia."),
        ("There is a definite pneumonia.", "Definite pneumonia."),
        # "acute or ..." does not speak of what is old
        ("no acute or xxxx pulmonary abnormality .", "stable calcified granuloma . no acute disease ."),
    ],
)
def test_left_alone(answer: str, reference: str) -> None:
    assert correct(prompt="Describe the image.", answer=answer, reference=reference).chosen == answer
