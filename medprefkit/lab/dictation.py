"""A report of a phantom: a reference that is true, and a model's report that errs as models do.

Reference and answer use different wordings: to agree with one is no matter of equal strings.
"""

from collections.abc import Sequence

import numpy as np

from medprefkit.lab.anatomy import SIDES
from medprefkit.lab.radiograph import Finding, Kind, Lobe
from medprefkit.lab.sentences import (
    DENSE,
    KINDS,
    MILD,
    NAMES,
    SEVERITIES,
    Dictation,
    Words,
    another,
    joined,
    listed,
    one_of,
    side_words,
    wrong_size_cm,
)
from medprefkit.records import ErrorType


def dictate_report(findings: Sequence[Finding], rng: np.random.Generator) -> Dictation:
    """Return a report of these findings and a model's flawed one: about one in six has no error."""
    reference = _reference_report(findings, rng)
    n_errors = int(rng.choice([0, 1, 2, 3], p=[0.17, 0.48, 0.25, 0.10]))
    plan = _plan(findings, n_errors, rng)
    sentences: list[list[Words]] = [[Words(one_of(rng, _OPENINGS))]] if rng.random() < 0.5 else []
    for finding in findings:
        error = plan.get(finding.kind)
        if error == "false_negation":
            sentences.append(_denied_wrongly(finding, rng))
        elif error != "missing_finding":
            sentences.append(_affirmed(finding, error, rng))
    true_kinds = {finding.kind for finding in findings}
    sentences += [_invented(kind, rng) for kind in KINDS if plan.get(kind) == "false_finding"]
    sentences += _denials([kind for kind in KINDS if kind not in true_kinds | plan.keys()], rng)
    if rng.random() < 0.35:
        sentences.append([Words(one_of(rng, _UNVERIFIABLE))])
    if n_errors and rng.random() < 0.12:
        sentences.append(one_of(rng, _MACHINE_TALK))
    answer, planted = joined(sentences or [[Words(one_of(rng, _OPENINGS))]])
    omitted = tuple(kind for kind, error in plan.items() if error == "missing_finding")
    return Dictation("report", one_of(rng, _REPORT_PROMPTS), reference, answer, planted, omitted)


_REPORT_PROMPTS = (
    "Describe the chest X-ray.",
    "Write a report of this chest radiograph.",
    "What are the findings on this chest X-ray?",
    "Provide the findings of this frontal chest radiograph.",
)
_OPENINGS = (
    "This is a frontal chest X-ray.",
    "The image is a PA chest radiograph.",
    "The chest X-ray was reviewed.",
)
_UNVERIFIABLE = (
    "There are mild degenerative changes of the thoracic spine.",
    "The trachea is midline.",
    "The visualized upper abdomen is unremarkable.",
    "The soft tissues are unremarkable.",
)
_MACHINE_TALK: tuple[list[Words], ...] = (
    [Words("Further evaluation with chest CT is recommended.", "recommendation")],
    [Words("These findings have worsened since the prior study.", "wrong_temporal")],
)


def _reference_report(findings: Sequence[Finding], rng: np.random.Generator) -> str:
    of = {finding.kind: finding for finding in findings}
    heart = "cardiomegaly" in of
    sentences = [_heart_truth(of["cardiomegaly"], rng) if heart else one_of(rng, _NORMAL_HEART)]
    if rng.random() < 0.6:
        sentences.append(
            one_of(rng, ("The mediastinal contours are normal.", "Mediastinal contours are unremarkable."))
        )
    lung = [kind for kind in ("consolidation", "nodule", "mass") if kind in of]
    if lung:
        sentences += [_lung_truth(of[kind], rng) for kind in lung]
        absent = [NAMES[kind] for kind in ("consolidation", "nodule", "mass") if kind not in of]
        sentences.append(f"No {listed(absent, 'or')}.")
    else:
        sentences.append(one_of(rng, ("The lungs are clear.", "Both lungs are clear.", "Lungs are clear bilaterally.")))
        sentences.append(
            one_of(rng, ("No focal consolidation, nodule or mass.", "There is no consolidation, nodule or mass."))
        )
    pleura: list[Kind] = ["pleural_effusion", "pneumothorax"]
    sentences += [_pleura_truth(of[kind], rng) for kind in pleura if kind in of]
    if absent := [NAMES[kind] for kind in pleura if kind not in of]:
        sentences.append(f"{one_of(rng, ('No', 'There is no'))} {listed(absent, 'or')}.")
    if rng.random() < 0.4:
        sentences.append(one_of(rng, ("No acute bony abnormality.", "No rib fracture is seen.")))
    return " ".join(sentences)


_NORMAL_HEART = (
    "The heart size is normal.",
    "Heart size is within normal limits.",
    "The cardiac silhouette is normal in size.",
)


def _heart_truth(finding: Finding, rng: np.random.Generator) -> str:
    mild = MILD[finding.severity]
    return one_of(rng, (f"The heart is {mild}ly enlarged.", f"There is {mild} cardiomegaly."))


def _lung_truth(finding: Finding, rng: np.random.Generator) -> str:
    place = f"{finding.side} {finding.lobe} lobe"
    if finding.kind == "consolidation":
        dense = DENSE[finding.severity]
        return one_of(
            rng, (f"{dense.capitalize()} consolidation in the {place}.", f"There is {dense} {place} consolidation.")
        )
    size = f"{finding.size_cm:.1f} cm"
    return one_of(
        rng,
        (f"There is a {size} {finding.kind} in the {place}.", f"A {size} {place} {finding.kind} is present."),
    )


def _pleura_truth(finding: Finding, rng: np.random.Generator) -> str:
    name = NAMES[finding.kind]
    return one_of(
        rng,
        (
            f"There is a {finding.severity} {finding.side} {name}.",
            f"{finding.severity.capitalize()} {finding.side}-sided {name}.",
            f"A {finding.severity} {finding.side} {name} is present.",
        ),
    )


def _plan(findings: Sequence[Finding], n_errors: int, rng: np.random.Generator) -> dict[Kind, ErrorType]:
    """Return which error each kind of finding gets; kinds that are stated rightly are not in it."""
    choices: list[tuple[Kind, ErrorType]] = []
    present = {finding.kind for finding in findings}
    for finding in findings:
        choices += 2 * [(finding.kind, error) for error in _possible(finding)]
    # a nodule beside a mass is a matter of words, so neither is invented beside the other
    lumps = {"nodule", "mass"} if present & {"nodule", "mass"} else set()
    choices += [(kind, "false_finding") for kind in KINDS if kind not in present | lumps]
    plan: dict[Kind, ErrorType] = {}
    for position in rng.permutation(len(choices)):
        kind, error = choices[position]
        if len(plan) < n_errors and kind not in plan:
            plan[kind] = error
    return plan


def _possible(finding: Finding) -> list[ErrorType]:
    errors: list[ErrorType] = ["false_negation", "missing_finding"]
    if finding.side is not None:
        errors += ["wrong_laterality", "wrong_laterality"]  # the commonest, so it counts twice
    if finding.lobe is not None:
        errors.append("wrong_location")
    errors.append("wrong_measurement" if finding.size_cm else "wrong_severity")
    return errors


def _affirmed(finding: Finding, error: ErrorType | None, rng: np.random.Generator) -> list[Words]:
    """Say that a finding is there, with the attribute that `error` names wrong."""
    if finding.kind == "cardiomegaly":
        said = another(SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        mild, truth = MILD[said], MILD[finding.severity]
        wrong = error if said != finding.severity else None
        if rng.random() < 0.5:
            return [Words("The heart appears "), Words(f"{mild}ly", wrong, f"{truth}ly"), Words(" enlarged.")]
        return [Words("The cardiac silhouette shows "), Words(mild, wrong, truth), Words(" cardiomegaly.")]
    side = side_words(finding, error)
    if finding.lobe is None:
        said = another(SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        severity = Words(said, error if said != finding.severity else None, finding.severity)
        opening = one_of(rng, ("There is a ", "The image shows a ", "The chest X-ray demonstrates a "))
        return [Words(opening), severity, Words(" "), side, Words(f" {NAMES[finding.kind]}.")]
    lobe = Words(str(finding.lobe))
    if error == "wrong_location":
        lobes: tuple[Lobe, ...] = ("upper", "middle", "lower") if finding.side == "right" else ("upper", "lower")
        lobe = Words(another(lobes, finding.lobe, rng), error, finding.lobe)
    elif error == "wrong_laterality" and finding.lobe == "middle":  # the left lung has none
        side, lobe = Words("left lower", error, "right middle"), Words("")
    place = [side, Words(" " if lobe.text else ""), lobe, Words(" lobe")]
    if finding.kind == "consolidation":
        said = another(SEVERITIES, finding.severity, rng) if error == "wrong_severity" else finding.severity
        dense = Words(DENSE[said], error if said != finding.severity else None, DENSE[finding.severity])
        return [Words("There is "), dense, Words(" consolidation in the "), *place, Words(".")]
    size = Words(f"{finding.size_cm:.1f}")
    if error == "wrong_measurement":
        size = Words(f"{wrong_size_cm(finding):.1f}", error, size.text)
    opening = one_of(rng, ("There is a ", "The chest X-ray shows a "))
    return [Words(opening), size, Words(f" cm {finding.kind} in the "), *place, Words(".")]


def _denied_wrongly(finding: Finding, rng: np.random.Generator) -> list[Words]:
    truth = f"a {finding.severity} {finding.side} {NAMES[finding.kind]}"
    if finding.kind == "cardiomegaly":
        return [
            Words("The heart size is "),
            Words("normal", "false_negation", f"{MILD[finding.severity]}ly enlarged"),
            Words("."),
        ]
    if finding.lobe is not None:
        size = DENSE[finding.severity] if finding.kind == "consolidation" else f"a {finding.size_cm:.1f} cm"
        truth = f"{size} {NAMES[finding.kind]} in the {finding.side} {finding.lobe} lobe"
    denial = Words(f"no {NAMES[finding.kind]}", "false_negation", truth)
    return [Words("There is "), denial, Words(one_of(rng, (".", " on this image.")))]


def _invented(kind: Kind, rng: np.random.Generator) -> list[Words]:
    side, severity = one_of(rng, SIDES), one_of(rng, SEVERITIES)
    lobe = one_of(rng, ("upper", "lower"))
    if kind == "cardiomegaly":
        return [
            Words("The heart is "),
            Words(f"{MILD[severity]}ly enlarged", "false_finding", "normal in size"),
            Words("."),
        ]
    if kind == "consolidation":
        said = f"{DENSE[severity]} consolidation in the {side} {lobe} lobe"
    elif kind in ("nodule", "mass"):
        size_cm = rng.uniform(1.0, 2.6) if kind == "nodule" else rng.uniform(3.2, 6.0)
        said = f"a {size_cm:.1f} cm {kind} in the {side} {lobe} lobe"
    else:
        said = f"a {severity} {side} {NAMES[kind]}"
    opening = one_of(rng, ("There is ", "The image shows ", "The chest X-ray reveals "))
    return [Words(opening), Words(said, "false_finding", f"no {NAMES[kind]}"), Words(".")]


def _denials(absent: Sequence[Kind], rng: np.random.Generator) -> list[list[Words]]:
    """Say of some absent findings that they are absent, which is right."""
    sentences = []
    if "cardiomegaly" in absent and rng.random() < 0.7:
        sentences.append(
            [Words(one_of(rng, ("The heart is normal in size.", "The cardiac silhouette is within normal limits.")))]
        )
    others = [NAMES[kind] for kind in absent if kind != "cardiomegaly" and rng.random() < 0.6]
    if others:
        opening = one_of(rng, ("There is no ", "There is no evidence of ", "No "))
        ending = " is seen." if opening == "No " else "."
        sentences.append([Words(f"{opening}{listed(others, 'or')}{ending}")])
    return sentences
