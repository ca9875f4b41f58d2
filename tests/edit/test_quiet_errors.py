"""The errors of report generators: an invented comparison, a finding under a normality, "no acute" beside the acute."""

import pytest

from medprefkit.api import correct


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        # comparisons with a study that nobody has
        ("degenerative changes are again seen .", "degenerative changes .", "degenerative changes are seen ."),
        ("old rib fractures unchanged in the prior study on the left .", "prior sternotomy . normal heart size .",
         "old rib fractures on the left ."),
        ("the heart is normal . there is interval removal of the tracheostomy tube . no pneumothorax .",
         "normal heart size .", "the heart is normal . no pneumothorax ."),
        # what the reference denies with a noun that it gives once
        ("there are degenerative changes of the spine .", "no bony or soft tissue abnormalities .",
         "there are no degenerative changes of the spine ."),
        # nothing acute, and yet
        ("heart size is normal . no acute cardiopulmonary abnormality .", "moderate interstitial pulmonary edema .",
         "heart size is normal . moderate interstitial pulmonary edema ."),
        ("There is no acute cardiopulmonary process.", "small bilateral pleural effusions .",
         "There are small bilateral pleural effusions."),
        ("No acute cardiopulmonary findings are identified.", "left lower lobe infiltrate .",
         "A left lower lobe infiltrate is identified."),
        ("heart normal . clear lungs .", "patchy right upper lobe opacity .",
         "heart normal . patchy right upper lobe opacity ."),
        ("the heart size and aorta are within normal limits .",
         "heart size moderately enlarged stable mediastinal contours .",
         "the heart size is moderately enlarged and the aorta is within normal limits ."),
        ("the chest is without acute abnormality .", "right lower lobe consolidation .",
         "the chest shows right lower lobe consolidation ."),
    ],
)  # fmt: skip
def test_corrected(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the chest X-ray.", answer=answer, reference=reference).chosen == expected


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        # the reference says both
        ("No acute disease .", "left pleural effusion . no acute cardiopulmonary abnormality ."),
        # a lone "persistent" names no other study
        ("persistent elevation of the right hemidiaphragm .", "normal heart size ."),
        # old things are not acute
        ("No acute disease .", "chronic stable small left pleural effusion ."),
        # nothing acute of the bones is nothing acute of the lungs
        ("visualized osseous structures are without acute abnormality .", "right lower lobe consolidation ."),
        # what lies beside a structure is none of it
        ("the heart and mediastinum are normal .", "lucency along the left ventricle ."),
        # the reference compares too
        ("degenerative changes are again seen .", "degenerative changes , unchanged ."),
        # what a sign would suggest is denied with it
        ("there is no pleural line to suggest pneumothorax or blunting to suggest large pleural effusion .",
         "no effusion . no pneumothorax ."),
        # history ends where today begins
        ("no effusion .", "consistent with history of lobectomy without pneumothorax or effusion identified ."),
    ],
)  # fmt: skip
def test_left_alone(answer: str, reference: str) -> None:
    assert correct(prompt="Describe the chest X-ray.", answer=answer, reference=reference).chosen == answer
