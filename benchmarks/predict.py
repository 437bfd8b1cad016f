"""Speed of `predict.py` against the bare network, and its memory over thousands of films, in one run.

    python -m benchmarks.predict [CHECKPOINT FOLDER]

Speed: films of 1024 px as JPEG from files to files and rows, against the network alone on the same films already prepared, both
with one film per core, in turn. The processor time of each says more than the seconds where the machine does other work too.
Without arguments the network is untrained and the films are phantoms; with a checkpoint give films that it knows, since a film
that looks strange is looked at up to eight times more. Memory: 5,000 small films through a small network; the most that the
process ever held, after a tenth of them and after all.
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
from db.records import STRUCTURES
from pipeline.film_job import FilmJob
from pipeline.prediction_folder import write_predictions
from pipeline.predictor import Predictor
from unet.checkpoint import Checkpoint, save_checkpoint
from unet.device import film_threads, keep_freed_memory
from unet.inference import predict_logits
from unet.model import UNet, UNetConfig

FILMS, DRAWN, SIDE = 48, 6, 1024
MANY, SMALL = 5000, 128
ROUNDS = 3


def main(checkpoint: Path | None, folder: Path | None) -> None:
    """Measure both and print them."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        films = sorted(folder.iterdir()) if folder else write_films(place / "films", SIDE, FILMS)
        predictor = Predictor(checkpoint or untrained(place / "net.pt", UNetConfig(), 256), "cpu")
        print(f"{torch.get_num_threads()} cores; {predictor.reason}; {len(films)} films, best of {ROUNDS}")
        measure_speed(predictor, films, place / "out")
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


def measure_speed(predictor: Predictor, films: list[Path], out: Path) -> None:
    """Run the network alone and the whole in turn, and print the best of each."""
    images = [
        prepare(torch.from_numpy(load_film(path, "MONOCHROME2").image), predictor.preprocessing)[0] for path in films
    ]
    best = {"bare network": (np.inf, np.inf), "predict.py": (np.inf, np.inf)}
    for number in range(ROUNDS):
        for name, run in (
            ("bare network", lambda: run_network(predictor, images)),
            ("predict.py", lambda n=number: run_all(predictor, films, out / str(n))),
        ):
            wall, processor = time.perf_counter(), time.process_time()
            run()
            took = time.perf_counter() - wall, time.process_time() - processor
            best[name] = tuple(map(min, best[name], took))
    for name, (wall, processor) in best.items():
        print(
            f"{name:13s} {len(films) / wall:6.1f} films/s, {1000 * processor / len(films):6.1f} ms of processor time a film"
        )
    (bare_wall, bare_processor), (wall, processor) = best.values()
    print(
        f"share of the bare rate: {bare_wall / wall:.0%} by the clock, {bare_processor / processor:.0%} by processor time"
    )


def run_network(predictor: Predictor, images: list[torch.Tensor]) -> None:
    """Run the network alone, one film per core."""
    with film_threads(predictor.device) as threads:
        for _ in map_in_order(lambda x: predict_logits(predictor.model, x[None], predictor.precision), images, threads):
            pass


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
        save_checkpoint(file, Checkpoint(config, UNet(config).state_dict(), {"size": size}, {}, [*STRUCTURES]))
    return path


def run_all(predictor: Predictor, films: list[Path], out: Path) -> None:
    """Do what predict.py does between reading its arguments and writing its report."""
    out.mkdir(parents=True, exist_ok=True)
    with closing(connect(out / "predictions.sqlite")) as connection:
        run_id = open_prediction_run(connection, out, "benchmark", {})
        failures = predict.predict_all(films, FilmJob(predictor, out, "benchmark", "MONOCHROME2"), connection, run_id)
        write_predictions(out, connection, run_id)
    if failures:
        raise RuntimeError(f"{len(failures)} films failed, the first: {failures[0]}")


def peak_mib() -> float:
    """Return the most memory this process has held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) not in (1, 3):
        sys.exit(__doc__)
    main(*(map(Path, sys.argv[1:]) if len(sys.argv) == 3 else (None, None)))
