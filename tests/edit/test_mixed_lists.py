"""A denied list of which some is there: that is affirmed, and the rest stays denied, known to the lexicon or not."""

import pytest

from medprefkit.api import correct

EFFUSIONS, AIR = "bilateral pleural effusions .", "left pneumothorax ."


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("no focal consolidation effusion or pneumothorax identified .", EFFUSIONS,
         "no focal consolidation or pneumothorax, but effusion identified ."),
        ("No focal consolidation, effusion, or pneumothorax.", EFFUSIONS,
         "No focal consolidation or pneumothorax, but effusion."),
        ("There is no effusion, consolidation, or pneumothorax.", f"{EFFUSIONS} {AIR}",
         "There is no consolidation, but an effusion and a pneumothorax."),
        ("no focal consolidation pleural effusion or pneumothorax .", "consolidation .",
         "focal consolidation but no pleural effusion or pneumothorax ."),
        ("The lungs are clear without effusion, consolidation, or pneumothorax.", AIR,
         "The lungs are clear without effusion or consolidation, but with a pneumothorax."),
        # members that nobody knows stay denied
        ("There is no evidence of effusion or foobar.", EFFUSIONS,
         "There is evidence of effusion but no evidence of foobar."),
        ("There is no foobar or effusion.", EFFUSIONS, "There is no foobar but an effusion."),
        ("There is no pneumothorax, foobar, or effusion in the chest.", EFFUSIONS,
         "There is no pneumothorax, foobar, or effusion in the chest."),
    ],
)  # fmt: skip
def test_a_denied_list_is_parted(answer: str, reference: str, expected: str) -> None:
    assert correct(prompt="Describe the chest X-ray.", answer=answer, reference=reference).chosen == expected
