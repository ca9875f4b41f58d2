"""The numbers of several corruptions as one picture, SVG: what shows, what the classifier sees, how much was refused.

Text and bars only: no library, no script, readable in light and dark.
"""

from collections.abc import Sequence
from html import escape

from medprefkit.evaluate.corruption_summary import Measured, score_of

_ROW, _BAR, _LABEL, _PANEL, _GAP, _TOP = 34, 12, 130, 220, 50, 46  # user units
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.head{font-weight:600}.small{font-size:10px}"
    ".before{fill:#b9bec4}.after{fill:#1f6f8b}.mark{stroke:#c2452d;stroke-width:2}.axis{stroke:#999}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.before{fill:#555b61}.after{fill:#6bb3cf}}"
)
_PANELS = (
    ("What shows", "grey: the lesion, blue: what is left; 0 is nothing"),
    ("Told from healthy by a classifier", "area under the curve; .5 is chance, red: healthy places"),
    ("Images with a corrupted copy, a control", "share of all; blue: corrupted, grey: control too"),
)


def draw_summary(measured: Sequence[Measured]) -> str:
    """Return the picture, a whole SVG document; one row a corruption, in the order given."""
    width = _LABEL + len(_PANELS) * (_PANEL + _GAP)
    height = _TOP + _ROW * len(measured) + 12
    most = max((worst for one in measured for worst in _shown(one)), default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>Corruptions compared</title><style>{_STYLE}</style>",
    ]
    for panel, (head, tells) in enumerate(_PANELS):
        x = _left(panel)
        parts.append(
            f'<text class="head" x="{x}" y="16">{head}</text><text class="small" x="{x}" y="32">{tells}</text>'
        )
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{height - 12}"/>')
    for row, one in enumerate(measured):
        y = _TOP + row * _ROW
        parts.append(f'<text x="0" y="{y + _BAR + 4}">{escape(one.name)}</text>')
        before, after = _shown(one)
        parts += _bars(0, y, before / most, after / most, f"{before:.2f}", f"{after:.2f}")
        parts += _bars(1, y, one.auc_lesion, one.auc_corrupted, _number(one.auc_lesion), _number(one.auc_corrupted))
        if one.auc_healthy is not None:
            mark = _left(1) + one.auc_healthy * _PANEL
            parts.append(f'<line class="mark" x1="{mark:.1f}" x2="{mark:.1f}" y1="{y}" y2="{y + 2 * _BAR}"/>')
        n = max(len(one.outcomes), 1)
        n_controls = sum(removal.control is not None for removal in one.removals)
        parts += _bars(2, y, n_controls / n, len(one.removals) / n, str(n_controls), str(len(one.removals)))
    return "".join([*parts, "</svg>\n"])


def _left(panel: int) -> int:
    return _LABEL + panel * (_PANEL + _GAP)


def _shown(one: Measured) -> tuple[float, float]:
    """Return what shows in the mean before and after; nothing where every image was refused."""
    before = [removal.before.worst for removal in one.removals]
    return (sum(before) / len(before) if before else 0.0), score_of(one) or 0.0


def _bars(panel: int, y: int, grey: float | None, blue: float | None, *labels: str) -> list[str]:
    x, found = _left(panel), []
    for row, (kind, share, label) in enumerate((("before", grey, labels[0]), ("after", blue, labels[1]))):
        if share is not None:
            long, top = max(share, 0.0) * _PANEL, y + row * _BAR
            found.append(f'<rect class="{kind}" x="{x}" y="{top}" width="{long:.1f}" height="{_BAR - 2}"/>')
            found.append(f'<text class="small" x="{x + long + 3:.1f}" y="{top + _BAR - 3}">{label}</text>')
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
