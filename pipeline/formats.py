"""Finished masks in the formats other programs read: run-length codes, COCO annotations, DICOM segmentations.

All are made from the mask files, so a call that goes on where another stopped writes the same as an uninterrupted one.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.dicom import is_dicom
from data.dicom_segmentation import write_segmentation
from data.geometry import bounding_box
from data.loading import hash_file
from data.masks import encode_rle
from data.reading import read_pixels
from data.reasons import one_line
from data.writing import FATAL, atomic_file, is_written
from db.records import STRUCTURES
from report.counts import counted
from report.run_folder import write_csv

Rows = Iterable[dict]
"""Films as `db.predictions.read_predictions` gives them."""


class Written(NamedTuple):
    """What a format lacks: failed, each film (file) that should be in it and why it is not; notes, what else to know."""

    failed: list[tuple[str, str]]
    notes: list[str]


def write_rle(out: Path, rows: Rows) -> Written:
    """Write rle.csv: 'start length' pairs, starts counted from 1 over the row-major film, as `data.masks.decode_rle` reads."""
    failed: list[tuple[str, str]] = []
    lines = (
        (row["file"], name, row["height"], row["width"], row["network"], encode_rle(mask))
        for row, masks in with_masks(out, rows, failed)
        for name, mask in masks.items()
    )
    write_csv(out / WRITTEN_AS["rle"], ("file", "structure", "height", "width", "network", "rle"), lines)
    return Written(failed, [])


def write_coco(out: Path, rows: Rows) -> Written:
    """Write coco.json: one image per film, one annotation per structure with a pixel, uncompressed column-major counts."""
    categories = [{"id": number, "name": name} for number, name in enumerate(STRUCTURES, start=1)]
    images, annotations = [], []
    failed: list[tuple[str, str]] = []
    for film, (row, masks) in enumerate(with_masks(out, rows, failed), start=1):
        image = {"id": film, "file_name": row["file"], "height": row["height"], "width": row["width"]}
        images.append({**image, "network": row["network"]})
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
    return Written(failed, [])


def write_dicom(out: Path, rows: Rows) -> Written:
    """Write dicom-seg/<name>.dcm for every film that is DICOM; a note counts those that are not.

    A file that is no longer what was predicted may be another patient's, whose name its segmentation would bear: it gets none.
    """
    failed: list[tuple[str, str]] = []
    pictures = 0
    for row, masks in with_masks(out, rows, failed):
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
            failed.append((row["file"], one_line(f"no DICOM segmentation: {error}")))
    films = counted(pictures, "film that is", "films that are")
    return Written(failed, [f"no DICOM segmentation of {films} not DICOM"] if pictures else [])


FORMATS: dict[str, Callable[[Path, Rows], Written]] = {
    "rle": write_rle, "coco": write_coco, "dicom-seg": write_dicom,
}  # fmt: skip
WRITTEN_AS = {"rle": "rle.csv", "coco": "coco.json", "dicom-seg": "dicom-seg"}


def with_masks(out: Path, rows: Rows, failed: list[tuple[str, str]]) -> Iterator[tuple[dict, dict[str, np.ndarray]]]:
    """Yield the rows with their masks, structure to bool (H, W); add those whose files are gone or broken to `failed`."""
    for row in rows:
        files = {name: out / "masks" / name / f"{row['name']}.png" for name in STRUCTURES}
        if not all(map(is_written, files.values())):
            failed.append((row["file"], "its masks are no longer there; predict it again"))
            continue
        try:
            masks = {name: read_pixels(file).values > 0 for name, file in files.items()}
        except ValueError as error:
            failed.append(
                (row["file"], one_line(f"a mask cannot be read; remove it and predict the film again ({error})"))
            )
            continue
        yield row, masks


def column_counts(mask: np.ndarray) -> list[int]:
    """Return the lengths of the runs of a bool mask (H, W) down its columns, outside first, as COCO counts them."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]]))
    return [*([0] if flat[0] else []), *runs.tolist()]
