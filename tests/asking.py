"""What a run would lend to a plug-in that asks models, for tests of one plug-in; and cases read and judged by rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medprefkit.check.reference import ReferenceChecker
from medprefkit.context import RunContext
from medprefkit.detect.lexicon import LexiconDetector
from medprefkit.models.calls import CallStore
from medprefkit.protocols import Checker, Image
from medprefkit.records import Answer, Case, Example, ImageRef, MaskRef, Source
from medprefkit.registry import load
from medprefkit.steps import CheckStep, DetectStep, judge_cases

DETECTOR = LexiconDetector()
RULES = ReferenceChecker()


def clean_images(example: Example) -> tuple[Image, ...]:
    return tuple(np.full((40, 48, 3), 10 + k, np.uint8) for k, _ in enumerate(example.images))


def removed_images(example: Example) -> tuple[Image, ...] | None:
    return tuple(image + 100 for image in clean_images(example)) if example.lesion_masks else None


def context(folder: Path, *, stage: Any = "check", checker: Checker = RULES, policy: Path | None = None) -> RunContext:
    def member(use: str, options: Mapping[str, Any]) -> Any:
        made: Any = load("checkers", use)(**options)
        if hasattr(made, "attach"):
            made.attach(lent)
        return made

    lent = RunContext(
        run_seed=0,
        stage=stage,
        calls=CallStore(folder / "calls.sqlite", run="this"),
        images=clean_images,
        without_lesion=removed_images,
        policy=policy,
        member=member,
        detector=DETECTOR,
        checker=checker,
    )
    return lent


def example(
    reference: str = "", *, prompt: str = "Describe the image.", record_id: str = "e", image: bool = False, **more: Any
) -> Example:
    source = Source(name="test", licence="CC0", credentialed=more.pop("credentialed", False))
    masks = (MaskRef(path="m.png"),) if more.pop("lesion", False) else ()
    return Example(
        id=record_id,
        group_id="g",
        task="report",
        prompt=prompt,
        reference=reference,
        images=(ImageRef(path="x.png"),) if image or masks else (),
        lesion_masks=masks,
        source=source,
        **more,
    )


def case(answer: str, reference: str = "", **options: Any) -> Case:
    """Return a case with its claims and the rules' verdicts."""
    made = example(reference, **options)
    given = Case(made, Answer(id=made.id, text=answer, model="m"))
    (judged,) = judge_cases([given], DetectStep(DETECTOR), CheckStep(RULES))
    return judged
