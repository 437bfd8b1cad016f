"""Who is trained on, chosen by and reported on: drawn by patient from a hash, stored once, afterwards only read."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence

from db.transactions import transaction

VAL_SHARE = 0.10
TEST_SHARE = 0.20


def ensure_split(
    connection: sqlite3.Connection, seed: int, fold: int = 0, folds: int = 0, leave_out: Iterable[str] = ()
) -> str:
    """Draw the split a training asks for, where it was not drawn before; return the split set's name.

    leave_out: sources to test on; else fold (1-based) of folds; else one split.
    """
    if leave_out:
        return draw_leave_out(connection, seed, leave_out)
    if folds:
        return draw_fold(connection, seed, fold, folds)
    return draw_split(connection, seed)


def is_drawn(connection: sqlite3.Connection, split_set: str) -> bool:
    """Tell whether a split set is stored."""
    return connection.execute("SELECT 1 FROM split WHERE split_set = ? LIMIT 1", (split_set,)).fetchone() is not None


def split_sets(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the stored split sets."""
    return [row[0] for row in connection.execute("SELECT DISTINCT split_set FROM split ORDER BY split_set")]


def draw_split(connection: sqlite3.Connection, seed: int) -> str:
    """Store train/val/test (70/10/20 %) for every person that has none yet; return the split set's name.

    The draw is a hash of (seed, patient), so patients added later never move the others.
    """

    def split_of(patient_id: str, _left_out: int) -> str:
        position = hash_fraction(f"{seed}:{patient_id}")
        return "test" if position < TEST_SHARE else "val" if position < TEST_SHARE + VAL_SHARE else "train"

    return _store(connection, f"seed{seed}", split_of, needed=("test", "val"))


def draw_fold(connection: sqlite3.Connection, seed: int, fold: int, folds: int) -> str:
    """Store fold number `fold` (1-based) of a cross-validation by patient; return the split set's name.

    Every person is in the test set of exactly one of the folds; a tenth of the others validates.
    """
    if not 1 <= fold <= folds or folds < 2:
        raise ValueError(f"fold {fold} of {folds}: folds must be 2 or more and fold between 1 and folds")

    def split_of(patient_id: str, _left_out: int) -> str:
        if int(hash_fraction(f"{seed}:{patient_id}") * folds) == fold - 1:
            return "test"
        return "val" if hash_fraction(f"{seed}:{fold}:{patient_id}") < VAL_SHARE else "train"

    return _store(connection, f"seed{seed}-fold{fold}of{folds}", split_of)


def draw_leave_out(connection: sqlite3.Connection, seed: int, sources: Iterable[str]) -> str:
    """Store a split whose test set is all patients of the named sources; a tenth of the others validates.

    A person with ids in several sources is in the test set if any of these sources is named.
    """
    left_out = sorted(set(sources))
    known = {row["name"] for row in connection.execute("SELECT name FROM source")}
    unknown = [name for name in left_out if name not in known]
    if unknown or not left_out:
        raise ValueError(
            f"--leave-out {','.join(unknown) or '(nothing)'}: no such source; the database has {', '.join(sorted(known))}"
        )

    def split_of(patient_id: str, left_out: int) -> str:
        if left_out:
            return "test"
        return "val" if hash_fraction(f"{seed}:{patient_id}") < VAL_SHARE else "train"

    return _store(connection, f"seed{seed}-without-{'+'.join(left_out)}", split_of, left_out)


def hash_fraction(text: str) -> float:
    """Map a text to [0, 1), evenly and always to the same number."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48  # 48 bits fit a double exactly, so the result stays below 1


def _store(
    connection: sqlite3.Connection,
    split_set: str,
    split_of: Callable[[str, int], str],
    left_out: Sequence[str] = (),
    needed: Sequence[str] = ("val",),
) -> str:
    """Write what is missing in one statement: SQLite calls `split_of` row by row, so millions of patients need no memory.

    split_of: maps the patient_id, and whether any of the person's ids is of a source that is left out (1 or 0), to the split.
    needed: splits that the first draw may not leave empty, as it may where there are few patients: one of train is moved there.
    """
    connection.create_function("split_of", 2, split_of, deterministic=True)
    with transaction(connection):
        is_first_draw = not is_drawn(connection, split_set)
        connection.execute(
            "INSERT INTO split (split_set, patient_id, split) "
            "SELECT :split_set, patient_id, split_of(patient_id, patient_id IN (SELECT coalesce(merged_into, patient_id) "
            "FROM patient JOIN source USING (source_id) WHERE name IN (SELECT value FROM json_each(:left_out)))) "
            "FROM patient WHERE merged_into IS NULL AND NOT EXISTS "
            "(SELECT 1 FROM split AS old WHERE old.split_set = :split_set AND old.patient_id = patient.patient_id)",
            {"split_set": split_set, "left_out": json.dumps(left_out)},
        )
        for split in needed if is_first_draw else ():
            _fill(connection, split_set, split)
    return split_set


def _fill(connection: sqlite3.Connection, split_set: str, split: str) -> None:
    """Move a person from train to a split that nobody is in, unless only one is in train."""
    if connection.execute(
        "SELECT 1 FROM split WHERE split_set = ? AND split = ? LIMIT 1", (split_set, split)
    ).fetchone():
        return
    rows = connection.execute("SELECT patient_id FROM split WHERE split_set = ? AND split = 'train'", (split_set,))
    train = sorted((row["patient_id"] for row in rows), key=lambda name: hash_fraction(f"{split_set}:{split}:{name}"))
    if len(train) > 1:
        connection.execute(
            "UPDATE split SET split = ? WHERE split_set = ? AND patient_id = ?", (split, split_set, train[0])
        )
