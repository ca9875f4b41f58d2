"""The report: tables, then every miss and false alarm in its text, as Markdown and as one page that loads nothing.

Texts are hostile: the page escapes every value, isolates its reading direction and allows no script; in Markdown every
character with a meaning is escaped.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from medprefkit import __version__
from medprefkit.evaluate.faults import Fault, FaultyText, Mark
from medprefkit.evaluate.tables import Table

_HERE = Path(__file__).parent
_ACTIVE = re.compile(r"[\\`*_{}\[\]<>()#+!|~&-]")
_SPACE = re.compile(r"\s+")
_NAMES: dict[Mark, str] = {"": "", "found": "found", "missed": "missed", "alarm": "false alarm"}

LEGEND = (
    "The headline is `edits kept`: the words that the edits of a dataset would call wrong, matched one to one with the "
    "labels at an intersection over union of at least one half; an answer that the tool abstains from is missed whole. "
    "`proposed` are the editor's edits before the text is read again, `verdicts` one span a contradicted claim. "
    "The baselines know no medicine: a token diff against the reference, every sentence that is not in it, the whole "
    "answer. Intervals: 95 %, bootstrap over answers. The rereading is by the same detector and checker, not by labels."
)


@dataclass(frozen=True, slots=True)
class Section:
    """One labelled file: its name, its numbers, and what went wrong."""

    name: str
    tables: tuple[Table, ...]
    faulty: tuple[FaultyText, ...]


def write_report(folder: Path, sections: Sequence[Section]) -> None:
    """Write `report.md` and `report.html`; the folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(as_markdown(sections), "utf-8")
    (folder / "report.html").write_text(as_html(sections), "utf-8")


def as_html(sections: Sequence[Section]) -> str:
    """Return the page."""
    return _environment().get_template("report.html.jinja").render(
        sections=sections, legend=LEGEND.replace("`", ""), version=__version__
    )  # fmt: skip


def as_markdown(sections: Sequence[Section]) -> str:
    """Return the Markdown."""
    blocks = ["# How right the detection is", LEGEND]
    for section in sections:
        blocks.append(f"## {_escaped(section.name)}")
        for table in section.tables:
            lines = [table.columns, ("---",) * len(table.columns), *table.rows]
            blocks += [
                f"### {_escaped(table.title)}",
                "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines),
            ]
        blocks.append("### Misses and false alarms")
        for text in section.faulty:
            blocks += _text_blocks(text)
    return "\n\n".join(blocks) + "\n"


def _text_blocks(text: FaultyText) -> list[str]:
    marked = "".join(
        f"**[{_NAMES[piece.mark]}: {_escaped(piece.text)}]**" if piece.mark else _escaped(piece.text)
        for piece in text.pieces
    )
    lines = [f"- question: {_escaped(text.prompt)}", f"- {text.what}: {marked}"]
    if text.edited:
        lines.append(f"- edited: {_escaped(text.edited)}")
    lines.append(f"- reference: {_escaped(text.reference)}")
    if text.abstained:
        lines.append(f"- not edited: {_escaped(text.abstained)}")
    return [
        f"#### {_escaped(text.id)} ({text.task}, {text.what})",
        "\n".join(lines),
        "\n".join(map(_fault, text.faults)),
    ]


def _fault(fault: Fault) -> str:
    kind = f", {_escaped(fault.error_type)}" if fault.error_type else ""
    becomes = f" → {_escaped(fault.becomes) or 'nothing'}" if fault.error_type else ""
    head = f"1. {fault.kind}{kind}: {_escaped(fault.text)}{becomes}"
    said = [
        f"    - {_escaped(claim)} ({_escaped(concept)}): {verdict.label} by {_escaped(verdict.rule)}, "
        f"evidence: {_escaped(verdict.evidence) or 'none'}"
        for claim, concept, verdict in fault.said
    ]
    return "\n".join([head, *(said or ["    - no claim was read here"])])


def _cell(text: str) -> str:
    return text if text == "---" else _escaped(text)


def _escaped(text: str) -> str:
    return _ACTIVE.sub(_backslashed, _SPACE.sub(" ", text))


def _backslashed(found: re.Match[str]) -> str:
    return f"\\{found.group()}"


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
