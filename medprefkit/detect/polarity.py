"""What the cues that reach a claim make of it: denied, uncertain, hypothetical, past, or of someone else."""

from collections.abc import Sequence

from medprefkit.detect.drafts import Draft
from medprefkit.detect.scopes import Cue, names_a_size
from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag

_AROUND = bag("around near in within by from adjacent surrounding beside behind beneath along at")
_DEFINITE = bag("the this that these those its")


def apply_cues(words: Words, draft: Draft, cues: Sequence[Cue], *, contrary: bool) -> None:
    """Set polarity, certainty, experiencer and time by the cues that reach the claim."""
    reached = [cue for cue in cues if cue.first <= draft.start < cue.last]
    if draft.kind in {"modality", "view_plane"}:  # "is not a CT", but not "no effusion on this CT"
        reached = [cue for cue in reached if draft.phrase[0] - cue.end <= 1]
    if _is_known(words, draft):
        reached = [cue for cue in reached if cue.effect not in {"denied", "uncertain"} or cue.end > draft.start]
    denials = [cue for cue in reached if cue.effect in {"denied", "resolved"}]
    if any(cue.effect == "none" for cue in reached) and not any(cue.effect == "denied" for cue in reached):
        denials = []
    denied = len(denials) == 1 or (len(denials) > 1 and not _double(denials))
    for cue in reached:
        if cue.effect == "uncertain" and not denied:
            draft.certainty, draft.cue = "uncertain", (cue.start, cue.end)
        elif cue.effect == "hypothetical" and not denied:
            draft.certainty, draft.cue = "hypothetical", (cue.start, cue.end)
        elif cue.effect == "history":
            draft.current = False
        elif cue.effect == "family":
            draft.experiencer = "other"
        elif cue.effect == "resolved":
            draft.current = False
    if denied:
        cue = denials[-1]
        draft.cue = (cue.start, cue.end)
        if draft.kind == "finding" and names_a_size(words, draft.phrase[0], draft.start):
            draft.certainty = "uncertain"
    if denied != contrary:
        draft.polarity = "denied"
    if contrary and not denied:
        draft.cue = (draft.start, draft.end)
    if contrary and denied:
        draft.phrase = min(draft.phrase[0], _start_of(denials[-1], draft)), draft.phrase[1]
        draft.cue = None
    elif denied and draft.cue and draft.cue[1] == draft.phrase[0] and words.lower[draft.cue[0]] in {"no", "not"}:
        draft.phrase = draft.cue[0], draft.phrase[1]


def _is_known(words: Words, draft: Draft) -> bool:
    """Tell whether a definite finding only says where another one is: "no edema around the lesion"."""
    first = draft.phrase[0]
    if draft.kind != "finding" or draft.predicate or words.lower[first] not in _DEFINITE or first < 2:
        return False
    before = words.lower[first - 1] if words.lower[first - 1] != "to" else words.lower[first - 2]
    return before in _AROUND and words.lower[first - 2] not in {"is", "are", "be"}


def _start_of(cue: Cue, draft: Draft) -> int:
    return cue.start if cue.end == draft.phrase[0] else draft.phrase[0]


def _double(denials: Sequence[Cue]) -> bool:
    """Tell whether two denials stand together and cancel: "not without"."""
    return len(denials) == 2 and denials[1].start - denials[0].end <= 1 and denials[0].effect == denials[1].effect
