"""Which kind of file a file is, by its first bytes, and the one picture of it, whatever the kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from medprefkit.errors import ImageError
from medprefkit.imaging.limits import MAX_VOLUME_BYTES, name_of
from medprefkit.imaging.nifti_head import HEADER_BYTES, is_nifti, unpacked_head
from medprefkit.imaging.windows import Frame, ViewChoice

Format = Literal["picture", "dicom", "nifti"]

_HEAD_BYTES = 4 * HEADER_BYTES  # packed, a header is shorter than unpacked, but for what gzip adds


def format_of(path: Path) -> Format:
    """Tell DICOM and NIfTI, packed or not, from everything else; damaged files may be anything.

    Raises:
        ImageError: `image_missing` if it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ImageError("image_missing", f"{name_of(path)}: {error.strerror}; check the path") from error
    if head[128:132] == b"DICM":
        return "dicom"
    return "nifti" if is_nifti(unpacked_head(head)) else "picture"


def read_volume_frame(path: Path, choice: ViewChoice) -> Frame:
    """Decode one frame of a DICOM or one slice of a NIfTI file.

    Raises:
        ImageError: As the reader of its format; `image_unreadable` where the package for it is not installed.
    """
    _refuse_large(path)
    if format_of(path) == "dicom":
        with needing_extra(path):
            from medprefkit.imaging.dicom import read_frame  # pydicom: in the extra `dicom`
        return read_frame(path, choice)
    with needing_extra(path):
        from medprefkit.imaging.nifti import read_slice  # nibabel: in the extra `dicom`
    return read_slice(path, choice)


@contextmanager
def needing_extra(path: Path) -> Iterator[None]:
    """Say which extra is missing when an import in the block fails.

    Raises:
        ImageError: `image_unreadable`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        problem = f"{name_of(path)}: reading it needs the package {error.name}"
        raise ImageError("image_unreadable", f"{problem}: pip install 'medprefkit[dicom]'") from error


def _refuse_large(path: Path) -> None:
    if path.stat().st_size > MAX_VOLUME_BYTES:
        problem = f"{name_of(path)}: more than {MAX_VOLUME_BYTES} bytes"
        raise ImageError("image_too_large", f"{problem}; split it into series or volumes")
