"""A text model judges claims against the reference: one question an answer, strict JSON back, every failure named.

Evidence has to be a quotation of the reference, and a correction its words; else the claim is left alone. A failed or
malformed reply leaves every claim of the answer alone.
"""

import json
from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from medprefkit.check.model_rulings import ERROR_TYPES, abstain, contradict, quotation, support
from medprefkit.context import RunContext, attached
from medprefkit.models.desk import Desk
from medprefkit.models.opening import ModelChoice, Precision
from medprefkit.models.prompts import render_prompt
from medprefkit.models.requests import Asker, Outcome, Request, Schema
from medprefkit.models.strict import Unread, read_json
from medprefkit.records import Case, Claim, ErrorType, Sampling, Verdict

CHECKER = "llm"
PROMPT = "check_llm.v1"


class _Judgement(BaseModel):
    """What the model says of one claim."""

    model_config = ConfigDict(extra="forbid", strict=True)

    claim_id: str
    label: Literal["supported", "contradicted", "unverifiable"]
    quote: str
    error_type: Literal["", *get_args(ErrorType)]  # type: ignore[valid-type]  # the closed set, and nothing
    truth: str


class _Judgements(BaseModel):
    """The whole reply."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verdicts: list[_Judgement]


class LlmChecker:
    """Asks a text model, in this process or behind an endpoint, about all claims of an answer at once.

    Args:
        model: Folder or Hub name, or what the server calls it.
        base_url: The server's address, up to and with `/v1`; null for a model in this process.
        revision: Which state of the model a server runs, in your words.
        score: Confidence in a verdict that passed every test; what combines checkers weighs it.
        max_new_tokens: A reply that does not end within them leaves its claims alone.
        precision: Of a model in this process.
        device_map: As transformers takes it.
        requests_per_pass: Questions that a model in this process reads at once.
        concurrency: Questions under way at once at a server.
        timeout_s: Seconds until one try at a server counts as failed.
    """

    PROMPTS = (PROMPT,)

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        revision: str = "",
        score: float = 0.75,
        max_new_tokens: int = 1024,
        precision: Precision = "bf16",
        device_map: str | None = None,
        requests_per_pass: int = 4,
        concurrency: int = 4,
        timeout_s: float = 120.0,
    ) -> None:
        self._choice = ModelChoice(
            model=model,
            base_url=base_url,
            revision=revision,
            precision=precision,
            device_map=device_map,
            batch_size=requests_per_pass,
            concurrency=concurrency,
            timeout_s=timeout_s,
        )
        self._score = score
        self._sampling = Sampling(max_new_tokens=max_new_tokens)
        self._desk: Desk | None = None

    def attach(self, context: RunContext) -> None:
        """Open the model."""
        self._desk = Desk(self._choice.open(), context.calls, stage=context.stage)

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """The one model and where it runs."""
        return self._choice.named

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked: one question an answer that claims something."""
        desk = attached(self._desk)
        return [(desk.asker, self.request(case)) for case in batch if _claims(case)]

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; a case without claims is not asked about."""
        desk = attached(self._desk)
        asked = [case for case in batch if _claims(case)]
        outcomes = iter(desk.ask([self.request(case) for case in asked]))
        return [self._verdicts(case, next(outcomes)) if _claims(case) else () for case in batch]

    def request(self, case: Case) -> Request:
        """Return the question about a case's claims."""
        prompt = render_prompt(
            PROMPT,
            question=case.example.prompt,
            answer=case.answer.text if case.answer is not None else "",
            reference=case.example.reference,
            claims=[_shown(claim) for claim in _claims(case)],
            error_types=ERROR_TYPES,
        )
        return Request(
            record_id=case.example.id,
            prompt=prompt,
            pictures=(),
            sampling=self._sampling,
            schema=Schema("verdicts", json.dumps(_Judgements.model_json_schema(), sort_keys=True)),
            credentialed=case.example.source.credentialed,
        )

    def _verdicts(self, case: Case, outcome: Outcome) -> tuple[Verdict, ...]:
        claims = _claims(case)
        read = read_json(outcome, _Judgements)
        if isinstance(read, Unread):
            return tuple(abstain(claim, CHECKER, read.reason) for claim in claims)
        said: dict[str, list[_Judgement]] = {}
        for judgement in read.verdicts:
            said.setdefault(judgement.claim_id, []).append(judgement)
        return tuple(self._one(case, claim, said.get(claim.claim_id, [])) for claim in claims)

    def _one(self, case: Case, claim: Claim, said: Sequence[_Judgement]) -> Verdict:
        if len(said) != 1:
            return abstain(claim, CHECKER, "judged_twice" if said else "not_judged")
        judgement, reference = said[0], case.example.reference
        if judgement.label == "unverifiable":
            return abstain(claim, CHECKER, "model_abstains")
        evidence = quotation(judgement.quote, reference)
        if evidence is None:
            return abstain(claim, CHECKER, "quote_not_in_reference" if judgement.quote.strip() else "no_quote")
        if judgement.label == "supported":
            return support(claim, CHECKER, "model_says", self._score, evidence)
        if judgement.error_type not in ERROR_TYPES:
            return abstain(claim, CHECKER, "no_error_type", evidence)
        return contradict(
            claim,
            CHECKER,
            "model_says",
            self._score,
            error=judgement.error_type,
            truth=judgement.truth,
            evidence=evidence,
            reference=reference,
        )


def _shown(claim: Claim) -> dict[str, str]:
    says = "affirms it" if claim.polarity == "affirmed" else "denies it"
    if claim.certainty != "certain":
        says += ", as possible"
    return {"id": claim.claim_id, "words": claim.phrase.text, "sentence": claim.sentence.text.strip(), "says": says}


def _claims(case: Case) -> tuple[Claim, ...]:
    return case.claims.answer if case.claims is not None else ()
