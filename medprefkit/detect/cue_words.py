"""The words that deny, doubt or date what stands beside them, and what they do to it.

`none` shields its neighbours from the words inside it: "no change in X" does not deny X.
"""

from typing import Literal

from medprefkit.detect.tokens import Words

Effect = Literal["denied", "uncertain", "hypothetical", "history", "family", "resolved", "none"]

_BEFORE: dict[Effect, str] = {
    "none": """
        no change in, no significant change in, no interval change in, no significant interval change in,
        without change in, not only, no longer than, no increase in, not certain, no further, not necessarily,
        without significant change in, no other change, not rule out every, no significant change,
        no interval change, not just, no change, no evidence of change, no evidence of change in, no sign of change,
        no sign of change in, no evidence of interval change, no evidence of interval change in,
        no sign of interval change, no sign of interval change in, no evidence of significant change,
        unremarkable for size, unremarkable for age, unremarkable for patient, unremarkable for the patient,
        no definite change, no suspicious change,
        unremarkable for technique, unremarkable for stated, no doubt, no doubt that, no cause of, no cause for,
        no obvious cause of, no source of, no obvious source of, no improvement in, no worsening of, no progression of,
        no decrease in, no reduction in, not resolved, not cleared, not completely resolved, not yet resolved,
        suggests that, suggesting that, suggest that
    """,
    "uncertain": """
        cannot exclude, cannot rule out, can not exclude, can not rule out, cannot be excluded, not exclude,
        not rule out, possible, possibly, probable, probably, likely, may, might, could, suspicious for,
        suspicious of, suggestive of, suggesting, suggest, suggests, concerning for, concern for, questionable,
        question of, suspected, suspicion of, perhaps, presumably, potential, potentially, equivocal,
        difficult to exclude, may represent, could represent, raises the possibility of, worrisome for,
        possibility of, doubt about, doubtful for, appears to represent, indicative of possible
    """,
    "hypothetical": """
        if, rule out, r/o, evaluate for, assess for, evaluation for, query,
        to rule out, to exclude, to evaluate for, in case of, risk of, rule out for, whether, could cause,
        can cause, may cause, can lead to, can result in, may lead to, could lead to, can be caused by,
        may be caused by, various reasons, various causes, various factors, various conditions, various etiologies,
        should be ruled out for, be ruled out for, to be ruled out for, must be ruled out for, an underlying issue,
        underlying issues, differential diagnosis includes, differential includes,
        differential considerations include, would indicate, would suggest, would be consistent with
    """,
    "history": """
        history of, h/o, status post, previously seen, previously noted, prior history of
    """,
    "family": """
        family history of, mother had, father had, mother has, father has
    """,
    "resolved": """
        resolution of, no longer, resolved, interval resolution of, cleared, removal of, interval removal of
    """,
    "denied": """
        no, without, negative for, free of, free from, absence of, the absence of, neither, nor, denies, deny,
        denied, denying, lack, nothing to suggest, nothing to indicate, rules him out, rules her out,
        rules the patient out, ruled him out, ruled her out, ruled the patient out, did rule out, did rule him out,
        did rule her out, did rule the patient out, can rule out, can rule him out, can rule her out,
        can rule the patient out, adequate to rule out, sufficient to rule out,
        no further episodes of, no further evidence of,
        fails to show, fails to demonstrate, lack of, lacks, lacking, clear of, devoid of, rules out, ruled out,
        ruling out, excludes, never, rather than, instead of, not, unremarkable for, absent of,
        doesn't, isn't, aren't, don't, wasn't, weren't, didn't, hasn't, haven't, can't, cannot, absent, none of,
        failed to show, fails to reveal, failed to reveal, failed to demonstrate, inconsistent with,
        nonvisualization of, non-visualization of, no evidence to suggest
    """,
}
"""Cues that reach to their right."""

_AFTER: dict[Effect, str] = {
    "hypothetical": """
        should be ruled out, to be ruled out, must be ruled out, be ruled out, needs to be ruled out,
        should be excluded, to be excluded, must be excluded
    """,
    "denied": """
        is absent, are absent, was absent, absent, is ruled out, has been ruled out, have been ruled out,
        ruled out, is excluded, are excluded, has been excluded, have been excluded, was excluded, were excluded,
        : none, : absent, : negative, : no, - none, - absent, - negative,
        is negative, were negative, are negative, was negative
    """,
    "resolved": """
        has been removed, have been removed, was removed, were removed,
        has resolved, have resolved, has cleared, resolved, have cleared, no longer seen, has been resolved,
        is no longer seen, are no longer seen, is no longer visible, are no longer visible, no longer visible,
        is no longer evident, are no longer evident, no longer identified,
        is no longer present, no longer present, no longer visualized
    """,
    "uncertain": """
        cannot be excluded, can not be excluded, cannot be ruled out, is not excluded, not excluded, is possible,
        is suspected, is questioned, are possible, are suspected, is unlikely, unlikely, may be present,
        could be present, might be present, cannot be entirely excluded, cannot be completely excluded,
        can not be ruled out, not ruled out, is questionable, cannot be totally excluded, are not excluded,
        cannot entirely be excluded, not been ruled out, being ruled out, not been excluded
    """,
}
"""Cues that reach to their left."""


def _cut(table: dict[Effect, str]) -> dict[tuple[str, ...], Effect]:
    return {Words(" ".join(form.split())).lower: effect for effect, forms in table.items() for form in forms.split(",")}


CUES_BEFORE = _cut(_BEFORE)
CUES_AFTER = _cut(_AFTER)
CUE_LENGTHS = {
    first: sorted({len(cue) for cue in (*CUES_BEFORE, *CUES_AFTER) if cue[0] == first}, reverse=True)
    for first in {cue[0] for cue in (*CUES_BEFORE, *CUES_AFTER)}
}
"""How many words the cues have that begin with a word, longest first."""
