"""Finished masks in the formats other programs read: run-length codes, COCO annotations, DICOM segmentations.

All are made from the mask files, so a call that goes on where another stopped writes the same as an uninterrupted one.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from data.dicom import is_dicom
from data.dicom_segmentation import write_segmentation
from data.geometry import bounding_box
from data.loading import hash_file
from data.masks import encode_rle
from data.reading import read_pixels
from data.writing import FATAL, atomic_file, is_written
from db.records import STRUCTURES
from report.counts import counted
from report.run_folder import write_csv

Rows = Iterable[dict]
"""Films as `db.predictions.read_predictions` gives them."""


def write_rle(out: Path, rows: Rows) -> list[str]:
    """Write rle.csv: 'start length' pairs, starts counted from 1 over the row-major film, as `data.masks.decode_rle` reads."""
    notes: list[str] = []
    lines = (
        (row["file"], name, row["height"], row["width"], encode_rle(mask))
        for row, masks in with_masks(out, rows, notes)
        for name, mask in masks.items()
    )
    write_csv(out / WRITTEN_AS["rle"], ("file", "structure", "height", "width", "rle"), lines)
    return notes


def write_coco(out: Path, rows: Rows) -> list[str]:
    """Write coco.json: one image per film, one annotation per structure with a pixel, uncompressed column-major counts."""
    categories = [{"id": number, "name": name} for number, name in enumerate(STRUCTURES, start=1)]
    images, annotations = [], []
    notes: list[str] = []
    for film, (row, masks) in enumerate(with_masks(out, rows, notes), start=1):
        images.append({"id": film, "file_name": row["file"], "height": row["height"], "width": row["width"]})
        for number, mask in enumerate(masks.values(), start=1):
            box = bounding_box(mask)
            if box is None:
                continue
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": film, "category_id": number, "iscrowd": 0,
                    "area": int(mask.sum()), "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
                    "segmentation": {"size": list(mask.shape), "counts": column_counts(mask)},
                }
            )  # fmt: skip
    content = {"images": images, "categories": categories, "annotations": annotations}
    with atomic_file(out / WRITTEN_AS["coco"]) as file:
        file.write(json.dumps(content).encode())
    return notes


def write_dicom(out: Path, rows: Rows) -> list[str]:
    """Write dicom-seg/<name>.dcm for every film that is DICOM; return in words which films have none and why.

    A file that is no longer what was predicted may be another patient's, whose name its segmentation would bear: it gets none.
    """
    left_out, pictures = [], 0
    for row, masks in with_masks(out, rows, left_out):
        source, target = Path(row["file"]), out / WRITTEN_AS["dicom-seg"] / f"{row['name']}.dcm"
        try:
            if not is_dicom(source):
                pictures += 1
                continue
            if hash_file(source) != row["input_sha256"]:
                raise ValueError("the file has changed since it was predicted; predict it again")
            if not any(mask.any() for mask in masks.values()):
                target.unlink(missing_ok=True)  # an earlier call may have found something
            target.parent.mkdir(exist_ok=True)
            with atomic_file(target) as file:
                write_segmentation(source, file, masks, row["network"])
        except Exception as error:  # a broken header makes pydicom raise anything; other films are still to be written
            if getattr(error, "errno", None) in FATAL:
                raise
            left_out.append(f"no DICOM segmentation of {row['file']}: {error}")
    if pictures:
        left_out.append(f"no DICOM segmentation of {counted(pictures, 'film that is', 'films that are')} not DICOM")
    return left_out


FORMATS: dict[str, Callable[[Path, Rows], list[str]]] = {
    "rle": write_rle, "coco": write_coco, "dicom-seg": write_dicom,
}  # fmt: skip
WRITTEN_AS = {"rle": "rle.csv", "coco": "coco.json", "dicom-seg": "dicom-seg"}


def with_masks(out: Path, rows: Rows, notes: list[str]) -> Iterator[tuple[dict, dict[str, np.ndarray]]]:
    """Yield the rows with their masks, structure to bool (H, W); note those whose files are gone or broken."""
    for row in rows:
        files = {name: out / "masks" / name / f"{row['name']}.png" for name in STRUCTURES}
        if not all(map(is_written, files.values())):
            notes.append(f"{row['file']}: its masks are no longer there; predict it again")
            continue
        try:
            masks = {name: read_pixels(file).values > 0 for name, file in files.items()}
        except ValueError as error:
            notes.append(f"{row['file']}: a mask cannot be read; remove it and predict the film again ({error})")
            continue
        yield row, masks


def column_counts(mask: np.ndarray) -> list[int]:
    """Return the lengths of the runs of a bool mask (H, W) down its columns, outside first, as COCO counts them."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]]))
    return [*([0] if flat[0] else []), *runs.tolist()]
