"""The pictures of a pair: are they there and whole, and does a corrupted one differ from its clean one as it should?"""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medprefkit.errors import ImageError
from medprefkit.formats.pair import Picture
from medprefkit.images import decode_image
from medprefkit.protocols import Image

_SIDE = 16  # of the grid whose brightness steps are a picture's fingerprint


class Look(NamedTuple):
    """What one picture is: `content` and `appearance` are hashes, the latter the same after re-encoding.

    `problem` says why it cannot be used; the hash of the appearance is empty then.
    """

    content: str
    appearance: str
    problem: str


class Comparison(NamedTuple):
    """A corrupted picture beside its clean one; the share is of pixels that differ, 0 to 1."""

    changed_share: float
    problem: str


def look_at(picture: Picture) -> Look:
    """Decode a picture and hash it.

    Returns:
        The hashes, or the problem. One that is only named, its file not there, has its name for a hash.
    """
    if picture.content is None:
        return Look(f"name:{picture.name}", "", "missing")
    content = hashlib.sha256(picture.content).hexdigest()
    try:
        image = decode_image(picture.content)
    except ImageError as error:
        return Look(content, "", error.reason)
    return Look(content, _appearance(image), "")


def compare(clean: Picture, corrupted: Picture) -> Comparison:
    """Compare a corrupted picture with its clean one.

    Returns:
        The changed share, and a problem: `missing` or `unreadable`, `size_differs`, `identical`, or `codec_differs`,
        where the file format alone tells the two apart.
    """
    if clean.content is None or corrupted.content is None:
        return Comparison(0.0, "missing")
    try:
        before, after = decode_image(clean.content), decode_image(corrupted.content)
    except ImageError:
        return Comparison(0.0, "unreadable")
    if before.shape != after.shape:
        return Comparison(0.0, "size_differs")
    share = float(np.any(before != after, axis=-1).mean())
    if share == 0:
        return Comparison(0.0, "identical")
    return Comparison(share, "" if clean.content[:4] == corrupted.content[:4] else "codec_differs")


def _appearance(image: Image) -> str:
    """Hash which neighbours of a coarse grid are brighter, and the picture's shape; flat pictures hash to nothing."""
    grey: NDArray[np.float64] = image.mean(axis=2)
    rows = np.array_split(grey, min(_SIDE, grey.shape[0]), axis=0)
    columns = min(_SIDE + 1, grey.shape[1])
    grid = np.array([[cell.mean() for cell in np.array_split(row, columns, axis=1)] for row in rows])
    steps = np.diff(grid, axis=1)
    if np.abs(steps).max(initial=0.0) < 1:
        return ""
    shape = f"{image.shape[1] / image.shape[0]:.2f}".encode()
    return hashlib.sha256(shape + np.packbits(steps > 0).tobytes()).hexdigest()
