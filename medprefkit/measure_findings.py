"""Labelling a table of chest reports with fourteen findings, and scoring the labels where the truth is known.

The one place that reads reports for this; what a label is, `evaluate/findings.py` decides.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from medprefkit.errors import SourceError
from medprefkit.evaluate.findings import FINDINGS, FindingLabel, FindingScore, label_findings, macro_f1, score_findings
from medprefkit.measure import OwnText
from medprefkit.protocols import Detector
from medprefkit.recipe_sections import PluginSpec
from medprefkit.records import Passage
from medprefkit.sources.rows import BrokenRow, read_rows
from medprefkit.wiring import plug_in

_WRITTEN: dict[FindingLabel, str] = {"present": "1.0", "uncertain": "-1.0", "absent": "0.0", "blank": ""}
"""The CheXpert labeler's own way to write them."""


def label_reports(texts: Sequence[OwnText], *, detect: str) -> list[dict[str, FindingLabel]]:
    """Label each report with the fourteen findings.

    Args:
        texts: Reports.
        detect: A registered detector's name.

    Raises:
        RecipeError: If it is not installed.
    """
    detector: Detector = plug_in("detectors", PluginSpec(use=detect))
    passages = [Passage(id=own.id, prompt="Describe the chest X-ray.", text=own.text) for own in texts]
    return [label_findings(claims) for claims in detector(passages)]


def write_labels(file: Path, texts: Sequence[OwnText], labels: Sequence[dict[str, FindingLabel]]) -> None:
    """Write a CSV of an id and fourteen columns: 1.0 present, 0.0 absent, -1.0 uncertain, empty where not spoken of."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", *FINDINGS])
        for own, label in zip(texts, labels, strict=True):
            writer.writerow([own.id, *(_WRITTEN[label[name]] for name in FINDINGS)])


def read_truth(file: Path, texts: Sequence[OwnText]) -> list[dict[str, bool]]:
    """Read what each report has: a column `id`, and one a finding that is 1 where the report has it.

    Raises:
        SourceError: If the file cannot be read, has none of the findings, or lacks a report.
    """
    table = read_rows(file)
    table.require("id", setting="--truth")
    rows: dict[str, dict[str, bool]] = {}
    for row in table.rows:
        if isinstance(row, BrokenRow):
            raise SourceError(f"{row.where}: {row.problem}")
        known = [name for name in FINDINGS if name in row.values]
        if not known:
            raise SourceError(f"{file.name}: no column is one of the fourteen findings ({', '.join(FINDINGS[:3])} ...)")
        rows[str(row.values["id"])] = {name: str(row.values[name] or "0").strip() in {"1", "1.0"} for name in known}
    if missing := [own.id for own in texts if own.id not in rows]:
        raise SourceError(f"{file.name}: {len(missing)} reports have no row, the first is {missing[0]!r}")
    return [rows[own.id] for own in texts]


def describe_labels(labels: Sequence[dict[str, FindingLabel]], truth: Sequence[dict[str, bool]] | None) -> str:
    """Return the counts of each finding as lines, with precision, recall and F1 where the truth is known."""
    scores = score_findings(labels, truth) if truth is not None else {}
    lines = [f"{len(labels)} reports" + " " * 12 + "present uncertain absent" + ("    P    R   F1" if scores else "")]
    for name in FINDINGS:
        n = Counter(label[name] for label in labels)
        score = scores.get(name)
        lines.append(f"{name:28s}{n['present']:7d}{n['uncertain']:10d}{n['absent']:7d}{_numbers(score)}".rstrip())
    if scores:
        mean = macro_f1(scores)
        lines.append(f"macro F1 of the findings that some report has: {'-' if mean is None else f'{mean:.3f}'}")
    return "\n".join(lines)


def _numbers(score: FindingScore | None) -> str:
    if score is None or not score.n:
        return ""
    return "".join(
        f" {value:.2f}" if value is not None else "    -" for value in (score.precision, score.recall, score.f1)
    )
