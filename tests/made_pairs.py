"""Cases and pairs made by hand for the tests of building, publishing and viewing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medprefkit.build.pairs import make_pair
from medprefkit.offsets import apply_edits
from medprefkit.records import (
    Answer,
    Case,
    CorruptedImage,
    Edit,
    Edits,
    ErrorType,
    Example,
    ImageRef,
    PreferencePair,
    Region,
    Source,
    Span,
    Verdict,
    Verdicts,
)

Change = tuple[str, str, ErrorType]
ANSWER = "The left lung shows a large effusion. The heart is normal."
CHANGES: tuple[Change, ...] = (
    ("left", "right", "wrong_laterality"),
    ("a large effusion", "no effusion", "false_finding"),
)


def span(text: str, piece: str) -> Span:
    start = text.index(piece)
    return Span(start_char=start, end_char=start + len(piece), text=piece)


def edits_for(answer: str, changes: Sequence[Change]) -> tuple[Edit, ...]:
    return tuple(
        Edit(
            phrase_id=number,
            span=span(answer, wrong),
            claim_span=span(answer, wrong),
            replacement=right,
            error_type=error_type,
            claim_ids=(f"c{number}",),
            lesion_linked=number == 1,
        )
        for number, (wrong, right, error_type) in enumerate(changes, 1)
    )


def make_case(
    record_id: str = "a",
    *,
    answer: str = ANSWER,
    changes: Sequence[Change] = CHANGES,
    images: Sequence[str] = (),
    corrupted: CorruptedImage | None = None,
    source: Source | None = None,
    evidence: str = "Right-sided lung is clear.",
    **example: Any,
) -> Case:
    fields = {"group_id": f"patient-{record_id}", "task": "report", "prompt": "Describe it.", "reference": "Clear."}
    edits = edits_for(answer, changes)
    verdicts = tuple(
        Verdict(
            claim_id=f"c{edit.phrase_id}",
            label="contradicted",
            checker="reference",
            rule="laterality_differs",
            score=0.9,
            evidence=evidence,
            error_type=edit.error_type,
            target=edit.span,
            truth=edit.replacement,
        )
        for edit in edits
    )
    return Case(
        example=Example(
            id=record_id,
            images=tuple(ImageRef(path=path) for path in images),
            source=source or Source(name="made", licence="CC0-1.0"),
            **(fields | example),
        ),
        answer=Answer(id=record_id, text=answer, model="script"),
        verdicts=Verdicts(id=record_id, verdicts=verdicts),
        edits=Edits(id=record_id, edits=edits, chosen=apply_edits(answer, edits).text),
        corrupted=corrupted,
    )


def make(record_id: str = "a", **options: Any) -> PreferencePair:
    pair = make_pair(make_case(record_id, **options), recipe_hash="0123abcd", package_version="0.1.0")
    assert isinstance(pair, PreferencePair), pair
    return pair


def draw(path: Path, shade: int, *, size_px: tuple[int, int] = (24, 16)) -> str:
    """Write a small grey picture with a gradient; return its name."""
    width, height = size_px
    grey = (np.arange(width * height).reshape(height, width) + shade) % 251
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey.astype(np.uint8)).save(path)
    return path.name


def corrupt(run_dir: Path, record_id: str, *, clean: bool = False, control: bool = True) -> CorruptedImage:
    """Write corrupted pictures below `run_dir` and return their record."""
    names = {"corrupted": 90, **({"control": 120} if control else {}), **({"clean": 0} if clean else {})}
    paths: dict[str, tuple[ImageRef, ...]] = {}
    for name, shade in names.items():
        draw(run_dir / f"corrupt/{record_id}.{name}.png", shade)
        paths[name] = (ImageRef(path=f"corrupt/{record_id}.{name}.png"),)
    return CorruptedImage(
        id=record_id,
        name="telea",
        options='{"margin_px": 3}',
        seed=2**63 + 1,
        lesion_share=0.04,
        changed_share=0.06,
        region=Region(left_px=6, top_px=4, right_px=12, bottom_px=8),
        **paths,
    )
