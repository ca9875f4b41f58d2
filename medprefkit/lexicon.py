"""The field's words: concepts with synonyms, an is-a order, close kin, and what a statement of normality denies.

The data is `lexicon.tsv` beside this file; its header says what each column means. Knows nothing of texts: finding the
words is the work of `detect/`, comparing what they say the work of `check/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from medprefkit.errors import SourceError

ConceptKind = Literal["finding", "normality", "device", "organ", "modality", "view_plane"]

TABLE = Path(__file__).with_name("lexicon.tsv")

_COLUMNS = ("concept", "kind", "name", "synonyms", "parents", "structures", "acute", "kin", "denies")


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing that a text may name.

    Attributes:
        id: Lower case with underscores, unique.
        kind: A disease is a `finding`; organs, body parts and structures are `organ`.
        name: The usual words, as an editor would write them.
        synonyms: Other words for it. Of a normality: the predicates that state it of its structures ("clear"), and,
            written with a leading "no ", the nouns whose denial states it ("no acute cardiopulmonary process").
        parents: Broader concepts. Of an organ: what it is part of.
        structures: The organs where it is found, or that a normality speaks of.
        acute: Of a finding: it is a process of today. Of a normality: it denies acute findings only.
        kin: Close concepts that one reader may call by the other's name.
        denies: Of a normality: the findings that cannot be where it holds, descendants included.
    """

    id: str
    kind: ConceptKind
    name: str
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    acute: bool = False
    kin: tuple[str, ...] = ()
    denies: tuple[str, ...] = ()


class Lexicon:
    """All concepts and the questions one may ask of them. Immutable after construction.

    Raises:
        SourceError: If an id is given twice, a row names an id that no row has, or the parents form a cycle.
    """

    concepts: Mapping[str, Concept]

    def __init__(self, rows: tuple[Concept, ...]) -> None:
        concepts = {row.id: row for row in rows}
        if len(concepts) != len(rows):
            twice = sorted({row.id for row in rows if concepts[row.id] is not row})
            raise SourceError(f"lexicon: concept {twice[0]!r} has two rows; merge them")
        _refuse_dangling(concepts)
        self._ancestors = _close_upwards(concepts)
        self._descendants = _close_downwards(self._ancestors)
        concepts |= self._organ_normalities(concepts)
        self._ancestors = _close_upwards(concepts)
        self._descendants = _close_downwards(self._ancestors)
        self.concepts = concepts
        self._kin = {pair for row in rows for other in row.kin for pair in ((row.id, other), (other, row.id))}
        self._forms: dict[str, list[Concept]] = {}
        for row in concepts.values():
            for parent in row.parents if row.kind == "finding" else ():
                self._forms.setdefault(parent, []).append(row)
        self._denied = {id_: self._denials(row) for id_, row in concepts.items() if row.kind == "normality"}

    def is_a(self, narrow: str, broad: str) -> bool:
        """Tell whether `narrow` is `broad` or a kind (of an organ: a part) of it. Unknown ids are only themselves."""
        return narrow == broad or broad in self._ancestors.get(narrow, frozenset())

    def ancestors(self, concept: str) -> frozenset[str]:
        """Return the concept and everything broader; only itself where it is unknown."""
        return self._ancestors.get(concept, frozenset({concept}))

    def kin(self, a: str, b: str) -> bool:
        """Tell whether one reader may call by `a` what another calls `b`. Symmetric; a concept is kin to itself."""
        return a == b or (a, b) in self._kin

    def denied_by(self, normality: str) -> frozenset[str]:
        """Return the findings that a statement of normality denies, descendants included; empty for other concepts."""
        return self._denied.get(normality, frozenset())

    def normality_of(self, organ: str, *, size_only: bool = False) -> str:
        """Return the id of "this organ is normal" or "... in size". Every organ has both, by its own row or by rule."""
        return f"normal_{organ}_size" if size_only else f"normal_{organ}"

    def name(self, concept: str) -> str:
        """Return the usual words; the id with spaces for an open concept that the table does not have."""
        row = self.concepts.get(concept)
        return row.name if row else concept.replace("_", " ")

    def specialize(self, finding: str, organ: str) -> str:
        """Return the finding's form in one organ ("mass" in the lung is "lung_mass"); itself where that is not one."""
        row = self.concepts.get(finding)
        if row is None or organ in row.structures:
            return finding
        organs = self.ancestors(organ) - set(row.structures)
        forms = [form.id for form in self._forms.get(finding, ()) if organs.intersection(form.structures)]
        return self.specialize(forms[0], organ) if len(forms) == 1 else finding

    def _organ_normalities(self, concepts: Mapping[str, Concept]) -> dict[str, Concept]:
        """Make `normal_<organ>` and `normal_<organ>_size` where the table has none.

        The one denies the findings seen in the organ or its parts alone, the other those of them that change its size.
        """
        made: dict[str, Concept] = {}
        sizes = self._descendants.get("enlargement", set()) | self._descendants.get("atrophy", set())
        for organ in concepts.values():
            if organ.kind != "organ":
                continue
            parts = self._descendants[organ.id]
            seen = [
                row.id
                for row in concepts.values()
                if row.kind == "finding" and row.structures and parts.issuperset(row.structures)
            ]
            whole, size = self.normality_of(organ.id), self.normality_of(organ.id, size_only=True)
            made[whole] = Concept(
                whole, "normality", f"normal {organ.name}", (), (size,), (organ.id,), denies=tuple(seen)
            )
            made[size] = Concept(
                size,
                "normality",
                f"normal {organ.name} size",
                (),
                (),
                (organ.id,),
                denies=tuple(sizes.intersection(seen)),
            )
        return {id_: row for id_, row in made.items() if id_ not in concepts}

    def _denials(self, normality: Concept) -> frozenset[str]:
        denied = {id_ for root in normality.denies for id_ in self._descendants[root]}
        return frozenset(id_ for id_ in denied if self.concepts[id_].acute or not normality.acute)


@cache
def lexicon() -> Lexicon:
    """Return the lexicon that ships with the package, read once."""
    return read_lexicon(TABLE)


def read_lexicon(path: Path) -> Lexicon:
    """Read a table in the form that `lexicon.tsv` documents.

    Raises:
        SourceError: If a line has a wrong number of columns or an unknown kind, or as `Lexicon`.
    """
    rows: list[Concept] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if tuple(cells) == _COLUMNS:
            continue
        if len(cells) > len(_COLUMNS):
            raise SourceError(f"{path.name}:{number}: {len(cells)} columns, expected {len(_COLUMNS)}")
        rows.append(_concept(cells + [""] * (len(_COLUMNS) - len(cells)), f"{path.name}:{number}"))
    return Lexicon(tuple(rows))


def _concept(cells: list[str], place: str) -> Concept:
    id_, kind, name, synonyms, parents, structures, acute, kin, denies = cells
    if kind not in get_args(ConceptKind):
        raise SourceError(f"{place}: kind {kind!r} is none of {', '.join(get_args(ConceptKind))}")
    if not id_ or not name or acute not in {"", "acute"}:
        raise SourceError(f"{place}: needs an id, a name, and `acute` or nothing in the seventh column")
    known: ConceptKind = kind  # type: ignore[assignment]  # narrowed by get_args above
    return Concept(
        id_, known, name, _cut(synonyms), _cut(parents), _cut(structures), bool(acute), _cut(kin), _cut(denies)
    )


def _cut(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def _refuse_dangling(concepts: Mapping[str, Concept]) -> None:
    for row in concepts.values():
        for column in ("parents", "structures", "kin", "denies"):
            for other in getattr(row, column):
                if other not in concepts:
                    raise SourceError(f"lexicon: {column} of {row.id!r} name {other!r}, which has no row")


def _close_upwards(concepts: Mapping[str, Concept]) -> dict[str, frozenset[str]]:
    closed: dict[str, frozenset[str]] = {}

    def close(id_: str, path: tuple[str, ...]) -> frozenset[str]:
        if id_ in path:
            raise SourceError(f"lexicon: parents form a cycle: {' -> '.join((*path, id_))}")
        if id_ not in closed:
            above = (close(parent, (*path, id_)) for parent in concepts[id_].parents)
            closed[id_] = frozenset({id_}).union(*above)
        return closed[id_]

    for id_ in concepts:
        close(id_, ())
    return closed


def _close_downwards(ancestors: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    closed: dict[str, set[str]] = {id_: set() for id_ in ancestors}
    for id_, above in ancestors.items():
        for ancestor in above:
            closed[ancestor].add(id_)
    return closed
