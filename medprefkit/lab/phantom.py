"""Chest phantoms: films of nobody with known findings, true reports, and a model's flawed answers, as files.

Nothing is downloaded and nobody's patient is in it, so the whole product can be tried and its method tested where the
truth is exact. What the pictures lack is said in `radiograph`; the answers come from a script, not from a model, so
numbers on phantoms show that the machinery works and say nothing about clinical use.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from medprefkit.lab.anatomy import SIDES
from medprefkit.lab.dictation import dictate_report
from medprefkit.lab.questions import dictate_answer
from medprefkit.lab.radiograph import Finding, Kind, Lobe, Severity, expose
from medprefkit.lab.sentences import KINDS, Dictation
from medprefkit.protocols import Mask
from medprefkit.seeds import rng_for

_NORMAL_SHARE = 0.15
_SECOND_FINDING_SHARE = 0.3
_QUESTION_SHARE = 0.35
_MIN_MASK_PX = 20  # a finding that is smaller on the film, or hidden, is drawn again elsewhere

_KIND_SHARES: dict[Kind, float] = {
    "nodule": 0.14,
    "mass": 0.15,
    "consolidation": 0.25,
    "pleural_effusion": 0.22,
    "pneumothorax": 0.13,
    "cardiomegaly": 0.11,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomCase:
    """One phantom with everything that is known of it.

    Attributes:
        id: Also its patient: every phantom is somebody else.
        film_seed: With `findings`, the film: `radiograph.expose(film_seed, findings)`; without them the healthy film.
        dictation: Prompt, reference, answer and the answer's errors.
    """

    id: str
    film_seed: int
    findings: tuple[Finding, ...]
    dictation: Dictation


def draw_phantoms(out_dir: Path, n: int, seed: int, *, watch: Callable[[range], Iterable[int]] = iter) -> None:
    """Write `images/`, `masks/` and `cases.jsonl`, a table for `sources.phantom`; the same seed, the same bytes.

    Texts, masks' places and findings hold everywhere; a grey level may differ by one where NumPy or OpenCV round
    otherwise than here.

    A case's lesion masks stand in the order of its findings in the column `truth`.

    Args:
        out_dir: Made where it is missing.
        n: Cases; the first k of n are the same for every n.
        seed: Of the run.
        watch: Wraps the cases' numbers, for instance in a progress bar.
    """
    for folder in ("images", "masks"):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
    with (out_dir / "cases.jsonl").open("w", encoding="utf-8", newline="\n") as table:
        for number in watch(range(n)):
            case, image, masks = draw_case(seed, f"phantom-{number:05d}")
            paths = [f"masks/{case.id}-{position}.png" for position in range(len(masks))]
            _write_png(out_dir / "images" / f"{case.id}.png", image)
            for path, mask in zip(paths, masks, strict=True):
                _write_png(out_dir / path, np.where(mask, np.uint8(255), np.uint8(0)))
            table.write(json.dumps(_row(case, paths), ensure_ascii=False) + "\n")


def draw_case(seed: int, case_id: str) -> tuple[PhantomCase, NDArray[np.uint8], tuple[Mask, ...]]:
    """Return a case, its film (256, 256) uint8 and a mask of each finding (256, 256).

    Args:
        seed: Of the run; with `case_id` it decides everything.
        case_id: Names the case.
    """
    rng = rng_for(seed, "phantom", case_id)
    while True:
        film_seed, findings = int(rng.integers(2**31)), _sample_findings(rng)
        film = expose(film_seed, findings)
        if all(int(mask.sum()) >= _MIN_MASK_PX for mask in film.masks):
            break
    dictate = dictate_answer if rng.random() < _QUESTION_SHARE else dictate_report
    case = PhantomCase(id=case_id, film_seed=film_seed, findings=findings, dictation=dictate(findings, rng))
    return case, film.image, film.masks


def _sample_findings(rng: np.random.Generator) -> tuple[Finding, ...]:
    if rng.random() < _NORMAL_SHARE:
        return ()
    shares = np.array([_KIND_SHARES[kind] for kind in KINDS])
    first = _sample_finding(KINDS[int(rng.choice(len(KINDS), p=shares))], rng)
    if rng.random() >= _SECOND_FINDING_SHARE:
        return (first,)
    for _ in range(20):  # nearly always enough; a finding that nothing goes with stays alone
        second = _sample_finding(KINDS[int(rng.choice(len(KINDS), p=shares))], rng)
        if _show_together(first, second):
            return first, second
    return (first,)


def _show_together(first: Finding, second: Finding) -> bool:
    """Tell whether two findings leave each other to be seen, and whether a report can tell them apart."""
    lumps = {"nodule", "mass"}
    if first.kind == second.kind or {first.kind, second.kind} == lumps:
        return False
    heart = next((finding for finding in (first, second) if finding.kind == "cardiomegaly"), None)
    if heart is not None:
        other = second if heart is first else first
        return other.lobe == "upper" or (other.kind == "pleural_effusion" and other.severity == "small")
    return first.side != second.side


def _sample_finding(kind: Kind, rng: np.random.Generator) -> Finding:
    severity: Severity = ("small", "moderate", "large")[int(rng.integers(3))]
    shape = int(rng.integers(2**31))
    if kind == "cardiomegaly":
        return Finding(kind=kind, severity=severity, seed=shape)
    side = SIDES[int(rng.integers(2))]
    if kind in ("pleural_effusion", "pneumothorax"):
        return Finding(kind=kind, severity=severity, side=side, seed=shape)
    lobes: tuple[Lobe, ...] = ("upper", "middle", "lower") if side == "right" else ("upper", "lower")
    lobe = lobes[int(rng.integers(len(lobes)))]
    if kind == "consolidation":
        return Finding(kind=kind, severity=severity, side=side, lobe=lobe, seed=shape)
    low, high = (1.2, 2.7) if kind == "nodule" else (3.3, 5.2)
    size_cm = round(float(rng.uniform(low, high)), 1)
    return Finding(kind=kind, side=side, lobe=lobe, size_cm=size_cm, seed=shape)


def _row(case: PhantomCase, mask_paths: list[str]) -> dict[str, object]:
    said = case.dictation
    return {
        "id": case.id,
        "group": case.id,
        "task": said.task,
        "prompt": said.prompt,
        "image": f"images/{case.id}.png",
        "lesion_mask": mask_paths,
        "reference": said.reference,
        "answer": said.answer,
        "modality": "X-ray",
        "truth": {
            "film_seed": case.film_seed,
            "findings": [asdict(finding) for finding in case.findings],
            "planted": [asdict(error) for error in said.planted],
            "omitted": list(said.omitted),
        },
    }


def _write_png(path: Path, grey: NDArray[np.uint8]) -> None:
    written, data = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not written:
        raise ValueError(f"{path.name}: OpenCV cannot encode an array of shape {grey.shape}")
    path.write_bytes(data.tobytes())
