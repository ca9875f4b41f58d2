"""Licences as the Hub names them, and what a mixture of them permits."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from medprefkit.publish.facts import SourceFacts
from medprefkit.records import Provenance

_HUB_IDS = {
    "apache-2.0", "mit", "cc0-1.0", "bsd-3-clause", "odbl", "pddl", "cdla-permissive-2.0",
    "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
}  # fmt: skip


_NO_DERIVATIVES = re.compile(r"(?i)(?<![a-z])(nd|no[ -]?derivatives)(?![a-z])")


class Terms(NamedTuple):
    """The licence of a dataset as its metadata state it, and why it may not be shared."""

    hub_id: str
    """A licence of the Hub's list, or `other`."""
    name: str
    """What `other` stands for; empty where the Hub knows the licence."""
    objections: tuple[str, ...]
    """Reasons against sharing the rows, one sentence each; empty where there is none."""


def terms_of(sources: Sequence[SourceFacts]) -> Terms:
    """Return the terms of a dataset made of these sources.

    One licence that the Hub knows and that permits derivatives stays what it is; a mixture is `other`, since rows keep
    the licence of their own source.
    """
    licences = sorted({source.licence for source in sources})
    objections = (
        [
            f"{source.name} is under a data use agreement: neither its data nor anything made from them may be shared."
            for source in sources
            if source.credentialed
        ]
        + [
            f"{source.name} ({source.licence}) permits no derivatives: an edited text is one, "
            "so its rows may not go out."
            for source in sources
            if forbids_derivatives(source)
        ]
        + [
            f"{source.name} ({source.licence}) may not be passed on, so its rows may not go out."
            for source in sources
            if source.no_redistribution
        ]
    )
    known = len(licences) == 1 and licences[0].lower() in _HUB_IDS
    if known and not objections:
        return Terms(licences[0].lower(), "", ())
    return Terms("other", licences[0] if len(licences) == 1 else "mixed, by source", tuple(dict.fromkeys(objections)))


def forbids_derivatives(source: SourceFacts) -> bool:
    """Tell whether a source says so, or its licence's name does."""
    return source.no_derivatives or _NO_DERIVATIVES.search(source.licence) is not None


def refusals(provenances: Iterable[Provenance]) -> tuple[str, ...]:
    """Return, for every source whose rows may not be shared, its name, its rows and why; empty where all may be."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for origin in provenances:
        facts = SourceFacts(
            origin.source, origin.licence, origin.credentialed, origin.no_derivatives, 1, origin.no_redistribution
        )
        counts[origin.source, origin.licence, _refusal(facts)] += 1
    return tuple(
        f"{source} ({licence}): {n} row{'s' if n != 1 else ''}, {why}"
        for (source, licence, why), n in sorted(counts.items())
        if why
    )


def _refusal(source: SourceFacts) -> str:
    if source.credentialed:
        return "under a data use agreement"
    if source.no_redistribution:
        return "may not be passed on"
    return "no derivatives" if forbids_derivatives(source) else ""
