"""Masks of a DICOM film as a DICOM segmentation object (PS3.3 A.51), written with pydicom where it is installed."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO

import numpy as np

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
FROM_FILM = (  # what identifies the patient and the study; empty where the film has none, as type 2 attributes may be
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
CODES = {  # SNOMED CT
    "right_lung": ("3341006", "Right lung"),
    "left_lung": ("44029006", "Left lung"),
    "heart": ("80891009", "Heart"),
}
ORGAN = ("123037004", "Anatomical Structure")


def write_segmentation(source: Path, target: IO[bytes], masks: Mapping[str, np.ndarray], network: str) -> None:
    """Write the masks of one film, structure to bool (H, W) at the film's own size, as one binary segmentation.

    source: the DICOM film, whose patient and study the object takes over. target: an open file. network: who made the masks.
    Structures without a pixel are left out. Raises ModuleNotFoundError without pydicom, ValueError where every mask is empty or
    the film has no UID to refer to.
    """
    try:
        import pydicom
        from pydicom.pixels import pack_bits
        from pydicom.uid import generate_uid
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("DICOM segmentations need pydicom; install it with `pip install pydicom`") from error
    drawn = {name: masks[name] for name in CODES if name in masks and masks[name].any()}
    if not drawn:
        raise ValueError(f"{source}: no mask has a pixel; a segmentation must show something")
    film = pydicom.dcmread(source, stop_before_pixels=True)
    missing = [name for name in ("SOPClassUID", "SOPInstanceUID") if not film.get(name)]
    if missing:
        raise ValueError(
            f"{source}: no {' and no '.join(missing)}, by which a segmentation names its film; export it anew"
        )
    # the same film and network give the same object, so that a second call does not fill an archive with copies
    uid, series, dimension, study = (
        generate_uid(entropy_srcs=[str(film.SOPInstanceUID), network, what])
        for what in ("object", "series", "dimension", "study")
    )
    segmentation = pydicom.Dataset()
    segmentation.file_meta = _file_meta(pydicom, uid)
    _describe_study(segmentation, film, uid, series, network)
    segmentation.StudyInstanceUID = segmentation.StudyInstanceUID or study  # of type 1: a film without one is not valid
    _describe_segments(segmentation, pydicom, drawn, network)
    _describe_frames(segmentation, pydicom, film, dimension, len(drawn))
    frames = np.stack(list(drawn.values())).astype(np.uint8)
    segmentation.PixelData = pack_bits(frames.ravel(), pad=True)
    pydicom.dcmwrite(target, segmentation, enforce_file_format=True)


def _file_meta(pydicom, uid: str):
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SEGMENTATION_STORAGE, uid
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    return meta


def _describe_study(segmentation, film, uid: str, series: str, network: str) -> None:
    if "SpecificCharacterSet" in film:  # without it a name that is not plain ASCII is misread
        segmentation.SpecificCharacterSet = film.SpecificCharacterSet
    for name in FROM_FILM:
        setattr(segmentation, name, film.get(name, ""))
    segmentation.LossyImageCompression = film.get("LossyImageCompression") or "00"  # once lossy, always lossy
    for name in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if name in film:
            setattr(segmentation, name, film.get(name))
    now = datetime.now()
    segmentation.SOPClassUID, segmentation.SOPInstanceUID = SEGMENTATION_STORAGE, uid
    segmentation.SeriesInstanceUID = series
    segmentation.SeriesNumber, segmentation.InstanceNumber, segmentation.Modality = 9000, 1, "SEG"
    segmentation.SeriesDescription = "Lungs and heart, made by a network; for research"
    segmentation.Manufacturer, segmentation.ManufacturerModelName = "lung-segmentation", "U-Net"
    segmentation.DeviceSerialNumber, segmentation.SoftwareVersions = network[:16], network[:64]
    segmentation.ContentDate, segmentation.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    segmentation.ContentLabel, segmentation.ContentDescription = "LUNGS_HEART", "Lungs and heart"
    segmentation.ContentCreatorName, segmentation.ImageType = "", ["DERIVED", "PRIMARY"]


def _describe_segments(segmentation, pydicom, drawn: Mapping[str, np.ndarray], network: str) -> None:
    height, width = next(iter(drawn.values())).shape
    segmentation.Rows, segmentation.Columns, segmentation.NumberOfFrames = height, width, len(drawn)
    segmentation.SamplesPerPixel, segmentation.PhotometricInterpretation = 1, "MONOCHROME2"
    segmentation.BitsAllocated = segmentation.BitsStored = 1
    segmentation.HighBit, segmentation.PixelRepresentation = 0, 0
    segmentation.SegmentationType = "BINARY"
    segments = []
    for number, name in enumerate(drawn, start=1):
        code, meaning = CODES[name]
        segment = pydicom.Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, meaning
        segment.SegmentAlgorithmType, segment.SegmentAlgorithmName = "AUTOMATIC", f"U-Net {network[:16]}"
        segment.SegmentedPropertyCategoryCodeSequence = [_code(pydicom, *ORGAN)]
        segment.SegmentedPropertyTypeCodeSequence = [_code(pydicom, code, meaning)]
        segments.append(segment)
    segmentation.SegmentSequence = segments


def _describe_frames(segmentation, pydicom, film, dimension_uid: str, frames: int) -> None:
    """Say of each frame which segment it shows and which film it was made from."""
    dimension = pydicom.Dataset()
    dimension.DimensionOrganizationUID = dimension_uid
    segmentation.DimensionOrganizationSequence = [dimension]
    index = pydicom.Dataset()
    index.DimensionOrganizationUID = dimension.DimensionOrganizationUID
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x0062000B, 0x0062000A  # referenced segment number
    segmentation.DimensionIndexSequence = [index]
    reference = pydicom.Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = film.SOPClassUID, film.SOPInstanceUID
    series = pydicom.Dataset()
    # of type 1 as well; a film without a series gets one that is always the same
    series.SeriesInstanceUID = film.get("SeriesInstanceUID") or pydicom.uid.generate_uid(
        entropy_srcs=[str(film.SOPInstanceUID), "series of the film"]
    )
    series.ReferencedInstanceSequence = [reference]
    segmentation.ReferencedSeriesSequence = [series]
    source = pydicom.Dataset()
    source.update(reference)
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [
        _code(pydicom, "121322", "Source image for image processing operation", "DCM")
    ]
    derivation = pydicom.Dataset()
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [_code(pydicom, "113076", "Segmentation", "DCM")]
    segmentation.SharedFunctionalGroupsSequence = [pydicom.Dataset()]
    groups = []
    for number in range(1, frames + 1):
        content, identification, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        content.DimensionIndexValues, identification.ReferencedSegmentNumber = [number], number
        group.FrameContentSequence, group.SegmentIdentificationSequence = [content], [identification]
        group.DerivationImageSequence = [derivation]
        groups.append(group)
    segmentation.PerFrameFunctionalGroupsSequence = groups


def _code(pydicom, value: str, meaning: str, scheme: str = "SCT"):
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
