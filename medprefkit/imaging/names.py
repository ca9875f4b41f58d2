"""File names in folders: which are listed as images and masks, and the stem by which the two meet."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from medprefkit.errors import SourceError

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".dcm",
    ".dicom",
    ".nii",
    ".nii.gz",
)

MASK_SUFFIXES = (*IMAGE_SUFFIXES, ".json")


def stem_of(file: str) -> str:
    """Return a file's name without its folder and its suffix, where it is one of these; other dots are of the name."""
    name = PurePosixPath(file).name
    for suffix in sorted(MASK_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def by_stem(folder: Path, suffixes: Iterable[str]) -> dict[str, str]:
    """Return stem -> name of a folder's files with these suffixes, in the order of their names.

    Raises:
        SourceError: If two have one stem, so that nobody can tell which is meant.
    """
    wanted = tuple(suffixes)
    found: dict[str, str] = {}
    for name in sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(wanted)):
        if (first := found.setdefault(stem_of(name), name)) != name:
            raise SourceError(f"{folder.name}: {first} and {name} have one stem; keep one of them in this folder")
    return found
