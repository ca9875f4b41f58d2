"""A vision-language model judges claims by the image: the log-probabilities of yes and no, with and without the lesion.

Source: POPE's yes/no probing (arXiv 2305.10355), and the contrast of an image with a damaged one as evidence (VCD,
arXiv 2311.16922). Differs: always asks whether the thing is there, since models answer denials badly, and turns the
answer round for a claim that denies; a yes that stays when the lesion is removed is no evidence; between two stated
thresholds it abstains.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from medprefkit.check.model_rulings import abstain, contradict, support
from medprefkit.context import RunContext, attached
from medprefkit.errors import ImageError, RecipeError
from medprefkit.models.desk import Desk
from medprefkit.models.opening import ModelChoice, Precision
from medprefkit.models.prompts import render_prompt
from medprefkit.models.requests import Asker, Outcome, Picture, Reply, Request, picture_of
from medprefkit.records import Case, Claim, Sampling, Verdict

CHECKER = "vlm"
PROMPT = "check_vlm.v1"

_VISIBLE = frozenset({"finding", "device"})


class _Asked(NamedTuple):
    """The questions about one claim: on the clean images, and on those without the lesion where there are such."""

    claim: Claim
    clean: Request
    corrupted: Request | None


class _Answered(NamedTuple):
    """What came back about one claim."""

    claim: Claim
    clean: Outcome
    corrupted: Outcome | None


class VlmChecker:
    """Asks a vision-language model, in this process or behind an endpoint, about each claim that an image can show.

    Args:
        model: Folder or Hub name, or what the server calls it.
        base_url: The server's address, up to and with `/v1`; null for a model in this process.
        revision: Which state of the model a server runs, in your words.
        contradicted_below: A claim is wrong where the probability that it is true, of yes against no, is below this.
        supported_above: It is right where that is above this. In between, the checker abstains. The defaults abstain
            often: `medprefkit evaluate detection --calibrate` finds what a model's probabilities are worth.
        min_grounding_nats: What the log-odds of yes must lose with the lesion for a yes to count, where there is a
            corrupted image.
        precision: Of a model in this process.
        device_map: As transformers takes it.
        requests_per_pass: Questions that a model in this process reads at once.
        concurrency: Questions under way at once at a server.
        timeout_s: Seconds until one try at a server counts as failed.

    Raises:
        RecipeError: If the thresholds are not 0 <= contradicted_below <= supported_above <= 1.
    """

    PROMPTS = (PROMPT,)

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        revision: str = "",
        contradicted_below: float = 0.05,
        supported_above: float = 0.95,
        min_grounding_nats: float = 0.0,
        precision: Precision = "bf16",
        device_map: str | None = None,
        requests_per_pass: int = 8,
        concurrency: int = 4,
        timeout_s: float = 120.0,
    ) -> None:
        if not 0.0 <= contradicted_below <= supported_above <= 1.0:
            raise RecipeError(
                f"thresholds must be 0 <= contradicted_below <= supported_above <= 1, got {contradicted_below} and "
                f"{supported_above}"
            )
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
        self._contradicted_below, self._supported_above = contradicted_below, supported_above
        self._min_grounding_nats = min_grounding_nats
        self._context: RunContext | None = None
        self._desk: Desk | None = None

    def attach(self, context: RunContext) -> None:
        """Open the model."""
        self._context, self._desk = context, Desk(self._choice.open(), context.calls, stage=context.stage)

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """The one model and where it runs."""
        return self._choice.named

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked: one question a visible claim, and one without the lesion."""
        desk = attached(self._desk)
        asked = [one for case in batch for one in self.questions(case)]
        return [(desk.asker, r) for one in asked for r in (one.clean, one.corrupted) if r is not None]

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Verdict, ...]]:
        """Judge each case; what an image cannot show, and cases without images, are left alone."""
        verdicts = []
        for case, answered in zip(batch, self._ask(batch), strict=True):
            said = {one.claim.claim_id: self._verdict(case, *one) for one in answered}
            unasked = "not_visible" if case.example.images else "no_image"
            verdicts.append(tuple(said.get(c.claim_id) or abstain(c, CHECKER, unasked) for c in _claims(case)))
        return verdicts

    def probabilities(self, batch: Sequence[Case]) -> list[dict[str, float]]:
        """Return, for each case, claim id -> the probability that the claim is true, 0 to 1, before any threshold.

        A claim that is not asked about, or answered without log-probabilities, is not in it.
        """
        return [
            {
                one.claim.claim_id: _probability(one.claim, odds)
                for one in answered
                if (odds := _log_odds(one.clean)) is not None and math.isfinite(odds)
            }
            for answered in self._ask(batch)
        ]

    def _ask(self, batch: Sequence[Case]) -> list[list[_Answered]]:
        desk = attached(self._desk)
        asked = [self.questions(case) for case in batch]
        requests = [r for of_case in asked for one in of_case for r in (one.clean, one.corrupted) if r is not None]
        outcomes = iter(desk.ask(requests))
        return [
            [
                _Answered(one.claim, next(outcomes), next(outcomes) if one.corrupted is not None else None)
                for one in of_case
            ]
            for of_case in asked
        ]

    def questions(self, case: Case) -> list[_Asked]:
        """Return what is asked about a case: nothing where it has no image that can be read."""
        claims = [claim for claim in _claims(case) if _is_visible(claim)]
        if self._context is None or not claims or not case.example.images:
            return []
        try:
            clean = tuple(map(picture_of, self._context.images(case.example)))
        except ImageError:
            return []
        removed = self._context.without_lesion(case.example)
        corrupted = tuple(map(picture_of, removed)) if removed is not None else None
        return [
            _Asked(
                claim,
                _request(case, claim, clean),
                _request(case, claim, corrupted) if corrupted is not None and claim.kind == "finding" else None,
            )
            for claim in claims
        ]

    def _verdict(self, case: Case, claim: Claim, clean: Outcome, corrupted: Outcome | None) -> Verdict:
        odds = _log_odds(clean)
        if odds is None:
            return abstain(claim, CHECKER, clean.reason if not isinstance(clean, Reply) else "neither_yes_nor_no")
        without = _log_odds(corrupted) if corrupted is not None else None
        grounding = odds - without if without is not None and math.isfinite(odds - without) else None
        verdict = self._judge(case, claim, odds, grounding)
        return verdict.model_copy(update={"grounding": grounding})

    def _judge(self, case: Case, claim: Claim, odds: float, grounding: float | None) -> Verdict:
        rule = "yes_no_word" if math.isinf(odds) else "yes_no_logps"
        is_true = _probability(claim, odds)
        if self._contradicted_below <= is_true <= self._supported_above:
            return abstain(claim, CHECKER, "not_sure")
        if odds > 0.0 and grounding is not None and grounding < self._min_grounding_nats:
            return abstain(claim, CHECKER, "yes_without_the_lesion")
        if is_true > self._supported_above:
            return support(claim, CHECKER, rule, _WORD_SCORE if math.isinf(odds) else is_true)
        return contradict(
            claim,
            CHECKER,
            rule,
            _WORD_SCORE if math.isinf(odds) else 1.0 - is_true,
            error="false_finding" if claim.polarity == "affirmed" else "false_negation",
            truth="",
            evidence="",
            reference=case.example.reference,
        )


def _request(case: Case, claim: Claim, pictures: tuple[Picture, ...]) -> Request:
    is_answer = claim.role == "yes_no"
    thing = claim.phrase.text if claim.polarity == "affirmed" else claim.span.text
    prompt = render_prompt(PROMPT, question=case.example.prompt if is_answer else "", thing=thing)
    return Request(
        record_id=case.example.id,
        prompt=prompt.strip(),
        pictures=pictures,
        sampling=Sampling(max_new_tokens=4),
        wants="yes_no",
        credentialed=case.example.source.credentialed,
    )


def _log_odds(outcome: Outcome) -> float | None:
    """Return the log-odds of yes; infinite where only the word is to be had, None where it is neither."""
    if not isinstance(outcome, Reply):
        return None
    if outcome.yes_logp is not None and outcome.no_logp is not None:
        return outcome.yes_logp - outcome.no_logp
    words = outcome.text.split()
    word = words[0].strip(".,!:;\"'*").lower() if words else ""
    return {"yes": math.inf, "no": -math.inf}.get(word)


def _probability(claim: Claim, odds_of_yes: float) -> float:
    """Return the probability that the claim is true; a denial is true where the answer is no."""
    odds = odds_of_yes if claim.polarity == "affirmed" else -odds_of_yes
    return 1.0 / (1.0 + math.exp(-odds)) if odds > -700.0 else 0.0


_WORD_SCORE = 0.75
"""Confidence in a bare word, which has no probability of its own."""


def _is_visible(claim: Claim) -> bool:
    """Tell whether an image of this patient, now, can show it."""
    return (
        claim.kind in _VISIBLE
        and claim.role in {"statement", "yes_no"}
        and claim.certainty == "certain"
        and claim.experiencer == "patient"
        and claim.current
        and claim.refers_to is None
    )


def _claims(case: Case) -> tuple[Claim, ...]:
    return case.claims.answer if case.claims is not None else ()
