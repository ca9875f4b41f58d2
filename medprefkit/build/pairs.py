"""Pairs: an answer and its edits become `rejected` and `chosen` with phrase spans on both sides.

`rejected` is the answer byte for byte. `chosen` is proven to differ from it inside the spans only.
"""

import json
from collections.abc import Sequence

from medprefkit.build.grow import grow_empty_edits
from medprefkit.errors import DatasetError
from medprefkit.offsets import apply_edits, edited_word_share
from medprefkit.records import Answer, Case, Dropped, Edit, PhraseSpan, PreferencePair, Provenance, Span

SHORT_ANSWER_WORDS = 12
"""An answer of at most this many words may be wrong as a whole ("Coronal CT"), so its edited share has no limit."""


def make_pair(
    case: Case,
    *,
    recipe_hash: str,
    package_version: str,
    prompts: str = "",
    max_edited_share: float = 0.7,
    grow_empty_spans: bool = True,
) -> PreferencePair | Dropped:
    """Join everything known of one example into a row.

    Args:
        case: With an answer; edits and verdicts may be missing where nothing was contradicted.
        recipe_hash: Of the run.
        package_version: Of medprefkit.
        prompts: Of the models that judged and edited, as `Provenance` holds them.
        max_edited_share: Share of the words of both texts that edits may touch, 0 to 1; short answers are exempt.
        grow_empty_spans: Whether a deletion or insertion takes in a neighbouring word.

    Returns:
        The pair; `Dropped` with `no_error_found` or `nothing_checkable` where there is no edit, and with
        `edit_not_minimal` where the edits rewrite more than the limit.

    Raises:
        DatasetError: If the edits do not make the text that they were stored with.
        SpanError: If an edit is not where it says, or two overlap.
    """
    if case.answer is None:
        raise ValueError(f"{case.example.id}: a pair needs an answer")
    rejected = case.answer.text
    edits = case.edits.edits if case.edits is not None else ()
    if not edits:
        return _without_edits(case)
    if grow_empty_spans:
        edits = grow_empty_edits(rejected, edits)
    chosen, replacements = apply_edits(rejected, edits)
    ordered = sorted(edits, key=_start)
    _prove(case, chosen, ordered)
    if chosen == rejected:
        return _dropped(case, "no_error_found", "the edits leave the text as it is")
    pair = PreferencePair(
        id=case.example.id,
        group_id=case.example.group_id,
        prompt=case.example.prompt,
        chosen=chosen,
        rejected=rejected,
        chosen_spans=_phrases(ordered, replacements),
        rejected_spans=_phrases(ordered, [edit.span for edit in ordered]),
        images=case.example.images,
        corrupted=case.corrupted,
        verdicts=case.verdicts.verdicts if case.verdicts is not None else (),
        provenance=_provenance(case, case.answer, recipe_hash, package_version, prompts),
    )
    share = edited_word_share(pair)
    if share > max_edited_share and len(rejected.split()) > SHORT_ANSWER_WORDS:
        return _dropped(case, "edit_not_minimal", f"edits touch {share:.0%} of the words, limit {max_edited_share:.0%}")
    return pair


def _prove(case: Case, chosen: str, edits: Sequence[Edit]) -> None:
    where = f"{case.example.id}: the edits"
    if case.edits is not None and case.edits.chosen != chosen:
        raise DatasetError(f"{where} do not make the text stored with them; run the stage `edit` again")
    if len({edit.phrase_id for edit in edits}) != len(edits):
        raise DatasetError(f"{where} share a phrase id; each phrase of `chosen` must replace one of `rejected`")


def _without_edits(case: Case) -> Dropped:
    verdicts = case.verdicts.verdicts if case.verdicts is not None else ()
    if any(verdict.label == "supported" for verdict in verdicts):
        return _dropped(case, "no_error_found", "every claim that the reference speaks to holds")
    return _dropped(case, "nothing_checkable", "the reference speaks to none of the answer's claims")


def _dropped(case: Case, reason: str, detail: str) -> Dropped:
    return Dropped.model_validate({"id": case.example.id, "stage": "build", "reason": reason, "detail": detail})


def _phrases(edits: Sequence[Edit], spans: Sequence[Span]) -> tuple[PhraseSpan, ...]:
    return tuple(
        PhraseSpan(
            start_char=span.start_char,
            end_char=span.end_char,
            phrase_id=edit.phrase_id,
            error_type=edit.error_type,
            severity=edit.severity,
            weight=edit.weight,
            lesion_linked=edit.lesion_linked,
        )
        for edit, span in zip(edits, spans, strict=True)
    )


def _provenance(case: Case, answer: Answer, recipe_hash: str, package_version: str, prompts: str) -> Provenance:
    source = case.example.source
    sampling = json.dumps(answer.sampling.model_dump(), sort_keys=True) if answer.sampling is not None else ""
    return Provenance(
        source=source.name,
        licence=source.licence,
        credentialed=source.credentialed,
        no_derivatives=source.no_derivatives,
        no_redistribution=source.no_redistribution,
        modality=case.example.modality,
        model=answer.model,
        revision=answer.revision,
        sampling=sampling,
        prompts=prompts,
        views=_views(case),
        recipe_hash=recipe_hash,
        package_version=package_version,
    )


def _views(case: Case) -> str:
    views = [ref.view for ref in case.example.images]
    if not any(view is not None for view in views):
        return ""
    return json.dumps([view.model_dump() if view is not None else None for view in views], sort_keys=True)


def _start(edit: Edit) -> tuple[int, int]:
    return edit.span.start_char, edit.span.end_char
