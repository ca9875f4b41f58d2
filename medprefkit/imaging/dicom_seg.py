"""Lesion masks in DICOM segmentation files: the frames of the chosen segments that lie on one image's plane.

A frame belongs to an image that it names (SOP instance UID, and frame number where the image has several), else to one
of the same frame of reference at the same position. Nothing is resampled: rows, columns and orientation must be equal.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from medprefkit.errors import ImageError
from medprefkit.imaging.dicom import SEGMENTATIONS, OddValueError, read_header, read_stored, refusing_damage
from medprefkit.imaging.limits import name_of
from medprefkit.protocols import Mask

_PLACING = [
    "SOPClassUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "SegmentSequence",
    "SegmentationType",
    "MaximumFractionalValue",
]
_PLACES_MM = 0.1  # positions nearer than this are one plane
_COSINES = 1e-3


class _Plane(NamedTuple):
    """Where a frame lies: position of its first pixel in mm, directions of its rows and columns."""

    position: np.ndarray[tuple[int], np.dtype[np.float64]] | None
    directions: np.ndarray[tuple[int], np.dtype[np.float64]] | None


class _Pictured(NamedTuple):
    """The image that a mask is wanted for."""

    header: Dataset
    frame: int
    plane: _Plane


def is_segmentation(path: Path) -> bool:
    """Tell whether a DICOM file is a segmentation.

    Raises:
        ImageError: `image_unreadable` if it is damaged.
    """
    return (
        read_header(path, ["SOPClassUID", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated"]).get("SOPClassUID")
        in SEGMENTATIONS
    )


def read_segments(path: Path, image: Path, frame: int, classes: Sequence[str]) -> Mask:
    """Return the union of the chosen segments on one frame of an image, (rows, columns); all False where none is.

    Args:
        path: The segmentation.
        image: The DICOM file of the image.
        frame: Of the image, from 0.
        classes: Segments by number or by label, in any case; all where empty.

    Raises:
        ImageError: `mask_unreadable` if it belongs to another image or has no such segment; `mask_size_mismatch` if it
            has another size or orientation; `image_unreadable` and `image_too_large` as `dicom.read_frame`.
    """
    return _segments_on(
        path, read_header(path, _PLACING), _pictured(image, read_header(image, _PLACING), frame), classes
    )


def lesion_frame(path: Path, image: Path, classes: Sequence[str]) -> int | None:
    """Return the frame of a multi-frame image on which the segments are largest; None where none is on any, or one is.

    Raises:
        ImageError: As `read_segments`.
    """
    header, of = read_header(path, _PLACING), read_header(image, _PLACING)
    with refusing_damage(name_of(image)):
        n_frames = int(of.get("NumberOfFrames") or 1)
    if n_frames == 1:
        return None
    areas = [
        int(np.count_nonzero(_segments_on(path, header, _pictured(image, of, frame), classes)))
        for frame in range(n_frames)
    ]
    return int(np.argmax(areas)) if any(areas) else None


def _pictured(image: Path, header: Dataset, frame: int) -> _Pictured:
    with refusing_damage(name_of(image)):
        return _Pictured(header, frame, _plane_of(header, frame))


def _segments_on(path: Path, header: Dataset, pictured: _Pictured, classes: Sequence[str]) -> Mask:
    name = name_of(path)
    with refusing_damage(name):
        numbers = _numbers_of(header, classes, name)
        wanted = [k for k, number in _frames_on(header, pictured, name) if number in numbers or number == 0]
        lesion = np.zeros((int(header.Rows), int(header.Columns)), np.bool_)
        for k in wanted:
            lesion |= _lesion_of(np.asarray(read_stored(path, header, k)), header, numbers)
    return lesion


def _numbers_of(header: Dataset, classes: Sequence[str], name: str) -> set[int]:
    """Return the numbers of the chosen segments."""
    labels = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")) for item in header.SegmentSequence}
    if not classes:
        return set(labels) - {0}
    folded = {wanted.casefold() for wanted in classes}
    found = {number for number, label in labels.items() if str(number) in folded or label.casefold() in folded}
    if not found:
        there = ", ".join(f"{number} {label!r}" for number, label in sorted(labels.items())) or "none"
        raise ImageError("mask_unreadable", f"{name}: no segment {', '.join(classes)}; it has {there}")
    return found


def _frames_on(header: Dataset, pictured: _Pictured, name: str) -> Iterator[tuple[int, int]]:
    """Yield (frame, segment number) of what lies on the image; number 0 for a frame of several segments."""
    n_frames = int(header.get("NumberOfFrames") or 1)
    frames = list(header.get("PerFrameFunctionalGroupsSequence") or [])[:n_frames]  # a cut file describes more
    if len(frames) < n_frames:
        raise OddValueError("not all of its frames say where they are")
    names_it = [_names(group, pictured) for group in frames]
    same_space = header.get("FrameOfReferenceUID") is not None and (
        header.FrameOfReferenceUID == pictured.header.get("FrameOfReferenceUID")
    )
    on = names_it if any(names_it) else [same_space and _together(header, k, pictured) for k in range(len(frames))]
    if not any(on) and not same_space:
        raise ImageError("mask_unreadable", f"{name}: segments of another image; give the one made from this image")
    if any(on) or same_space:
        _refuse_other_grid(header, pictured, name)
    for k, group in enumerate(frames):
        if on[k]:
            identified = group.get("SegmentIdentificationSequence") or (
                _shared(header).get("SegmentIdentificationSequence") or []
            )
            yield k, int(identified[0].ReferencedSegmentNumber) if identified else 0


def _names(group: Dataset, pictured: _Pictured) -> bool:
    for derivation in group.get("DerivationImageSequence") or []:
        for source in derivation.get("SourceImageSequence") or []:
            if source.get("ReferencedSOPInstanceUID") == pictured.header.get("SOPInstanceUID"):
                numbers = source.get("ReferencedFrameNumber")
                listed = [numbers] if isinstance(numbers, int) else list(numbers or [])
                return not listed or pictured.frame + 1 in {int(number) for number in listed}
    return False


def _together(header: Dataset, frame: int, pictured: _Pictured) -> bool:
    """Tell whether a frame and the image are one plane."""
    there, here = _plane_of(header, frame).position, pictured.plane.position
    return there is not None and here is not None and bool(np.abs(there - here).max() <= _PLACES_MM)


def _refuse_other_grid(header: Dataset, pictured: _Pictured, name: str) -> None:
    size, wanted = (header.Rows, header.Columns), (pictured.header.Rows, pictured.header.Columns)
    there, here = _plane_of(header, 0).directions, pictured.plane.directions
    turned = there is not None and here is not None and bool(np.abs(there - here).max() > _COSINES)
    if size != wanted or turned:
        problem = f"{size[1]}x{size[0]} pixels{', turned' if turned else ''}; the image has {wanted[1]}x{wanted[0]}"
        raise ImageError("mask_size_mismatch", f"{name}: {problem}; resample it to its image's grid")


def _plane_of(header: Dataset, frame: int) -> _Plane:
    own = (header.get("PerFrameFunctionalGroupsSequence") or [Dataset()] * (frame + 1))[frame]
    found: list[np.ndarray[tuple[int], np.dtype[np.float64]] | None] = []
    for group, keyword in (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PlaneOrientationSequence", "ImageOrientationPatient"),
    ):
        items = own.get(group) or _shared(header).get(group) or [header]
        values = items[0].get(keyword)
        found.append(None if values is None else np.array([float(value) for value in values]))
    return _Plane(found[0], found[1])


def _shared(header: Dataset) -> Dataset:
    shared = header.get("SharedFunctionalGroupsSequence")
    return shared[0] if shared else Dataset()


def _lesion_of(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], header: Dataset, numbers: set[int]) -> Mask:
    lesion: Mask
    match str(header.get("SegmentationType") or "BINARY"):
        case "FRACTIONAL":  # more than half of the pixel, or more likely than not
            lesion = values.astype(np.float64) * 2 > float(header.get("MaximumFractionalValue") or 255)
        case "LABELMAP":
            lesion = np.isin(values, sorted(numbers))
        case _:
            lesion = values != 0
    return lesion
