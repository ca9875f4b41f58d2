"""DICOM files made by the tests: every tag that matters is an argument, and a patient's name is in each."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage, generate_uid

NAME = "Zzyzx^Quintessa"
BORN = "19010203"
PATIENT = "PAT-7731"
SPACE = "1.2.826.0.1.3680043.8.498.1"


def dataset(path: Path, sop_class: str, syntax: str = ExplicitVRLittleEndian) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    meta.TransferSyntaxUID = syntax
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.PatientName, made.PatientID, made.PatientBirthDate = NAME, PATIENT, BORN
    made.FrameOfReferenceUID = SPACE
    return made


def image(path: Path, values: NDArray[Any], **tags: Any) -> Path:
    """Write (rows, columns), or (frames, rows, columns), or (rows, columns, 3) values."""
    made = dataset(path, tags.pop("sop_class", CTImageStorage), tags.pop("syntax", ExplicitVRLittleEndian))
    colour = values.ndim == 3 and values.shape[2] == 3
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    made.Rows, made.Columns = values.shape[:2] if colour or values.ndim == 2 else values.shape[1:]
    if values.ndim == 3 and not colour:
        made.NumberOfFrames = values.shape[0]
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8 * values.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    made.ImagePositionPatient = [0.0, 0.0, 12.0]
    made.ImageOrientationPatient = [1.0, 0, 0, 0, 1.0, 0]
    made.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    made["PixelData"].VR = "OW" if values.dtype.itemsize > 1 else "OB"
    for tag, value in tags.items():
        setattr(made, tag, value)
    made.save_as(path, enforce_file_format=True)
    return path


def item(**tags: Any) -> Dataset:
    made = Dataset()
    for tag, value in tags.items():
        setattr(made, tag, value)
    return made


def segmentation(
    path: Path,
    frames: list[tuple[NDArray[np.bool_], int, dict[str, Any]]],
    labels: dict[int, str],
    **tags: Any,
) -> Path:
    """Write a binary segmentation; a frame is (mask, segment number, where: `image`, `frame` or `position`)."""
    made = dataset(path, SegmentationStorage)
    made.Modality, made.SegmentationType = "SEG", "BINARY"
    made.SegmentSequence = Sequence([item(SegmentNumber=number, SegmentLabel=name) for number, name in labels.items()])
    made.Rows, made.Columns = frames[0][0].shape
    made.NumberOfFrames, made.SamplesPerPixel, made.PhotometricInterpretation = len(frames), 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = made.PixelRepresentation = 0
    made.SharedFunctionalGroupsSequence = Sequence(
        [item(PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[1.0, 0, 0, 0, 1.0, 0])]))]
    )
    groups = []
    for _, number, where in frames:
        group = item(SegmentIdentificationSequence=Sequence([item(ReferencedSegmentNumber=number)]))
        if "image" in where:
            source = item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=where["image"])
            if "frame" in where:
                source.ReferencedFrameNumber = where["frame"] + 1
            group.DerivationImageSequence = Sequence([item(SourceImageSequence=Sequence([source]))])
        if "position" in where:
            group.PlanePositionSequence = Sequence([item(ImagePositionPatient=where["position"])])
        groups.append(group)
    made.PerFrameFunctionalGroupsSequence = Sequence(groups)
    bits = np.packbits(np.concatenate([mask.ravel() for mask, _, _ in frames]), bitorder="little").tobytes()
    made.PixelData = bits + b"\0" * (len(bits) % 2)
    made["PixelData"].VR = "OB"
    for tag, value in tags.items():
        setattr(made, tag, value)
    made.save_as(path, enforce_file_format=True)
    return path


def uid_of(path: Path) -> str:
    from pydicom import dcmread

    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
