"""Pairs in the terminal: one text a pair, the model's wrong words struck in red, what replaces them in green.

Where nobody looks (a pipe, `NO_COLOR`), the marks are `[-a large-]{+no+}`, so that the output can be searched.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from medprefkit.records import Dropped, Verdict
from medprefkit.view.shown import ShownEdit, ShownPair, edits_of, segments, visible

_WRONG, _RIGHT, _SOFT, _NAME = "red strike", "green", "dim", "bold"


def print_pairs(
    pairs: Iterable[ShownPair],
    *,
    n_pairs: int = 10,
    error_type: str | None = None,
    dropped: Iterable[Dropped] = (),
    console: Console | None = None,
) -> int:
    """Print pairs with their edits and the verdicts behind them, then what was dropped, by stage and reason.

    Args:
        pairs: In the order in which they are printed.
        n_pairs: At most so many.
        error_type: Only pairs with an edit of this type; None for every pair.
        dropped: What did not become a pair.
        console: Where to; None for standard output.

    Returns:
        How many pairs were printed.
    """
    console = console or Console(highlight=False)
    wanted = (shown for shown in pairs if error_type is None or error_type in _types(shown))
    n_printed = 0
    for shown in islice(wanted, n_pairs):
        _print_pair(shown, console)
        n_printed += 1
    if not n_printed:
        _say(console, Text("no pair to show" if error_type is None else f"no pair with an edit of type {error_type}"))
    _print_drops(dropped, console)
    return n_printed


def marked_text(shown: ShownPair, *, plain: bool) -> Text:
    """Return the model's words with every edit in place: what is struck, then what replaces it.

    Args:
        shown: The pair.
        plain: Marks of characters instead of colours.
    """
    right = {edit.span.phrase_id: edit.right for edit in edits_of(shown.pair)}
    text = Text()
    for piece in segments(shown.pair.rejected, shown.pair.rejected_spans):
        if piece.span is None:
            text.append(visible(piece.text))
            continue
        wrong, replacement = visible(piece.text), visible(right[piece.span.phrase_id])
        if wrong:
            text.append(f"[-{wrong}-]" if plain else wrong, style="" if plain else _WRONG)
        if replacement:
            text.append("" if plain or not wrong else " ")
            text.append(f"{{+{replacement}+}}" if plain else replacement, style="" if plain else _RIGHT)
    return text


def _print_pair(shown: ShownPair, console: Console) -> None:
    pair, plain = shown.pair, _is_plain(console)
    origin = " · ".join(part for part in (pair.provenance.source, pair.provenance.modality, shown.split) if part)
    title = Text.assemble((visible(pair.id), _NAME), ("  " + visible(origin), _SOFT))
    _say(console, title) if plain else console.print(Rule(title, align="left", style=_SOFT))
    _say(console, Text(visible(pair.prompt), style=_SOFT))
    _say(console, marked_text(shown, plain=plain))
    for edit in edits_of(pair):
        _say(console, _edit_line(edit), indent=2)
        for verdict in edit.verdicts:
            _say(console, _verdict_line(verdict), indent=4)
    _say(console, Text())


def _edit_line(edit: ShownEdit) -> Text:
    kind = f"{edit.span.error_type.replace('_', ' ')}, {edit.span.severity}"
    linked = ", the lesion is its evidence" if edit.span.lesion_linked else ""
    change = f"  {visible(edit.wrong) or '(nothing)'} -> {visible(edit.right) or '(nothing)'}"
    return Text.assemble((f"{edit.span.phrase_id}. {kind}{linked}", _NAME), change)


def _verdict_line(verdict: Verdict) -> Text:
    said = f'reference: "{visible(verdict.evidence)}"  ' if verdict.evidence else ""
    how = f"{visible(verdict.checker)}, {visible(verdict.rule).replace('_', ' ')}, confidence {verdict.score:.2f}"
    return Text.assemble(said, (how, _SOFT))


def _print_drops(dropped: Iterable[Dropped], console: Console) -> None:
    counts = Counter((drop.stage, drop.reason) for drop in dropped)
    if counts:
        _say(console, Text("left out", style=_NAME))
    for (stage, reason), n in counts.items():
        _say(console, Text(f"{n:6d}  {reason}  ({stage})"))


def _say(console: Console, text: Text, *, indent: int = 0) -> None:
    if _is_plain(console):
        console.print(Text(" " * indent) + text, soft_wrap=True)
    else:
        console.print(Padding(text, (0, 0, 0, indent)))


def _is_plain(console: Console) -> bool:
    return not console.is_terminal or console.no_color


def _types(shown: ShownPair) -> set[str]:
    return {span.error_type for span in shown.pair.rejected_spans}
