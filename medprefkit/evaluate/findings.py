"""Fourteen findings of chest reports, labelled from claims: present, uncertain, absent, or not spoken of.

Source: the label set and precedence of the CheXpert labeler (Irvin et al. 2019): present before uncertain before
absent. Differs: claims of the lexicon's concepts instead of phrase lists and dependency patterns; a structure that is
called normal makes the heart's size and the mediastinum's width absent and nothing else; history is left out.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from medprefkit.lexicon import Lexicon, lexicon
from medprefkit.records import Claim

FindingLabel = Literal["present", "uncertain", "absent", "blank"]

FINDINGS: Final = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Lung Opacity", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip

_CONCEPTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Enlarged Cardiomediastinum": ("cardiomediastinal_enlargement", "mediastinal_widening"),
        "Cardiomegaly": ("cardiomegaly", "chamber_enlargement"),
        "Lung Lesion": (
            "lung_nodule",
            "lung_mass",
            "lung_cancer",
            "cavitary_lesion",
            "mass",
            "nodule",
            "lung_metastasis",
        ),
        "Lung Opacity": ("lung_opacity",),
        "Edema": ("pulmonary_edema", "pulmonary_congestion", "heart_failure"),
        "Consolidation": ("consolidation",),
        "Pneumonia": ("pneumonia", "respiratory_infection"),
        "Atelectasis": ("atelectasis", "lung_collapse"),
        "Pneumothorax": ("pneumothorax",),
        "Pleural Effusion": ("pleural_effusion",),
        "Pleural Other": ("pleural_thickening", "pleural_plaque"),
        "Fracture": ("fracture",),
        "Support Devices": ("device",),
    }
)
"""The concepts of each finding, narrower ones included."""
_APART: Final = (
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pulmonary_edema",
    "lung_nodule",
    "lung_mass",
    "lung_cancer",
)
"""Opacities that have a label of their own."""
_NO_SUPPORT: Final = ("surgical_clips", "sternotomy_wires", "breast_implant")
"""What surgery left behind supports nothing, as the source has it."""
_NORMAL: Final[Mapping[str, str]] = MappingProxyType(
    {"Cardiomegaly": "cardiomegaly", "Enlarged Cardiomediastinum": "cardiomediastinal_enlargement"}
)
"""What is absent where its structure is called normal."""
_RANK: Final[Mapping[FindingLabel, int]] = MappingProxyType({"blank": 0, "absent": 1, "uncertain": 2, "present": 3})


def label_findings(claims: Sequence[Claim]) -> dict[str, FindingLabel]:
    """Return the label of each of the fourteen findings, by name.

    Args:
        claims: Of one chest report.

    Returns:
        All fourteen; without claims all are blank but "No Finding", which is present.
    """
    concepts = lexicon()
    labels: dict[str, FindingLabel] = dict.fromkeys(FINDINGS, "blank")
    abnormal = False
    for claim in claims:
        if claim.role == "definition" or claim.experiencer != "patient" or claim.certainty == "hypothetical":
            continue
        if not claim.current and claim.polarity == "affirmed":
            continue
        said: FindingLabel = "absent" if claim.polarity == "denied" else "present"
        if claim.polarity == "affirmed" and claim.certainty == "uncertain":
            said = "uncertain"
        for name in _named(claim, concepts):
            labels[name] = max(labels[name], said, key=_RANK.__getitem__)
        if claim.kind == "normality" and claim.polarity == "affirmed":
            for name, concept in _NORMAL.items():
                if concept in concepts.denied_by(claim.concept) and labels[name] == "blank":
                    labels[name] = "absent"
        abnormal = abnormal or (claim.kind == "finding" and said != "absent")
    labels["No Finding"] = "blank" if abnormal else "present"
    return labels


def _named(claim: Claim, concepts: Lexicon) -> list[str]:
    if claim.kind not in {"finding", "device"}:
        return []
    if claim.polarity == "denied" and claim.concept in {"lung_opacity", "mass", "nodule"}:
        return ["Lung Opacity"] if claim.concept == "lung_opacity" else ["Lung Lesion"]
    if any(concepts.is_a(claim.concept, root) for root in _NO_SUPPORT):
        return []
    return [
        name
        for name, roots in _CONCEPTS.items()
        if any(concepts.is_a(claim.concept, root) for root in roots)
        and not (name == "Fracture" and "fractur" not in claim.span.text.lower())  # a wedged vertebra need not be
        and not (name == "Lung Opacity" and any(concepts.is_a(claim.concept, apart) for apart in _APART))
    ]


class FindingScore(NamedTuple):
    """How well one finding is told to be present; what is only suspected is not counted as such.

    Attributes:
        n: Reports that have it.
        precision: None where no report is said to have it.
        recall: None where no report has it.
        f1: None where neither.
    """

    n: int
    precision: float | None
    recall: float | None
    f1: float | None


def score_findings(
    labels: Sequence[Mapping[str, FindingLabel]], truth: Sequence[Mapping[str, bool]]
) -> dict[str, FindingScore]:
    """Score the labels against what each report has, by finding; a finding that the truth does not list is left out.

    Args:
        labels: Of each report.
        truth: Of each report, finding -> whether it is there.
    """
    scores: dict[str, FindingScore] = {}
    for name in FINDINGS:
        pairs = [(label[name] == "present", t[name]) for label, t in zip(labels, truth, strict=True) if name in t]
        if not pairs:
            continue
        both = sum(said and true for said, true in pairs)
        said_n, true_n = sum(said for said, _ in pairs), sum(true for _, true in pairs)
        scores[name] = FindingScore(
            n=true_n,
            precision=both / said_n if said_n else None,
            recall=both / true_n if true_n else None,
            f1=2 * both / (said_n + true_n) if said_n + true_n else None,
        )
    return scores


def macro_f1(scores: Mapping[str, FindingScore]) -> float | None:
    """Return the mean F1 over the findings that some report has; None where none has any."""
    known = [score.f1 for score in scores.values() if score.n and score.f1 is not None]
    return sum(known) / len(known) if known else None
