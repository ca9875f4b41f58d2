"""Untrusted text in a card: shown as it is, it can be no HTML, Markdown, link, end of a table cell or new line."""

import re
import unicodedata

from markupsafe import Markup

_ACTIVE = str.maketrans({char: f"\\{char}" for char in "\\`*_[]|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})
_LINK = re.compile(r"(?i)(://|www\.|@)")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:,-]*")


def escape_markdown(value: object) -> object:
    """Return a value for the body of a card; text that `code` or the template marked as safe stays as it is.

    Numbers get thousands separators. Control and bidirectional characters become U+FFFD, white space one blank.
    """
    if isinstance(value, Markup):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return _LINK.sub(_unlinked, one_line(str(value)).translate(_ACTIVE))


def code(value: str) -> Markup:
    """Return a code span where the text cannot break out of one, else the escaped text."""
    text = one_line(value)
    return Markup(f"`{text}`" if _PLAIN.fullmatch(text) else escape_markdown(text))  # noqa: S704  # escaped just above


def one_line(text: str) -> str:
    """Return a text on one line, with control, format and surrogate characters made visible as U+FFFD."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_hidden(char) else char for char in " ".join(text.split()))


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co"}


def _unlinked(match: re.Match[str]) -> str:
    return "".join(f"&#{ord(char)};" for char in match.group())
