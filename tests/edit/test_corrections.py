"""Whole corrections: an answer and its reference in, the edited answer out. Each line is one kind of construction."""

import pytest

from medprefkit.api import correct

DESCRIBE = "Describe the chest X-ray."


def corrected(answer: str, reference: str, prompt: str = DESCRIBE) -> str:
    return correct(prompt=prompt, answer=answer, reference=reference).chosen


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        # a list goes on after a member that the reference does not speak of
        (
            "There is a rib fracture, a pneumothorax, and a mass.",
            "No pneumothorax.",
            "There is a rib fracture, no pneumothorax, and a mass.",
        ),
        (
            "There is a rib fracture, accompanied by a right-sided pleural effusion.",
            "No pleural effusion.",
            "There is a rib fracture, and no pleural effusion.",
        ),
        # two clauses are not one list
        (
            "There is a pneumothorax on the left, and multiple rib fractures are evident.",
            "No pneumothorax. No rib fracture.",
            "There is no pneumothorax, and no rib fractures are evident.",
        ),
        # what is denied is parted from what is then affirmed
        (
            "There are multiple areas of consolidation and no evidence of calcified granuloma.",
            "No consolidation. There is a calcified granuloma.",
            "There are no areas of consolidation, but evidence of calcified granuloma.",
        ),
        (
            "There is no effusion, pneumothorax, or cardiomegaly.",
            "No effusion or pneumothorax. Cardiomegaly.",
            "There is no effusion or pneumothorax, but cardiomegaly.",
        ),
        # names that would repeat keep their sides
        (
            "There is a right-sided pleural effusion, a left-sided pleural effusion, and a left-sided pneumothorax.",
            "No pleural effusion or pneumothorax.",
            "There is no right-sided pleural effusion, left-sided pleural effusion, or pneumothorax.",
        ),
        # the empty head of a list goes with its members
        (
            "The X-ray shows significant abnormalities, including a large effusion and a pneumothorax.",
            "No effusion or pneumothorax.",
            "The X-ray shows no effusion or pneumothorax.",
        ),
        # the place and the cause of a predicate go with it
        (
            "The mediastinum appears to be shifted to the right side.",
            "The mediastinum is normal.",
            "The mediastinum appears to be normal.",
        ),
        (
            "There is atelectasis. The mediastinum is shifted due to the atelectasis.",
            "No atelectasis. The mediastinum is unremarkable.",
            "There is no atelectasis. The mediastinum is unremarkable.",
        ),
        (
            "The image shows a mediastinum shifted to the left.",
            "Normal mediastinum.",
            "The image shows a normal mediastinum.",
        ),
        (
            "The mediastinum is being pushed to the left side.",
            "The mediastinum is normal.",
            "The mediastinum is normal.",
        ),
        # measurements and capitals do not survive a denial
        (
            "There is a 1.4 cm nodule in the lung. Focal consolidations are seen.",
            "No nodule. No focal consolidation.",
            "There is no nodule in the lung. No focal consolidations are seen.",
        ),
        # a verb that causes takes its denial as an object
        (
            "This mass is causing a mediastinal shift.",
            "Mediastinum is normal.",
            "This mass is causing no mediastinal shift.",
        ),
        # no clause is left without its predicate
        (
            "There is a pneumothorax. It is an image, which means it was taken after a surgical procedure.",
            "No pneumothorax.",
            "There is no pneumothorax. It is an image.",
        ),
        (
            "There is a pneumothorax. The image is taken after the patient has undergone surgery.",
            "No pneumothorax.",
            "There is no pneumothorax.",
        ),
        # several attributes that stand apart
        (
            "The X-ray shows a small cavitating mass in the left upper lobe.",
            "Large cavitating right upper lobe mass. Left lung is clear.",
            "The X-ray shows a large cavitating mass in the right upper lobe.",
        ),
        # tokenized text without verbs
        (
            "scarring in the left base . cardiomegaly .",
            "heart size normal .",
            "scarring in the left base . no cardiomegaly .",
        ),
        ("xxxx left lower lobe infiltrate .", "the lungs are clear .", "no left lower lobe infiltrate ."),
        ("cardiac silhouette within normal limits .", "cardiomegaly .", "cardiac silhouette enlarged ."),
        (
            "heart size normal . no effusion .",
            "heart size normal . pleural effusion .",
            "heart size normal . effusion .",
        ),
        # a lone "stable" names no other study, and stays
        (
            "the cardiomediastinal silhouette is normal in size and contour and stable .",
            "the cardiomediastinal silhouette is normal .",
            "the cardiomediastinal silhouette is normal in size and contour and stable .",
        ),
        ("the mediastinum is stable .", "mediastinum normal . lungs are clear .", "the mediastinum is stable ."),
        ("Mild scoliosis, unchanged from the previous examination.", "Mild scoliosis.", "Mild scoliosis."),
        ("Mild scoliosis, improved since the last radiograph.", "Mild scoliosis.", "Mild scoliosis."),
        ("Mild scoliosis, which has worsened since the prior study.", "Mild scoliosis.", "Mild scoliosis."),
        ("Clear. Clinical correlation and further evaluation are advised.", "Clear lungs.", "Clear."),
        (
            "There is an unchanged granuloma in the left base.",
            "Granuloma in the left base.",
            "There is an unchanged granuloma in the left base.",
        ),
    ],
)
def test_reports(answer: str, reference: str, expected: str) -> None:
    assert corrected(answer, reference) == expected


@pytest.mark.parametrize(
    ("prompt", "answer", "reference", "expected"),
    [
        (
            "Which is bigger, liver or spleen?",
            "The spleen appears larger than the liver.",
            "Liver",
            "The liver appears larger than the spleen.",
        ),
        (
            "What organ is shown?",
            "The image is of the lungs, not the brain.",
            "Brain",
            "The image is of the brain, not the lungs.",
        ),
        ("How many masses are there?", "There are two lungs in the image.", "1", "There is one lung in the image."),
        (
            "What organs are shown?",
            "The image shows the liver and the kidneys.",
            "Heart and lungs",
            "The image shows the heart and lungs.",
        ),
        (
            "Which side is the pneumothorax on?",
            "The pneumothorax is on the left side of the chest.",
            "Right side",
            "The pneumothorax is on the right side of the chest.",
        ),
        (
            "Which diaphragm is elevated?",
            "The left hemidiaphragm is elevated.",
            "right",
            "The right hemidiaphragm is elevated.",
        ),
        (
            "Is the liver abnormal?",
            "Yes, the liver appears normal in the CT scan.",
            "No",
            "No, the liver appears normal in the CT scan.",
        ),
        (
            "Is the skull fractured?",
            "Yes, the skull appears to be fractured.",
            "No",
            "No, the skull does not appear to be fractured.",
        ),
        (
            "Is there swelling around the lesion?",
            "Yes, there appears to be swelling around the lesion.",
            "No",
            "No, there appears to be no swelling around the lesion.",
        ),
        (
            "Is this a PA film?",
            "No, this is an AP (anteroposterior) chest X-ray film.",
            "yes",
            "Yes, this is a PA chest X-ray film.",
        ),
    ],
)
def test_questions(prompt: str, answer: str, reference: str, expected: str) -> None:
    assert corrected(answer, reference, prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "answer", "reference"),
    [
        # the reference says nothing of a small one
        (DESCRIBE, "There is a small pleural effusion.", "No large pleural effusion."),
        # what a thing may come from is not said to be there
        (
            DESCRIBE,
            "The mass could be due to various reasons, such as a benign growth or an infection.",
            "No infection.",
        ),
        # the body cannot be turned with its first word
        ("Is the cerebellum shown?", "No, the cerebellum is prominently seen.", "Yes"),
        ("Are there other organs?", "Yes, there are no other organs present in the image.", "No"),
        # two places, one of which would stay wrong
        ("What side is it on?", "It is on the left side, specifically in the left lung.", "Right side"),
        # light paraphrases
        (DESCRIBE, "Normal heart size. Lungs clear.", "The lungs are clear. Heart size is normal."),
        (
            DESCRIBE,
            "A pneumothorax is absent. Neither effusion nor edema is seen.",
            "No pneumothorax, effusion or edema.",
        ),
        (
            DESCRIBE,
            "Borderline cardiomegaly, otherwise normal exam.",
            "Borderline cardiomegaly, otherwise unremarkable.",
        ),
        (DESCRIBE, "The heart is enlarged. No pneumonia", "No pneumonia The heart is enlarged."),
        (
            DESCRIBE,
            "Bibasilar atelectasis. The remaining lungs are clear without focal opacity.",
            "Bibasilar atelectasis.",
        ),
        (DESCRIBE, "The cardiac silhouette is unchanged.", "The cardiac silhouette is stable."),
    ],
)
def test_left_alone(prompt: str, answer: str, reference: str) -> None:
    assert corrected(answer, reference, prompt) == answer


def test_a_place_brings_its_own_preposition() -> None:
    question, answer = "Where is the free air?", "The free air is seen in the thoracic cavity."
    expected = "The free air is seen adjacent to the appendix."
    assert corrected(answer, "adjacent to the appendix", question) == expected


def test_a_body_that_names_another_view_is_refused() -> None:
    question, answer = "Is this film taken in a PA modality?", "No, the film was taken in an AP modality."
    assert corrected(answer, "Yes", question) == answer
