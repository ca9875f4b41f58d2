"""The model editor: a model rewrites one clause, and rules and another checker decide whether it is taken.

A rewrite is taken only if nothing outside its clause changes, the edited text read again has the target fixed and
nothing else changed, the checker knows what it says to be true, and the edit is within the limits. Otherwise the
template's edit stands, or nothing does, with the reason. The model that writes never judges.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from medprefkit.context import AsksModels, RunContext, attached
from medprefkit.edit.decisions import linked_claims, to_edit
from medprefkit.edit.limits import edited_share, is_short
from medprefkit.edit.minimal import MinimalEditor
from medprefkit.edit.rewriting import Part, Refused, change_of, clause_around
from medprefkit.edit.verify import keep_edits, verify_edits
from medprefkit.errors import RecipeError
from medprefkit.models.calls import Rewrite
from medprefkit.models.desk import Desk
from medprefkit.models.opening import ModelChoice, Precision
from medprefkit.models.prompts import render_prompt
from medprefkit.models.requests import Asker, Outcome, Request, Schema
from medprefkit.models.strict import Unread, read_json
from medprefkit.offsets import apply_edits
from medprefkit.records import Answer, Case, Claims, Dropped, Edit, Passage, Sampling, Span, Verdict

PROMPT = "edit_clause.v1"


class _Rewrite(BaseModel):
    """The model's reply."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rewrite: str


@dataclass(slots=True)
class _Work:
    """One answer on its way: what holds so far, what is still to be put right, and why it is not."""

    case: Case
    verdicts: dict[str, Verdict]
    template: tuple[Edit, ...]
    held: tuple[Edit, ...]
    groups: list[list[Part]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class ModelEditor:
    """Edits by templates and by a model.

    Args:
        model: Folder or Hub name, or what the server calls it; not one that the recipe's checker asks.
        base_url: The server's address, up to and with `/v1`; null for a model in this process.
        revision: Which state of the model a server runs, in your words.
        first: `template`: the model is asked only for what templates refuse or do not get right; `model`: it is asked
            for every error, and templates stand in where its edit is refused.
        max_edited_share: As of the `minimal` editor.
        significant_weight: As of the `minimal` editor.
        insignificant_weight: As of the `minimal` editor.
        max_new_tokens: A rewrite that does not end within them is refused.
        precision: Of a model in this process.
        device_map: As transformers takes it.
        requests_per_pass: Rewrites that a model in this process makes at once.
        concurrency: Rewrites under way at once at a server.
        timeout_s: Seconds until one try at a server counts as failed.

    Raises:
        RecipeError: As `MinimalEditor`.
    """

    PROMPTS = (PROMPT,)

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        revision: str = "",
        first: Literal["template", "model"] = "template",
        max_edited_share: float = 0.85,
        significant_weight: float = 1.0,
        insignificant_weight: float = 0.5,
        max_new_tokens: int = 128,
        precision: Precision = "bf16",
        device_map: str | None = None,
        requests_per_pass: int = 8,
        concurrency: int = 4,
        timeout_s: float = 120.0,
    ) -> None:
        self._templates = MinimalEditor(
            max_edited_share=max_edited_share,
            significant_weight=significant_weight,
            insignificant_weight=insignificant_weight,
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
        self._first = first
        self._max_edited_share = max_edited_share
        self._sampling = Sampling(max_new_tokens=max_new_tokens)
        self._context: RunContext | None = None
        self._desk: Desk | None = None

    def attach(self, context: RunContext) -> None:
        """Open the model.

        Raises:
            RecipeError: If the recipe's checker asks the same model: nobody judges their own edits.
        """
        if isinstance(context.checker, AsksModels) and self.models & context.checker.models:
            raise RecipeError(f"edit and check both ask {self._choice.model!r}: a model must not judge its own edits")
        self._context, self._desk = context, Desk(self._choice.open(), context.calls, stage=context.stage)

    @property
    def models(self) -> frozenset[tuple[str, str]]:
        """The one model and where it runs."""
        return self._choice.named

    def forecast(self, batch: Sequence[Case]) -> list[tuple[Asker, Request]]:
        """Return what would be asked at most: one question a clause that claims something."""
        desk = attached(self._desk)
        found = []
        for case in batch:
            claims = case.claims.answer if case.claims is not None else ()
            places = {clause_around(_text(case), claim.sentence, claim.span) for claim in claims}
            found += [(desk.asker, self._request(case, Part(*place, ()))) for place in sorted(places)]
        return found

    def __call__(self, batch: Sequence[Case]) -> list[tuple[Edit, ...] | Dropped]:
        """Edit each case; `()` where nothing is contradicted, `Dropped` where everything that is was refused."""
        desk = attached(self._desk)
        works = [self._begin(case, edits) for case, edits in zip(batch, self._templates(batch), strict=True)]
        requests = [self._request(work.case, part) for work in works for group in work.groups for part in group]
        outcomes = iter(desk.ask(requests))
        for work in works:
            for group in work.groups:
                self._take(work, group, [next(outcomes) for _ in group])
        return [self._finish(work) for work in works]

    def _begin(self, case: Case, template: tuple[Edit, ...] | Dropped) -> _Work:
        verdicts = to_edit(case)
        work = _Work(case, verdicts, template=(), held=())
        if isinstance(template, Dropped):
            work.reasons.append(f"template: {template.detail}")
        else:
            work.template = self._holding(case, template, work.reasons)
        if self._first == "template":
            work.held = work.template
        covered = {claim_id for edit in work.held for claim_id in edit.claim_ids}
        linked = linked_claims(case.claims.answer if case.claims is not None else (), verdicts)
        for group in dict.fromkeys(linked.values()):
            if not group <= covered:
                work.groups.append(self._parts(case, [verdicts[c] for c in sorted(group - covered)]))
        return work

    def _holding(self, case: Case, edits: tuple[Edit, ...], reasons: list[str]) -> tuple[Edit, ...]:
        """Return those of the template's edits that hold when the text is read again."""
        while edits:
            refused = verify_edits(case, self._read(case, edits).answer, edits)
            if not refused:
                break
            reasons += [f"template: {reason}" for _, reason in refused]
            edits = keep_edits(edits, {phrase_id for phrase_id, _ in refused})
        return edits

    def _parts(self, case: Case, verdicts: Sequence[Verdict]) -> list[Part]:
        """Gather the wrong words of one decision by the clause that they stand in."""
        sentences = {c.claim_id: c.sentence for c in case.claims.answer} if case.claims is not None else {}
        found: dict[tuple[int, int], list[Verdict]] = {}
        for verdict in verdicts:
            if verdict.target is not None:
                place = clause_around(_text(case), sentences[verdict.claim_id], verdict.target)
                found.setdefault(place, []).append(verdict)
        return [Part(start, end, tuple(of_part)) for (start, end), of_part in sorted(found.items())]

    def _request(self, case: Case, part: Part) -> Request:
        text = _text(case)
        prompt = render_prompt(
            PROMPT,
            question=case.example.prompt,
            before=text[: part.start],
            part=text[part.start : part.end],
            after=text[part.end :],
            wrong=[
                {
                    "words": v.target.text if v.target is not None else "",
                    "error_type": (v.error_type or "").replace("_", " "),
                    "truth": v.truth,
                    "evidence": v.evidence,
                }
                for v in part.verdicts
            ],
        )
        return Request(
            record_id=case.example.id,
            prompt=prompt,
            pictures=(),
            sampling=self._sampling,
            schema=Schema("rewrite", json.dumps(_Rewrite.model_json_schema(), sort_keys=True)),
            credentialed=case.example.source.credentialed,
        )

    def _take(self, work: _Work, group: Sequence[Part], outcomes: Sequence[Outcome]) -> None:
        """Take the rewrites of one decision, all or none."""
        text = _text(work.case)
        read = [read_json(outcome, _Rewrite) for outcome in outcomes]
        changes = [
            Refused(*said) if isinstance(said, Unread) else change_of(text, part, said.rewrite)
            for part, said in zip(group, read, strict=True)
        ]
        refusal = next((change for change in changes if isinstance(change, Refused)), None)
        if refusal is None:
            made = [change for change in changes if not isinstance(change, Refused)]
            refusal = self._refuse_or_hold(work, self._templates.edits_of(work.case, text, made, work.verdicts))
        outcome = Refused("accepted") if refusal is None else refusal
        for part, said in zip(group, read, strict=True):
            self._note(work.case, part, "" if isinstance(said, Unread) else said.rewrite, outcome)
        if refusal is not None:
            work.reasons.append(f"model: {refusal.reason}{': ' * bool(refusal.detail)}{refusal.detail}")

    def _refuse_or_hold(self, work: _Work, made: tuple[Edit, ...]) -> Refused | None:
        text = _text(work.case)
        spans = [(e.span.start_char, e.span.end_char) for e in (*work.held, *made)]
        if any(start < end for (_, end), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False)):
            return Refused("overlaps_another_edit")
        together = keep_edits((*work.held, *made), ())
        share = edited_share(text, together)
        if share > self._max_edited_share and not is_short(text):
            return Refused("edited_too_much", f"{share:.0%} of the tokens")
        claims = self._read(work.case, together)
        refused = verify_edits(work.case, claims.answer, together)
        if refused:
            return Refused("not_verified", refused[0].reason)
        if (refusal := self._judge(work, claims, together, made)) is not None:
            return refusal
        work.held = together
        return None

    def _judge(self, work: _Work, claims: Claims, together: tuple[Edit, ...], made: tuple[Edit, ...]) -> Refused | None:
        """Have the edited text judged: no edit may be wrong, and each of the model's must say what is known to be true.

        That nothing contradicts it is not enough: words that nobody can read contradict nothing. Only an edit that
        takes words away need not say anything.
        """
        if self._context is None or self._context.checker is None:
            raise ValueError("an editor needs the checker of its run")
        edited = apply_edits(_text(work.case), together)
        answer = _answer(work.case).model_copy(update={"text": edited.text})
        (verdicts,) = self._context.checker([Case(work.case.example, answer, claims)])
        known = {v.target.text for v in work.verdicts.values() if v.target is not None}
        for verdict in verdicts:
            if verdict.target is not None and verdict.target.text not in known:
                return Refused("checker_contradicts", f"{verdict.target.text!r}, which was not wrong before")
        said = {claim.claim_id: claim for claim in claims.answer}
        spans = [(e.span.start_char, e.span.end_char) for e in made]
        for edit, now in zip(together, edited.spans, strict=True):
            for verdict in verdicts:
                if verdict.target is not None and _meet(verdict.target, now):
                    return Refused("checker_contradicts", repr(verdict.target.text))
            is_new = (edit.span.start_char, edit.span.end_char) in spans
            if not is_new or edit.replacement in edit.span.text:  # it only takes words away
                continue
            if not any(v.label == "supported" and _meet(said[v.claim_id].phrase, now) for v in verdicts):
                return Refused("not_known_to_be_true", repr(now.text))
        return None

    def _finish(self, work: _Work) -> tuple[Edit, ...] | Dropped:
        if not work.verdicts:
            return ()
        covered = {claim_id for edit in work.held for claim_id in edit.claim_ids}
        spare = tuple(edit for edit in work.template if covered.isdisjoint(edit.claim_ids))
        if self._first == "model" and spare:
            both = keep_edits((*work.held, *spare), ())
            if not verify_edits(work.case, self._read(work.case, both).answer, both):
                work.held = both
        if work.held:
            return work.held
        detail = "; ".join(dict.fromkeys(work.reasons)) or "no edit was found"
        return Dropped(id=work.case.example.id, stage="edit", reason="edit_refused", detail=detail)

    def _read(self, case: Case, edits: tuple[Edit, ...]) -> Claims:
        """Read the edited text, by the detector that read the answer."""
        if self._context is None or self._context.detector is None or case.claims is None:
            raise ValueError("an editor needs the detector of its run")
        chosen = apply_edits(_text(case), edits).text
        (claims,) = self._context.detector([Passage(id=case.example.id, prompt=case.example.prompt, text=chosen)])
        return case.claims.model_copy(update={"answer": claims})

    def _note(self, case: Case, part: Part, rewrite: str, outcome: Refused) -> None:
        if self._context is not None:
            before = _text(case)[part.start : part.end]
            self._context.calls.note_rewrite(
                Rewrite(case.example.id, part.start, before, rewrite, outcome.reason, outcome.detail)
            )


def _meet(one: Span, other: Span) -> bool:
    return one.start_char < other.end_char and other.start_char < one.end_char


def _answer(case: Case) -> Answer:
    if case.answer is None:
        raise ValueError(f"{case.example.id}: this step comes after `check`")
    return case.answer


def _text(case: Case) -> str:
    return _answer(case).text
