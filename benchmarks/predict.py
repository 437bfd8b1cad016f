"""Speed of `predict.py` against the bare network, and its memory over thousands of films, in one run.

    python -m benchmarks.predict [CHECKPOINT]

Speed: phantom films of 1024 px as JPEG, from files to files, against the network alone on the same films already prepared, both
with one film per core. Without a checkpoint the network is untrained and draws masks of noise, which take longer to tidy.
Memory: 5,000 small films through a small network; the most that the process ever held, after a tenth of them and after all.
"""

import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

import predict
from cli.parallel import map_in_order
from data.dataset import prepare
from data.loading import load_film
from data.overlay import encode_picture
from data.phantom.anatomy import draw_patient
from data.phantom.film import draw_film
from db.connection import connect
from db.predictions import open_prediction_run
from pipeline.film_job import FilmJob
from pipeline.predictor import Predictor
from unet.checkpoint import Checkpoint, save_checkpoint
from unet.device import film_threads, keep_freed_memory
from unet.inference import predict_logits
from unet.model import UNet, UNetConfig

FILMS, DRAWN, SIDE = 48, 6, 1024
MANY, SMALL = 5000, 128
STRUCTURES = ["right_lung", "left_lung", "heart"]


def main(checkpoint: Path | None) -> None:
    """Measure both and print them."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        films = write_films(place / "films", SIDE, FILMS)
        checkpoint = checkpoint or untrained(place / "net.pt", UNetConfig(), 256)
        predictor = Predictor(checkpoint, "cpu")
        bare, whole = bare_rate(predictor, films), whole_rate(predictor, films, place / "out")
        print(f"{torch.get_num_threads()} cores; {predictor.reason}; {FILMS} films of {SIDE} px, best of two")
        print(f"bare network {bare:.1f} films/s, predict.py {whole:.1f} films/s: {100 * whole / bare:.0f} %")
        many = write_films(place / "many", SMALL, MANY)
        small = Predictor(untrained(place / "small.pt", UNetConfig(base=4, depth=1), 64), "cpu", "float32")
        started, early = time.monotonic(), MANY // 10
        run_all(small, many[:early], place / "memory")
        after_few = peak_mib()
        run_all(small, many, place / "memory")
        seconds = time.monotonic() - started
        print(
            f"{MANY} films in {seconds:.0f} s; most memory after {early}: {after_few:.0f} MiB, after all: {peak_mib():.0f} MiB"
        )


def write_films(folder: Path, side: int, count: int) -> list[Path]:
    """Write JPEG films; a few are drawn, the others are the same shifted by some columns."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    drawn = [draw_film(draw_patient(rng), "PA", rng, side).image for _ in range(DRAWN)]
    paths = []
    for number in range(count):
        image = np.roll(drawn[number % DRAWN], number // DRAWN % 8, axis=1)
        paths.append(folder / f"{number:05d}.jpg")
        paths[-1].write_bytes(encode_picture(image, "JPEG"))
    return paths


def untrained(path: Path, config: UNetConfig, size: int) -> Path:
    """Write a checkpoint of random weights."""
    torch.manual_seed(0)
    with open(path, "wb") as file:
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {"size": size}, {}, STRUCTURES))
    return path


def bare_rate(predictor: Predictor, films: list[Path]) -> float:
    """Return films/s of the network alone, on films that are read and prepared."""
    images = [
        prepare(torch.from_numpy(load_film(path, "MONOCHROME2").image), predictor.preprocessing)[0] for path in films
    ]

    def run() -> None:
        with film_threads(predictor.device) as threads:
            for _ in map_in_order(
                lambda x: predict_logits(predictor.model, x[None], predictor.precision), images, threads
            ):
                pass

    return len(films) / best_seconds(run)


def whole_rate(predictor: Predictor, films: list[Path], out: Path) -> float:
    """Return films/s from files to files and rows."""
    calls = iter(range(9))
    return len(films) / best_seconds(lambda: run_all(predictor, films, out / str(next(calls))))


def run_all(predictor: Predictor, films: list[Path], out: Path) -> None:
    """Do what predict.py does between reading its arguments and writing its report."""
    out.mkdir(parents=True, exist_ok=True)
    with closing(connect(out / "predictions.sqlite")) as connection:
        run_id = open_prediction_run(connection, out, "benchmark", {})
        failures = predict.predict_all(films, FilmJob(predictor, out, "benchmark", "MONOCHROME2"), connection, run_id)
        predict.write_predictions(out, connection, run_id)
    if failures:
        raise RuntimeError(f"{len(failures)} films failed, the first: {failures[0]}")


def best_seconds(run) -> float:
    """Return the shorter of two calls, after one to warm up."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def peak_mib() -> float:
    """Return the most memory this process has held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
