"""The written forms of a name: plurals, hyphens and British spelling, by rule."""

_BRITISH = (
    ("edema", "oedema"),
    ("tumor", "tumour"),
    ("hemo", "haemo"),
    ("hematoma", "haematoma"),
    ("hemangioma", "haemangioma"),
    ("esophag", "oesophag"),
    ("ischemi", "ischaemi"),
    ("gray", "grey"),
    ("color", "colour"),
    ("fiber", "fibre"),
    ("anemi", "anaemi"),
)


def written_forms(name: str) -> frozenset[str]:
    """Return the name as texts write it, in lower case: itself, its plural, hyphens kept, opened or closed."""
    name = name.lower()
    forms = {name, plural_of(name)} if len(name) > 2 else {name}
    head, of, tail = name.partition(" of ")
    if of:
        forms |= {plural_of(head) + of + tail}
    for american, british in _BRITISH:
        forms |= {form.replace(american, british) for form in forms if american in form}
    for form in tuple(forms):
        if "-" in form:
            forms |= {form.replace("-", " "), form.replace("-", "")}
    return frozenset(forms)


def plural_of(name: str) -> str:
    """Return the plural of a name by its last word: "biopsies", "axes", "diagnoses", "masses", "nodules"."""
    if name.endswith("is"):
        return name[:-2] + "es"
    if name.endswith("thorax"):
        return name[:-1] + "ces"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return name + "es"
    return name + "s"
