"""Measuring checkers: claims of known truth about held-out reports, judged by rules, model and ensemble side by side.

The one place that joins `train_checker.py`'s split, `check/` and the held-out words of `evaluate/paraphrases.py`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tqdm import tqdm

from medprefkit.check.ensemble import EnsembleChecker
from medprefkit.check.label_map import read_settings
from medprefkit.check.nli import NliChecker
from medprefkit.check.pairs import make_pairs
from medprefkit.check.reference import ReferenceChecker
from medprefkit.check.statements import Label, ReadReport, foreign_statements, label_statements
from medprefkit.evaluate.checker import CheckerScore, JudgedClaim, score_checker
from medprefkit.evaluate.paraphrases import reword
from medprefkit.inject.phrasing import Statement
from medprefkit.protocols import Detector
from medprefkit.recipe import Recipe
from medprefkit.records import Answer, Case, Claims, Example, Passage, Source, Verdict
from medprefkit.seeds import rng_for
from medprefkit.train_checker import read_reports, with_twins
from medprefkit.wiring import plug_in

_SOURCE = Source(name="measured", licence="unknown")
_PROMPT = "Describe the image."
_BATCH = 64
_WHOLE = 100_000
"""More words than a report has: every checker gets the whole reference and chooses for itself."""


class Posed(NamedTuple):
    """A claim of known truth.

    Attributes:
        report_id: Of the report it is judged by.
        made_by: How it was made.
        truth: What is right.
        claim: The sentence.
        focus: The words that name what is claimed; empty where it makes one claim.
        reference: What it is judged by.
    """

    report_id: str
    made_by: str
    truth: Label
    claim: str
    focus: str
    reference: str


class CheckerMeasures(NamedTuple):
    """Rules, model and ensemble on claims in training's words and in words of the measure's own."""

    injected: list[CheckerScore]
    paraphrased: list[CheckerScore]
    disagreements: list[dict[str, object]]


def measure_checkers(
    recipe: Recipe, model: str, *, false_edit_cost: float, per_report: int, limit: int, seed: int | None = None
) -> CheckerMeasures:
    """Judge claims about held-out reports by every checker.

    Args:
        recipe: Whose reports; the same as in training, so that the held-out ones are unseen.
        model: A trained checker's folder, or an NLI model.
        false_edit_cost: Of the ensemble.
        per_report: Claims of every report, for each of the two sets.
        limit: Claims of each set at most.
        seed: Of the split; the folder's own where None.
    """
    settings = read_settings(model)
    split = settings.seed if seed is None else seed
    reports = read_reports(recipe, seed=split)
    detector: Detector = plug_in("detectors", recipe.detect)
    held_out = with_twins(reports.held_out, detector, seed=split)
    pairs = make_pairs(held_out, rng_for(split, "check", "measure"), n_pairs=limit, max_reference_words=_WHOLE)
    injected = [Posed(p.report_id, p.error_type, p.label, p.claim, p.focus, p.reference) for p in pairs][:limit]
    paraphrased = rewordings(held_out, foreign_statements(reports.train), seed=split, per_report=per_report)
    panel = _Panel(model, false_edit_cost)
    scores: list[list[CheckerScore]] = []
    differing: list[dict[str, object]] = []
    for posed in (injected, paraphrased[:limit]):
        said = judge_posed(posed, detector, panel)
        scores.append([score_checker(name, judged) for name, judged in said.items()])
        for k, one in enumerate(posed):
            if said["rules"][k].said != said["model"][k].said:
                by: dict[str, object] = {name: judged[k].said for name, judged in said.items()}
                differing.append({**one._asdict(), **by})
    return CheckerMeasures(scores[0], scores[1], differing)


class _Panel:
    """The checkers that are compared; the model reads every claim once for all of them."""

    def __init__(self, model: str, false_edit_cost: float) -> None:
        self._rules = ReferenceChecker()
        self._nli = NliChecker(model=model)
        self._ensembles = {
            "ensemble": EnsembleChecker(model=model, false_edit_cost=false_edit_cost),
            "ensemble, model speaks": EnsembleChecker(
                model=model, false_edit_cost=false_edit_cost, where_rules_are_silent="model"
            ),
        }

    def __call__(self, batch: Sequence[Case]) -> dict[str, list[tuple[Verdict, ...]]]:
        ruled, read = self._rules(batch), self._nli.read(batch)
        said = {"rules": ruled, "model": self._nli.verdicts(batch, read)}
        return said | {name: checker.combine(batch, ruled, read) for name, checker in self._ensembles.items()}


def rewordings(
    reports: Sequence[ReadReport], foreign: Sequence[Statement], *, seed: int, per_report: int
) -> list[Posed]:
    """Return claims about the reports in held-out words, labels as even as each report allows."""
    posed: list[Posed] = []
    for report in reports:
        rng = rng_for(seed, "paraphrase", report.id)
        pools: dict[Label, list[Posed]] = {"supported": [], "contradicted": [], "unverifiable": []}
        for one in label_statements(report, foreign, rng):
            said = reword(one.statement.concept, affirmed=one.statement.affirmed, side=one.statement.side, rng=rng)
            if said is None or one.statement.place or one.statement.degree:
                continue  # the held-out words say no place and no degree
            pools[one.label].append(Posed(report.id, one.made_by, one.label, said.text, said.focus, one.reference))
        mixed = [[pool[k] for k in rng.permutation(len(pool))] for pool in pools.values()]
        posed += [pool[k] for k in range(per_report) for pool in mixed if k < len(pool)][:per_report]
    return posed


def judge_posed(posed: Sequence[Posed], detector: Detector, panel: _Panel) -> dict[str, list[JudgedClaim]]:
    """Let the detector read the claims and every checker judge them, as in a run; name -> what it says of each."""
    judged: dict[str, list[JudgedClaim]] = {}
    for start in tqdm(range(0, len(posed), _BATCH), desc="judging", unit="batch", disable=None, leave=False):
        batch = posed[start : start + _BATCH]
        cases = _cases(batch, detector)
        for name, of_checker in panel(cases).items():
            for one, case, verdicts in zip(batch, cases, of_checker, strict=True):
                said = _said(one, case, verdicts)
                judged.setdefault(name, []).append(JudgedClaim(one.report_id, one.made_by, one.truth, said))
    return judged


def _cases(posed: Sequence[Posed], detector: Detector) -> list[Case]:
    claims = detector([Passage(id=str(k), prompt=_PROMPT, text=one.claim) for k, one in enumerate(posed)])
    references = detector([Passage(id=str(k), prompt=_PROMPT, text=one.reference) for k, one in enumerate(posed)])
    cases = []
    for k, (one, ours, theirs) in enumerate(zip(posed, claims, references, strict=True)):
        example = Example(
            id=str(k), group_id=one.report_id, task="report", prompt=_PROMPT, reference=one.reference, source=_SOURCE
        )
        answer = Answer(id=str(k), text=one.claim, model="measured")
        cases.append(Case(example, answer, Claims(id=str(k), answer=ours, reference=theirs)))
    return cases


def _said(posed: Posed, case: Case, verdicts: Sequence[Verdict]) -> Label:
    """Return what the verdicts on the focus come to: wrong if one is, right if one is, else nothing."""
    claims = case.claims.answer if case.claims is not None else ()
    start = posed.claim.lower().find(posed.focus.lower()) if posed.focus else -1
    end = start + len(posed.focus)
    on_focus = [
        v for c, v in zip(claims, verdicts, strict=True)
        if start < 0 or (c.span.start_char < end and start < c.span.end_char)
    ]  # fmt: skip
    labels = {v.label for v in on_focus}
    return "contradicted" if "contradicted" in labels else "supported" if "supported" in labels else "unverifiable"
