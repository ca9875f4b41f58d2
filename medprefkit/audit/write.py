"""An audit on disk: JSON for programs, Markdown for a README, one self-contained HTML page for people."""

import functools
import json
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from medprefkit.audit.plots import HEIGHT, WIDTH, plot_of, word_bars
from medprefkit.audit.report import AuditReport, Check

_MARKS = {"ok": "ok", "beyond": "**beyond**", "unknown": "-"}
_ACTIVE = str.maketrans({char: f"\\{char}" for char in "\\`*_[]|~<>$"})
_LONG = 120


def write_audit(report: AuditReport, folder: Path) -> None:
    """Write `audit.json`, `audit.md` and `audit.html`; the same report gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / "audit.json").write_text(text + "\n", "utf-8")
    (folder / "audit.md").write_text(render_markdown(report), "utf-8")
    (folder / "audit.html").write_text(render_page(report), "utf-8")


def render_markdown(report: AuditReport) -> str:
    """Return the report as a table; everything from the data is escaped."""
    splits = ", ".join(f"{_plain(split)} {n:,}" for split, n in report.n_by_split.items())
    lines = [
        f"# Audit of {_plain(report.dataset)}",
        "",
        f"{report.n_pairs:,} pairs ({splits or 'none'}) of the format {report.format}, {report.n_pictures:,} pictures; "
        f"{report.words_chosen:.1f} / {report.words_rejected:.1f} words, chosen / rejected.",
        "",
        "| check | value | limit | | |",
        "|---|---:|---:|---|---|",
        *(
            f"| {check.title} | {shown(check)} | {check.limit:.1%} | {_MARKS[check.verdict]} | {_plain(check.detail)} |"
            for check in report.checks
        ),
    ]
    return "\n".join(lines) + "\n"


def render_page(report: AuditReport) -> str:
    """Return the page; it needs no network, follows the reader's light or dark setting, and fits a phone."""
    return _page().render(
        report=report,
        plots=[plot_of(histogram) for histogram in report.histograms],
        words=[
            ("Words that speak for chosen", word_bars(report.telling_chosen)),
            ("Words that speak against it", word_bars(report.telling_rejected)),
        ],
        labels=list(report.labels.items())[:20],
        most_labels=max(report.labels.values(), default=1),
        width=WIDTH,
        height=HEIGHT,
    )


def shown(check: Check) -> str:
    """Return a check's value as a person reads it."""
    return "-" if check.value is None else f"{check.value:.1%}"


@functools.cache
def _page() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = shown
    return environment.from_string(files("medprefkit.audit").joinpath("page.html.jinja").read_text("utf-8"))


def _plain(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return (line if len(line) <= _LONG else line[: _LONG - 1] + "…").translate(_ACTIVE)
