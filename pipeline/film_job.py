"""One film of one's own from input file to results: read, predict, judge, write masks and overlay."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.loading import LoadedFilm, hash_file, load_film
from data.measurements import Measurement
from data.overlay import encode_picture, overlay
from data.reasons import reason
from data.writing import FATAL, atomic_file
from db.predictions import Done
from db.records import STRUCTURES
from pipeline.evaluation import write_masks
from pipeline.film_spacing import AS_STATED, SpacingSource
from pipeline.film_view import view_film, with_header
from pipeline.prediction_folder import remove_segmentation, results_exist
from pipeline.predictor import Predictor
from unet.structures import with_lungs


class FilmDone(NamedTuple):
    """A film that was predicted now: its columns of `prediction`, and what its masks measure."""

    values: dict[str, object]
    measurements: tuple[Measurement, ...]


class FilmFailed(NamedTuple):
    """A film that has no result, and why, in one line without its path.

    outdated: an earlier call's result is of other bytes, or lacks files. Where the bytes could not be read, nobody knows.
    """

    why: str
    outdated: bool = False


Outcome = FilmDone | FilmFailed | None
"""None: what an earlier call left of the film is still valid."""


@dataclass(frozen=True)
class FilmJob:
    """What is the same for all films of a call; `run` may be called from several threads at once.

    photometric: how grey levels of non-DICOM files are stored. fix_orientation: turn rotated films upright. spacing: for films
    that do not state it. done: by file, what an earlier call of the same network left. names: by file, the names that calls of
    any network gave to results in this folder.
    """

    predictor: Predictor
    out: Path
    network: str
    photometric: str
    fix_orientation: bool = False
    spacing: SpacingSource = AS_STATED
    done: dict[str, Done] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def run(self, path: Path, file: str, name: str) -> Outcome:
        """Process one film and return its outcome. file: the film's name in tables; name: that of its results.

        Whatever is wrong with the film becomes a FilmFailed; OSError is raised where the disk is full or read-only.
        """
        before, outdated = self.done.get(file), False
        try:
            if before:
                same = before.input_sha256 == hash_file(path)
                if same and results_exist(self.out, before.name) and self.spacing.is_that_of(path, before):
                    return None
                outdated = True
            film = self.spacing.complete(load_film(path, self.photometric))
        except Exception as error:  # foreign bytes break the readers in many ways; to the user all mean the same
            return FilmFailed(reason(error, path), outdated)
        try:
            return self.predict(film, file, before.name if before else name)
        except Exception as error:  # one odd film must not keep the others from being done
            if isinstance(error, OSError) and error.errno in FATAL:
                raise
            return FilmFailed(reason(error, path), outdated)

    def predict(self, film: LoadedFilm, file: str, name: str) -> FilmDone:
        """Predict, measure and write one film that was read."""
        view = view_film(self.predictor, film.image, film.spacing_mm, self.fix_orientation)
        view = with_header(view, film, self.predictor.learnt_from)
        remove_segmentation(self.out, name)
        write_masks(self.out / "masks", name, with_lungs(view.stored))
        (self.out / "overlays").mkdir(exist_ok=True)
        with atomic_file(self.out / "overlays" / f"{name}.jpg", durable=False) as target:
            target.write(encode_picture(overlay(view.image, view.masks), "JPEG"))
        row_mm, column_mm = film.spacing_mm or (None, None)
        shares = (
            Measurement(f"{key}_share", np.count_nonzero(mask) / mask.size, "share") for key, mask in view.masks.items()
        )
        values = {
            "file": file, "name": name, "input_sha256": film.sha256, "network": self.network,
            "height": film.image.shape[0], "width": film.image.shape[1],
            "row_spacing_mm": row_mm, "column_spacing_mm": column_mm,
            "review": "; ".join(view.review), "remarks": "; ".join(view.remarks),
            "predicted_dice": view.predicted_dice.get("lungs"), "strangeness": view.strangeness,
            **{f"predicted_dice_{name}": view.predicted_dice.get(name) for name in STRUCTURES},
        }  # fmt: skip
        return FilmDone(values, (*shares, *view.measurements))
