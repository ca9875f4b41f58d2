"""Closed classes of English words that the other files of this room read by. Single words, lower case."""


def bag(text: str) -> frozenset[str]:
    """Return the words of a text that white space parts, as a set."""
    return frozenset(text.split())


DETERMINERS = bag(
    "a an the any some this that these those its his her their no each another either both all several every"
)

VERBS = bag("""is are was were be been being am has have had does do did can could may might will would should must
    cannot shows show showed reveals reveal revealed demonstrates demonstrate demonstrated displays display displayed
    exhibits exhibit presents depicts depict illustrates indicates indicate suggests suggest appears appear appeared
    seems seem remains remain contains contain includes include features measures measure causes cause leads
    means mean represents represent reflects confirms confirm highlights supports support obscures
    projects terminates extends overlies occupies occupy looks look lies belongs belong helps results refers occurs
    isn't aren't wasn't weren't doesn't don't didn't hasn't haven't can't couldn't won't""")
"""Finite verbs of reports and answers."""

DISPLAY_VERBS = bag("""shows show showed reveals reveal revealed demonstrates demonstrate demonstrated displays display
    exhibits exhibit contains contain includes include depicts depict illustrates presents has have see sees visualize
    visible""")

PARTICIPLES = bag("""seen noted identified visualized visualised present observed found detected evident demonstrated
    appreciated visible apparent described reported shown located situated positioned projecting extending measuring
    involving compared taken showing revealing suggesting indicating including causing leading consistent compatible
    obtained associated related due based using given performed received undergone caused""")
"""Words that follow or govern a noun phrase rather than standing inside it."""

SEEN = bag("""seen noted identified visualized visualised present observed found detected evident demonstrated
    appreciated visible apparent shown there recognized discernible""")

PREPOSITIONS = bag("""in on at of with within without for from by to into onto over under near along around between
    behind below above through throughout during after before since against across beneath towards toward upon per via
    about as""")

CONJUNCTIONS = bag("and or but nor while whereas although though because if when which who that where than")

PRONOUNS = bag("it he she they we i you there what them him us me one")

HEADS = bag("""evidence sign signs indication indications area areas region regions presence amount amounts collection
    collections degree development focus foci cluster clusters appearance suggestion features feature findings patch
    patches case cases traces trace form forms diagnosis diagnoses zone zones component components possibility
    pattern patterns accumulation use""")
"""Nouns that say only that what follows "of" exists: "signs of", "large areas of"."""

ADVERBS_OF_SENTENCES = bag("""additionally also specifically however clearly furthermore moreover lastly finally overall
    only again then therefore thus otherwise approximately typically usually commonly generally mainly primarily
    possibly probably likely potentially not""")

GENERAL_ADVERBS = bag("typically usually commonly generally often normally sometimes")

_SUFFIXES = (
    "al",
    "ic",
    "ous",
    "ive",
    "ar",
    "able",
    "ible",
    "ed",
    "ent",
    "ant",
    "ful",
    "less",
    "ory",
    "ary",
    "like",
    "ish",
)


_PLAIN_MODIFIERS = bag(
    "overt frank discrete convincing well other further new main more most such same similar visible obvious noticeable"
    " clear high low volume"
)


def is_function_word(word: str) -> bool:
    """Tell whether a word bounds a noun phrase: a verb, preposition, conjunction, pronoun or reporting participle."""
    return (
        word in VERBS
        or word in PREPOSITIONS
        or word in CONJUNCTIONS
        or word in PRONOUNS
        or word in PARTICIPLES
        or word in ADVERBS_OF_SENTENCES
    )


def looks_like_modifier(word: str) -> bool:
    """Tell whether an unknown word may modify the noun to its right, by its ending."""
    if word in _PLAIN_MODIFIERS:
        return True
    if is_function_word(word) or len(word) < 4 or not word.isalpha():
        return False
    return word.endswith(_SUFFIXES) or word.endswith("ly")
