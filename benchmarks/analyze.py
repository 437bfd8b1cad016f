"""Time and memory of analyze.py on a synthetic database.

    python -m benchmarks.analyze [--rows 100000]

Rows are drawn as a hospital would hold them: several films a patient, gaps, findings, three measurements a film. No film is
opened. The limits are 60 seconds and 1 GB.
"""

import argparse
import resource
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np

import analyze
from db.connection import connect
from db.transactions import transaction

SECONDS, MEGABYTES = 60.0, 1000.0
FINDINGS = ("normal", "effusion", "cardiomegaly", "opacity", "nodule", "pneumothorax")


def main() -> None:
    """Draw the database, analyse it, print what it took and fail beyond the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="images in the database (default: 100000)")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "synthetic.sqlite"
        started = time.perf_counter()
        fill(db, rows)
        filled = time.perf_counter()
        busy = time.process_time()
        analyze.main(["--db", str(db), "--by", "sex", "--out", str(Path(folder) / "report")])
        seconds, busy = time.perf_counter() - filled, time.process_time() - busy
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{rows} images drawn in {filled - started:.1f} s, analysed in {seconds:.1f} s ({busy:.1f} s of a processor), "
        f"at most {megabytes:.0f} MB in memory"
    )
    if seconds > SECONDS or megabytes > MEGABYTES:
        raise SystemExit(f"over the limits of {SECONDS:.0f} s and {MEGABYTES:.0f} MB")


def fill(db: Path, rows: int, seed: int = 0) -> None:
    """Write a database of `rows` images: two films a patient on average, three measurements a film."""
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, max(1, rows // 2), rows)
    ages = np.clip(rng.normal(55, 20, rows), 1, 100)
    connection = connect(db)
    with transaction(connection):
        connection.execute("INSERT INTO source VALUES (1, 'synthetic', '/nowhere', 'none', ?, '2026-01-01')", (rows,))
        people = np.unique(patients)
        sexes = rng.choice(["F", "M", None], len(people), p=[0.48, 0.48, 0.04])
        connection.executemany(
            "INSERT INTO patient VALUES (?, 1, ?, NULL)",
            [(f"synthetic:{person}", sex) for person, sex in zip(people.tolist(), sexes, strict=True)],
        )
        _fill_images(connection, rng, patients, ages)
    connection.close()


def _fill_images(
    connection: sqlite3.Connection, rng: np.random.Generator, patients: np.ndarray, ages: np.ndarray
) -> None:
    rows = len(patients)
    days, views = rng.integers(0, 3000, rows), rng.choice(["PA", "AP", "LL", None], rows, p=[0.55, 0.3, 0.13, 0.02])
    spacings = np.where(rng.random(rows) < 0.1, np.nan, rng.choice([0.139, 0.143, 0.168], rows))
    ratios = rng.normal(0.48, 0.05, rows) + 0.03 * (views == "AP")
    studies, images, findings, measurements = [], [], [], []
    for i, (patient, age, day, view, spacing) in enumerate(
        zip(patients, ages, days, views, spacings, strict=True), start=1
    ):
        spacing = None if np.isnan(spacing) else float(spacing)
        studies.append((f"synthetic:s{i}", f"synthetic:{patient}", float(age) if i % 9 else None, None, float(day)))
        images.append((i, f"synthetic:s{i}", f"{i}.png", view, spacing, spacing, f"hash {i}"))
        findings.append((i, FINDINGS[int(rng.integers(len(FINDINGS)))]))
        thorax = 280.0 + i % 40
        values = (("cardiothoracic_ratio", ratios[i - 1], "ratio"), ("heart_width_mm", ratios[i - 1] * thorax, "mm"))
        measurements += [
            (i, name, float(value), unit) for name, value, unit in (*values, ("thorax_width_mm", thorax, "mm"))
        ]
    connection.executemany(
        "INSERT INTO study (study_id, patient_id, patient_age_years, study_date, offset_days) VALUES (?, ?, ?, ?, ?)",
        studies,
    )
    connection.executemany(
        "INSERT INTO image (image_id, source_id, study_id, file, modality, view_position, photometric_interpretation, rows, "
        "columns, bits_stored, row_spacing_mm, column_spacing_mm, content_sha256) "
        "VALUES (?, 1, ?, ?, 'DX', ?, 'MONOCHROME2', 2500, 2048, 12, ?, ?, ?)",
        images,
    )
    connection.executemany("INSERT INTO finding (image_id, finding) VALUES (?, ?)", findings)
    connection.executemany("INSERT INTO measurement (image_id, name, value, unit) VALUES (?, ?, ?, ?)", measurements)


if __name__ == "__main__":
    main()
