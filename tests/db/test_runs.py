import pytest

from db.ingest_rows import write_source
from db.runs import closing_run, find_run, finish_run, log_epoch, resume_run, start_run
from db.scores import write_measurements, write_scores


def test_a_run_is_found_by_its_folder_and_its_status(fresh_db, tmp_path):
    run_id = start_run(fresh_db, "train", tmp_path, {"seed": 3})
    assert find_run(fresh_db, "train", tmp_path)["status"] == "running"
    finish_run(fresh_db, run_id)
    assert find_run(fresh_db, "train", tmp_path)["status"] == "finished"
    assert find_run(fresh_db, "train", tmp_path)["config"] == '{"seed": 3}'
    assert find_run(fresh_db, "train", tmp_path / "sub" / "..")["run_id"] == run_id  # however the folder is spelt
    assert find_run(fresh_db, "evaluate", tmp_path) is None
    resume_run(fresh_db, run_id)
    assert find_run(fresh_db, "train", tmp_path)["status"] == "running"


def test_an_epoch_done_again_replaces_the_first(fresh_db, tmp_path):
    run_id = start_run(fresh_db, "train", tmp_path, {})
    values = {"train_loss": 0.5, "learning_rate": 0.1, "films_per_second": 10.0, "seconds": 1.0, "val_dice_lungs": None}
    log_epoch(fresh_db, run_id, 1, values)
    log_epoch(fresh_db, run_id, 1, {**values, "train_loss": 0.25})
    assert [row["train_loss"] for row in fresh_db.execute("SELECT * FROM epoch")] == [0.25]


def test_scores_and_measurements_are_rows_that_replace_themselves(fresh_db, make_film, tmp_path):
    write_source(fresh_db, "s", "/", "manifest", [make_film()])
    image_id = fresh_db.execute("SELECT image_id FROM image").fetchone()[0]
    run_id = start_run(fresh_db, "evaluate", tmp_path, {})
    for dice in (0.5, 0.75):
        row = {
            "image_id": image_id,
            "structure": "lungs",
            "split": "test",
            "empty": "none",
            "dice": dice,
            "iou": 0.4,
            "hd95_px": 3.0,
        }
        write_scores(fresh_db, run_id, [row])
        write_measurements(fresh_db, run_id, [(image_id, "cardiothoracic_ratio", dice, "ratio", None)])
    assert [tuple(row) for row in fresh_db.execute("SELECT dice, hd95_px, hd95_mm FROM score")] == [(0.75, 3.0, None)]
    assert [row["value"] for row in fresh_db.execute("SELECT value FROM measurement")] == [0.75]


def test_a_bad_score_leaves_nothing_half_written(fresh_db, make_film, tmp_path):
    write_source(fresh_db, "s", "/", "manifest", [make_film()])
    image_id = fresh_db.execute("SELECT image_id FROM image").fetchone()[0]
    run_id = start_run(fresh_db, "evaluate", tmp_path, {})
    good = {"image_id": image_id, "structure": "lungs", "empty": "none", "dice": 0.5, "iou": 0.4}
    with pytest.raises(Exception, match="CHECK"):
        write_scores(fresh_db, run_id, [good, {**good, "structure": "heart", "dice": 1.5}])
    assert fresh_db.execute("SELECT count(*) FROM score").fetchone()[0] == 0


def test_a_long_measuring_locks_nobody_out(fresh_db, make_film, tmp_path):
    write_source(fresh_db, "s", "/", "manifest", [make_film()])
    run_id = start_run(fresh_db, "analyze", tmp_path, {})

    def measure():
        assert not fresh_db.in_transaction
        yield (1, "cardiothoracic_ratio", 0.5, "ratio", None)

    write_measurements(fresh_db, run_id, measure())
    assert fresh_db.execute("SELECT count(*) FROM measurement").fetchone()[0] == 1


@pytest.mark.parametrize(
    "error, status", [(None, "finished"), (KeyboardInterrupt, "interrupted"), (ValueError, "failed")]
)
def test_a_run_ends_as_its_block_does_and_the_error_goes_on(fresh_db, tmp_path, error, status):
    run_id = start_run(fresh_db, "train", tmp_path, {})
    try:
        with closing_run(fresh_db, run_id):
            if error:
                raise error
    except (KeyboardInterrupt, ValueError) as raised:
        assert isinstance(raised, error)
    else:
        assert error is None
    row = find_run(fresh_db, "train", tmp_path)
    assert row["status"] == status and row["finished_at"]
