"""Write a trained network for use outside this toolkit, with the preparation of films inside, and check that it says the same.

    python -m unet.export --checkpoint runs/own/best.pt --out exported

Writes to --out: network.pt2 (torch.export), network.ts (TorchScript), network.onnx where onnx, onnxscript and onnxruntime are
installed, and network.json, which says what goes in and comes out. Each takes one film (H, W), float32 in [0, 1], 0 black, of any
size, and gives the probability of each structure at that size. Cutting borders, grey levels and resizing are inside;
reading files, and making tidy masks of the probabilities (unet.postprocess; network.json says how), are not.
"""

import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cli.command import DONE, run
from cli.settings import parse_settings, setting
from data.intensity import FLAT, HIGH_PERCENTILE, LOW_PERCENTILE
from data.resize import BLACK, BRIGHT_SHARE, DIM, LARGEST_ON_PAGE, MARKED, PAGE
from data.writing import atomic_file
from pipeline.found_checkpoints import find_checkpoint
from pipeline.predictor import NO_LUNG_LOGIT, Predictor
from unet.film_module import FilmModule

TOLERANCE = 1e-4  # of a probability
LARGEST_SIDE = 30_000
ENDINGS = {"torch-export": "pt2", "torchscript": "ts", "onnx": "onnx"}
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ExportConfig:
    """Settings of `python -m unet.export`."""

    checkpoint: Path | None = setting(None, "best.pt of a training; without it the newest in runs/")
    out: Path = setting(Path("exported"), "folder for the results")
    formats: tuple[str, ...] = setting((), f"of {', '.join(ENDINGS)}; without it all whose packages are installed")


def main(argv: list[str]) -> int:
    """Export as the arguments say and return the exit status."""
    config = parse_settings(ExportConfig, argv, __doc__)
    unknown = sorted(set(config.formats) - set(ENDINGS))
    if unknown:
        raise ValueError(f"--formats {unknown[0]!r}: wanted some of {', '.join(ENDINGS)}")
    path = find_checkpoint(config.checkpoint, Path("runs"))
    predictor = Predictor(path, device="cpu", precision="float32")
    module = film_module(predictor)
    config.out.mkdir(parents=True, exist_ok=True)
    differences = {}
    for name in config.formats or ENDINGS:
        try:
            differences[name] = export(name, module, predictor, config.out / f"network.{ENDINGS[name]}")
        except ModuleNotFoundError as error:
            if config.formats:
                raise ModuleNotFoundError(
                    f"ONNX needs {error.name}: pip install onnx onnxscript onnxruntime"
                ) from error
            print(f"onnx: left out, {error.name} is not installed")
            continue
        print(f"{config.out / f'network.{ENDINGS[name]}'}: differs from the library by {differences[name]:.1e} at most")
    for name, ending in ENDINGS.items():
        if name not in differences and (config.out / f"network.{ending}").exists():
            print(f"{config.out / f'network.{ending}'}: as it was before this call; network.json says nothing of it")
    with atomic_file(config.out / "network.json") as file:
        file.write((json.dumps(description(predictor, differences), indent=2) + "\n").encode())
    return DONE


def film_module(predictor: Predictor) -> FilmModule:
    """Return the network of a predictor with its preparation of films; ValueError where that is not a fixed chain.

    Its parameters, shared with the predictor, require no gradients from now on, so that `.numpy()` can be called on the output of
    the exported files.
    """
    preparation = predictor.preprocessing
    if preparation.intensity not in ("none", "percentile"):
        raise ValueError(
            f"{predictor.path}: its films are prepared by --intensity {preparation.intensity}, which counts grey levels tile by "
            "tile and cannot be exported; train with percentile or none"
        )
    module = FilmModule(
        predictor.model,
        size=preparation.size,
        temperature=list(predictor.checkpoint.temperatures().values()),
        percentiles=(LOW_PERCENTILE, HIGH_PERCENTILE) if preparation.intensity == "percentile" else None,
        flat=FLAT,
        black=BLACK if preparation.crop else None,
        dim=(DIM, MARKED),
        page=(PAGE, LARGEST_ON_PAGE),
        bright_share=BRIGHT_SHARE,
        fill=NO_LUNG_LOGIT,
    )
    return module.eval().requires_grad_(False)


def export(name: str, module: FilmModule, predictor: Predictor, path: Path) -> float:
    """Write one format, read it back, and return the largest difference of its probabilities from the library's.

    Raises ValueError where that is more than TOLERANCE, ModuleNotFoundError where a package is missing; `path` is then left as
    it was.
    """
    temporary = path.with_name(f".{path.stem}.tmp.{ENDINGS[name]}")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporters' own; what counts is checked below
            logging.disable(logging.WARNING)
            loaded = WRITERS[name](module, temporary)
        # numpy's max: Python's own forgets a NaN that comes second
        difference = float(np.max([largest_difference(loaded, predictor, film) for film in check_films()]))
        if not difference <= TOLERANCE:
            raise ValueError(
                f"{name}: probabilities differ from the library's by {difference:.1e}, more than {TOLERANCE:.0e}; nothing was "
                "written; is this release of the exporter as tested (requirements.txt)?"
            )
        temporary.replace(path)
    finally:
        logging.disable(logging.NOTSET)
        temporary.unlink(missing_ok=True)
    return difference


def largest_difference(loaded: Run, predictor: Predictor, film: np.ndarray) -> float:
    """Return the largest difference in probability between the exported network and the library on a film."""
    with torch.no_grad():
        return float(np.abs(loaded(torch.from_numpy(film)).numpy() - predictor.probabilities(film)).max())


def check_films() -> list[np.ndarray]:
    """Return films to compare on: of all shapes, without border, with one, on a page, dim with a mark, black, evenly grey."""

    def film(height: int, width: int, border: int, page: float = 0.0) -> np.ndarray:
        y, x = np.mgrid[0:height, 0:width] / max(height, width)
        noise = np.random.default_rng(0).random((height, width))
        grey = np.clip(0.5 + 0.3 * np.sin(9 * x) * np.cos(7 * y) + 0.1 * noise, 0, 1).astype(np.float32)
        return np.pad(grey, ((border, border), (border, 2 * border)), constant_values=page)

    marked = film(120, 90, 20) / 16
    marked[5:9, 5:9] = 1
    return [
        film(300, 260, 0),
        film(500, 700, 31),
        film(97, 60, 7),
        film(120, 90, 20, 0.9),
        marked,
        np.zeros((64, 50), np.float32),
        np.full((124, 189), 0.5, np.float32),
    ]


def description(predictor: Predictor, differences: dict[str, float]) -> dict:
    """Return what a user of the files has to know."""
    return {
        "input": "film: (H, W) float32, grey levels in [0, 1] by the stored bit depth, 0 black, lungs dark; any H and W",
        "output": "probability of each structure, (C, H, W) float32; a mask is probability >= threshold, a pixel "
        "of both lungs goes to the more probable one, each is tidied to one piece without holes (unet.postprocess.clean)",
        "not in it": "predict.py also takes narrow tails off hearts, at the network's size (unet.postprocess.cut_tails): the "
        "heart's width, and the cardiothoracic ratio with it, differ where there are any",
        "structures": list(predictor.structures),
        "threshold": predictor.thresholds,
        "preparation inside": vars(predictor.preprocessing),
        "largest difference from the library": differences,
        "use": "research only, not a medical device",
    }


def _write_program(module: FilmModule, path: Path) -> Run:
    torch.export.save(_program(module), path)
    return torch.export.load(path).module()


def _write_script(module: FilmModule, path: Path) -> Run:
    torch.jit.trace(module, torch.from_numpy(check_films()[1]), check_trace=False).save(str(path))
    return torch.jit.load(str(path))


def _write_onnx(module: FilmModule, path: Path) -> Run:
    import onnxruntime  # optional; imported before the long work begins
    import onnxscript  # noqa: F401  what torch writes ONNX with

    torch.onnx.export(_program(module), dynamo=True, verbose=False, output_names=["probability"]).save(str(path))
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda film: torch.from_numpy(session.run(None, {"film": film.numpy()})[0])


def _program(module: FilmModule) -> torch.export.ExportedProgram:
    sides = {axis: torch.export.Dim(name, min=2, max=LARGEST_SIDE) for axis, name in enumerate(("height", "width"))}
    return torch.export.export(module, (torch.from_numpy(check_films()[1]),), dynamic_shapes={"film": sides})


WRITERS: dict[str, Callable[[FilmModule, Path], Run]] = {
    "torch-export": _write_program,
    "torchscript": _write_script,
    "onnx": _write_onnx,
}


if __name__ == "__main__":
    run(main)
