"""What `images` knows of single formats: DICOM, NIfTI, their segmentations, windows, classes and boxes of masks."""
