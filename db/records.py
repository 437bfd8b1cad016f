"""The plain rows that travel between the database, the readers of raw data and the network: frozen, typed, no behaviour.

`Source...` records are what a reader in `data/sources` found in a raw folder and hands to ingest; `ImageRecord` is what a
selection query hands to training, evaluation and prediction. None means "not stated", never "no".
"""

from dataclasses import dataclass
from pathlib import Path

STRUCTURES = ("right_lung", "left_lung", "heart")
"""The network's channels, in order. right_lung is the patient's right: the left half of the image."""

MASK_STRUCTURES = (*STRUCTURES, "lungs")
"""What a mask may show; `lungs` is the union that some sources draw instead of two lungs."""

CONVENTIONS = ("clear_field", "includes_heart", "projection")
PROVENANCES = ("manual", "landmark", "phantom", "model")
"""By trust: where a structure is drawn twice on a film, the mask of the first of these is used.

The lungs as a whole are the union of the two sides wherever both are drawn."""


@dataclass(frozen=True, kw_only=True)
class SourceMask:
    """One drawn structure of one film, in a file of the source or as run-length code; exactly one of the two is given.

    file: path relative to the source's root, '/'-separated. rle: '1-based start, length' pairs over the row-major image.
    lung_value: the only value that means "inside" where the source uses several (V7: 255 lung, 127 ignore), else None; see
    `data.reading.read_labels`.
    scaled: the source publishes the mask at another size than the film; it is scaled to the film's. rle_size: (height, width)
    of the image that the source says the run-length code refers to, or None; ingest checks it against the film.
    """

    structure: str
    convention: str
    provenance: str
    file: str | None = None
    rle: str | None = None
    rle_size: tuple[int, int] | None = None
    lung_value: int | None = None
    scaled: bool = False


@dataclass(frozen=True, kw_only=True)
class SourceMeasurement:
    """One clinical value that the source itself states: name and unit as in docs/measurements.md (ratio, mm, deg ...)."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class SourceFilm:
    """One image as a source describes it, before ingest has opened the file.

    file: path relative to the source's root. patient_id, study_id: the source's own ids; study_id None: one study per
    image. pixel_spacing_mm: (row, column) spacing of the stored pixels. offset_days: days since the patient's first event.
    patient_position: SUPINE, ERECT or SEMIERECT. same_patient_as: ids of the source that belong to the same person. note: the
    source's own words about the film. sides_by_place: the source does not say whose right its right lung is.
    """

    file: str
    patient_id: str
    study_id: str | None = None
    patient_sex: str | None = None
    patient_age_years: float | None = None
    study_date: str | None = None
    offset_days: float | None = None
    modality: str | None = None
    view_position: str | None = None
    patient_position: str | None = None
    body_part_examined: str | None = None
    photometric_interpretation: str | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    pixel_spacing_origin: str | None = None
    findings: tuple[str, ...] = ()
    note: str | None = None
    license: str | None = None
    masks: tuple[SourceMask, ...] = ()
    measurements: tuple[SourceMeasurement, ...] = ()
    same_patient_as: tuple[str, ...] = ()
    sides_by_place: bool = False

    @property
    def visit(self) -> str:
        """The source's own id of the study; where it has none, every film is a visit of its own."""
        return self.study_id or self.file


@dataclass(frozen=True, kw_only=True)
class MaskRecord:
    """One mask of a selected film: its rows in the database with the path made absolute."""

    structure: str
    convention: str
    provenance: str
    path: Path | None = None
    rle: str | None = None
    lung_value: int | None = None
    scaled: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One selected film with everything the program needs of it; `path` is absolute, `masks` are those the query chose.

    spacing_mm: (row, column) of the stored pixels or None. split: train, val, test, or None where none was drawn.
    content_sha256: hash of the film's bytes, the key of every cache. note: the source's words about the film, or the header's.
    """

    image_id: int
    source: str
    file: str
    path: Path
    patient_id: str
    split: str | None
    height: int
    width: int
    photometric_interpretation: str | None
    spacing_mm: tuple[float, float] | None
    content_sha256: str
    masks: tuple[MaskRecord, ...] = ()
    note: str | None = None
