"""Claims written by hand: `claim("a large effusion", "effusion", ...)` finds the offsets."""

import re

from medprefkit.offsets import span_of
from medprefkit.records import (
    Answer,
    Attribute,
    AttributeKind,
    Case,
    Claim,
    Claims,
    ErrorType,
    Example,
    MaskRef,
    Source,
    Span,
    Verdict,
    Verdicts,
)

SOURCE = Source(name="test", licence="CC0")


class Written:
    """One answer with claims and verdicts, in the order that they are added."""

    def __init__(self, text: str, *, prompt: str = "Describe the image.", masks: bool = False) -> None:
        self.text = text
        self.prompt = prompt
        self.masks = masks
        self.claims: list[Claim] = []
        self.verdicts: list[Verdict] = []

    def span(self, words: str, nth: int = 0) -> Span:
        starts = [m.start() for m in re.finditer(re.escape(words), self.text)]
        return span_of(self.text, starts[nth], starts[nth] + len(words))

    def sentence(self, at: int) -> Span:
        start, end = 0, len(self.text)
        for found in re.finditer(r"[.!?]\s+", self.text):
            if found.end() <= at:
                start = found.end()
            elif found.start() >= at:
                end = found.start() + 1
                break
        return span_of(self.text, start, end)

    def claim(
        self,
        phrase: str,
        words: str | None = None,
        *,
        concept: str = "",
        nth: int = 0,
        attributes: tuple[tuple[AttributeKind, str, str], ...] = (),
        **fields: object,
    ) -> Claim:
        whole = self.span(phrase, nth)
        words = words or phrase
        at = whole.start_char + phrase.index(words)
        made = Claim.model_validate(
            {
                "claim_id": f"c{len(self.claims)}",
                "concept": concept or words.lower().replace(" ", "_"),
                "kind": "finding",
                "span": span_of(self.text, at, at + len(words)),
                "phrase": whole,
                "sentence": self.sentence(whole.start_char),
                "attributes": tuple(
                    Attribute(kind=kind, value=value, span=self._inside(whole, text))
                    for kind, value, text in attributes
                ),
                **fields,
            }
        )
        self.claims.append(made)
        return made

    def wrong(
        self,
        error: ErrorType,
        truth: str,
        phrase: str,
        words: str | None = None,
        *,
        target: str | None = None,
        rule: str = "",
        severity: str = "significant",
        **fields: object,
    ) -> Claim:
        """Add a claim that the reference contradicts."""
        made = self.claim(phrase, words, **fields)  # type: ignore[arg-type]  # the caller's keywords, checked by pydantic
        span = made.phrase if target is None else self._inside(made.phrase, target)
        self.verdicts.append(
            Verdict.model_validate(
                {
                    "claim_id": made.claim_id,
                    "label": "contradicted",
                    "checker": "hand",
                    "rule": rule,
                    "score": 1.0,
                    "evidence": "reference",
                    "error_type": error,
                    "severity": severity,
                    "target": span,
                    "truth": truth,
                }
            )
        )
        return made

    def silent(self, phrase: str, words: str | None = None, **fields: object) -> Claim:
        """Add a claim that nothing speaks to."""
        made = self.claim(phrase, words, **fields)  # type: ignore[arg-type]  # the caller's keywords, checked by pydantic
        self.verdicts.append(
            Verdict(claim_id=made.claim_id, label="unverifiable", checker="hand", rule="reference_silent", score=1.0)
        )
        return made

    def case(self) -> Case:
        masks = (MaskRef(path="mask.png"),) if self.masks else ()
        example = Example(
            id="x",
            group_id="g",
            task="report",
            prompt=self.prompt,
            reference="reference",
            lesion_masks=masks,
            source=SOURCE,
        )
        return Case(
            example=example,
            answer=Answer(id="x", text=self.text, model="m"),
            claims=Claims(id="x", answer=tuple(self.claims), reference=()),
            verdicts=Verdicts(id="x", verdicts=tuple(self.verdicts)),
        )

    def _inside(self, whole: Span, words: str) -> Span:
        at = whole.start_char + whole.text.index(words)
        return span_of(self.text, at, at + len(words))
