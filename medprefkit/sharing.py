"""What a card says beyond what its pairs count: the audit's numbers, and two pictures. Part of the conductor."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from medprefkit.audit.audit import audit
from medprefkit.audit.report import LIMITS
from medprefkit.audit.write import shown
from medprefkit.formats.read import read_pairs
from medprefkit.offsets import edited_word_share
from medprefkit.publish.facts import AuditFacts
from medprefkit.view.sheet import write_sheet
from medprefkit.view.shown import ShownPair

_WORDLESS = {"length_only_accuracy", "edited_share_median", "yes_no_accuracy", "picture_leaks", "group_leaks",
             "corrupted_share_p95"}  # fmt: skip
"""Checks whose details quote nothing of the data: a card may go where the rows may not."""

_SHEET, _PLOT = "pictures.png", "edits.png"
_WIDTH_PX, _HEIGHT_PX, _FOOT_PX, _HEAD_PX = 640, 220, 26, 30
_GROUND, _INK, _SOFT, _BAR = (255, 255, 255), (27, 31, 36), (91, 101, 112), (74, 120, 181)
_N_BINS = 20


def audit_facts(build: Path) -> tuple[AuditFacts, ...]:
    """Audit a built dataset and return what its card says of it."""
    read = read_pairs(str(build))
    report = audit(read.rows, dataset=build.parent.name, format_name=read.format, limits=LIMITS)
    return tuple(
        AuditFacts(
            check.title,
            shown(check),
            f"{check.limit:.0%}",
            check.verdict == "beyond",
            check.detail if check.name in _WORDLESS else "",
        )
        for check in report.checks
    )


def draw_pictures(
    folder: Path, pairs: Callable[[], Iterable[ShownPair]], *, data_root: Path, run_dir: Path
) -> tuple[tuple[str, str], ...]:
    """Draw what there is to see beside a card.

    Args:
        folder: Of the card.
        pairs: Gives the dataset's, each time from the first.
        data_root: What the pairs' images are relative to.
        run_dir: What their corrupted images are relative to.

    Returns:
        (file, what it shows): the sheet of clean, lesion-removed and control images where there are any, and always how
        much of the texts is edited.
    """
    drawn: list[tuple[str, str]] = []
    if write_sheet(folder / _SHEET, pairs(), data_root=data_root, run_dir=run_dir, n_rows=3):
        drawn.append((_SHEET, "Clean, lesion-removed and control images of three pairs"))
    shares = [edited_word_share(one.pair) for one in pairs()]
    _histogram(shares).save(folder / _PLOT, "PNG")
    return (*drawn, (_PLOT, "How much of the words the edits touch, by pairs"))


def _histogram(shares: Sequence[float]) -> Pillow.Image:
    counts = [0] * _N_BINS
    for share in shares:
        counts[min(_N_BINS - 1, int(share * _N_BINS))] += 1
    picture = Pillow.new("RGB", (_WIDTH_PX, _HEIGHT_PX), _GROUND)
    draw = ImageDraw.Draw(picture)
    head, small = ImageFont.load_default(15), ImageFont.load_default(12)
    draw.text((12, 8), f"Share of words that edits touch, {len(shares):,} pairs", _INK, font=head)
    step = (_WIDTH_PX - 24) / _N_BINS
    room = _HEIGHT_PX - _FOOT_PX - _HEAD_PX - 8
    for number, count in enumerate(counts):
        top = _HEIGHT_PX - _FOOT_PX - room * count / max(1, *counts)
        left = 12 + number * step
        if count:
            draw.rectangle((left + 1, top, left + step - 2, _HEIGHT_PX - _FOOT_PX), _BAR)
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        draw.text((12 + share * (_WIDTH_PX - 24), _HEIGHT_PX - _FOOT_PX + 6), f"{share:.0%}", _SOFT, small, anchor)
    return picture
