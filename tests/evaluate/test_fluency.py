"""Faults of English that an edit makes, and none that the answer had before."""

import pytest

from medprefkit.evaluate.fluency import fluency_faults


@pytest.mark.parametrize(
    ("answer", "edited", "fault"),
    [
        ("There is a mass.", "There is is no mass.", "a word is doubled"),
        ("There is a mass, and an effusion.", "There is a mass,, and no effusion.", "two marks meet"),
        ("It shows a mass.", "It shows a opacity.", "the article does not fit"),
        ("There is a mass.", "There is a pericolonic stranding.", "a mass noun has an article"),
        ("There is a mass and an effusion.", "There is a mass and.", "a phrase is cut off"),
        ("A and B and C.", "A but no B but no C.", "a coordinator is doubled"),
        ("There is no mass.", "There is no no mass.", "a denial is doubled"),
        ("The lungs are part of it.", "The heart are part of it.", "the verb does not agree"),
        ("A mass. It is big.", "A mass. it is big.", "a sentence begins without its capital"),
        ("A mass.", " ", "nothing is left"),
    ],
)
def test_a_fault_is_named(answer: str, edited: str, fault: str) -> None:
    assert fault in fluency_faults(answer, edited)
    assert fault not in fluency_faults(edited, edited) or not edited.strip()


@pytest.mark.parametrize(
    ("answer", "edited"),
    [
        (" Yes, there is a fracture.", " No, there is no fracture."),
        ("This is a CT scan.", "This is an MRI scan."),
        ("the lungs are clear and stable .", "the lungs are clear ."),
        ("A mass and edema.", "No mass, but edema."),
        ("", ""),
    ],
)
def test_good_english_has_none(answer: str, edited: str) -> None:
    assert fluency_faults(answer, edited) == (() if edited else ("nothing is left",))
