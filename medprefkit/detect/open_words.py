"""The concept of words that the lexicon does not know: the words themselves, without those that say nothing."""

from medprefkit.detect.tokens import Words
from medprefkit.detect.words import bag

_EMPTY = bag("""is are was were does do did can could has have had the a an any there this that these image picture in
    of on at for patient evidence seen present visible shown show shows be it to from what""")


def open_concept(words: Words) -> str:
    """Return the telling words in lower case, joined by spaces; all of them where none tells anything."""
    kept = [word for word in words.lower if word not in _EMPTY and word.isalnum()]
    return " ".join(kept) or " ".join(words.lower)
