"""evaluate.py and analyze.py called end to end on a small trained network."""

import csv
import html.parser
import json
import os
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analyze
import evaluate
import train
from data import ingest
from data.writing import sole_writer
from db.connection import connect
from db.runs import find_run, finish_run, start_run
from db.splits import draw_split
from pipeline.analysis import Analysis
from pipeline.comparison import read_other
from pipeline.measuring import DRAWN
from report.cohort import GROUPINGS, NAMING, check_group, group_rows
from report.page import Heading, Table, Text
from unet.checkpoint import load_checkpoint, save_checkpoint
from unet.metrics import count, dice

ROOT = Path(__file__).parent.parent.parent
PARAMETERS = {"convention": "clear_field", "provenance": "phantom", "source": "all", "split_set": "seed0"}


def read_csv(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def scores(folder):
    return read_csv(folder / "scores.csv")


def test_every_film_and_structure_has_a_row_that_its_saved_mask_confirms(evaluated, phantom_db):
    rows = scores(evaluated)
    films = {row["file"] for row in rows}
    assert len(rows) == 4 * len(films) and {row["structure"] for row in rows} == {
        "right_lung",
        "left_lung",
        "heart",
        "lungs",
    }
    root = phantom_db.parent / "phantom_films"
    for row in [row for row in rows if row["structure"] == "heart"][:5]:
        stem = row["file"].removeprefix("images/").removesuffix(".jpg")
        saved = np.asarray(Image.open(evaluated / f"masks/heart/{stem}.png"))
        true = np.asarray(Image.open(root / f"masks/heart/{stem}.png"))
        assert saved.shape == true.shape == (96, 96) and set(np.unique(saved)) <= {0, 255}
        assert float(row["dice"]) == pytest.approx(dice(count(saved > 0, true > 0)), abs=1e-12)
    mm = [row for row in rows if row["hd95_mm"]]
    assert mm and all(not row["hd95_px"] for row in mm) and any(row["hd95_px"] for row in rows)


def test_the_summary_is_the_mean_of_the_rows_and_of_the_database(evaluated, phantom_db):
    rows = [row for row in scores(evaluated) if row["structure"] == "lungs"]
    summary = json.loads((evaluated / "summary.json").read_text())
    mean = np.mean([float(row["dice"]) for row in rows])
    part = summary["structures"]["lungs"]["dice"]
    assert part["mean"] == pytest.approx(mean) and part["films"] == len(rows) and part["low"] <= mean <= part["high"]
    assert summary["structures"]["lungs"]["hd95_mm"]["films"] + summary["structures"]["lungs"]["hd95_px"][
        "films"
    ] == len(rows)
    stored = connect(phantom_db).execute(
        "SELECT avg(dice) FROM score JOIN run USING (run_id) WHERE structure = 'lungs' AND folder = ?",
        (str(evaluated),),
    )
    assert stored.fetchone()[0] == pytest.approx(mean)


def test_predicted_and_reference_masks_are_measured_and_kept_apart(evaluated, phantom_db):
    connection = connect(phantom_db)
    run = connection.execute(
        "SELECT run_id FROM run WHERE command = 'evaluate' AND folder = ?", (str(evaluated),)
    ).fetchone()
    child = connection.execute(
        "SELECT run_id FROM run WHERE command = 'measure' AND parent_id = ?", tuple(run)
    ).fetchone()

    def measured(run_id):
        sql = "SELECT image_id, name, value, unit FROM measurement WHERE run_id = ?"
        return {
            (row["image_id"], row["name"]): (row["value"], row["unit"]) for row in connection.execute(sql, (run_id,))
        }

    predicted, reference = measured(run[0]), measured(child[0])
    films = {row["image_id"] for row in scores(evaluated)}
    assert {str(image_id) for image_id, _ in reference} == films
    image_id = min(image_id for image_id, name in reference if name == "heart_width_mm")
    exact = connection.execute(
        "SELECT value FROM measurement WHERE run_id IS NULL AND image_id = ? AND name = 'heart_width_mm'", (image_id,)
    ).fetchone()[0]
    assert reference[image_id, "heart_width_mm"][0] == pytest.approx(exact, abs=10)  # pixels of about 4 mm
    assert predicted[image_id, "cardiothoracic_ratio"][1] == "ratio" and predicted != reference


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.targets, self.anchors, self.outside = set(), set(), []

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        self.anchors.add(facts.get("id"))
        if facts.get("href", "").startswith("#"):
            self.targets.add(facts["href"][1:])
        for name in ("src", "href"):
            if not facts.get(name, "data:").startswith(("data:", "#")):
                self.outside.append(facts[name])


def test_the_report_stands_alone_and_its_links_lead_somewhere(evaluated):
    links = Links()
    links.feed((evaluated / "report.html").read_text())
    assert links.outside == [] and links.targets and links.targets <= links.anchors
    twin = (evaluated / "report.md").read_text()
    assert "# Evaluation of lung and heart masks" in twin and "both lungs" in twin
    films = json.loads((evaluated / "summary.json").read_text())["films"]
    assert f"Films: phantom {films}. Reference masks: convention clear_field, made: phantom." in twin
    assert "The network learnt from films of phantom; at other hospitals expect less." in twin


def test_only_the_test_films_are_scored_unless_asked_otherwise(trained, phantom_db):
    assert evaluate.main(["--checkpoint", str(trained), "--precision", "float32"]) == 0
    rows = scores(trained / "evaluate-test")
    assert {row["split"] for row in rows} == {"test"}
    kept = {row["file"] for row in read_csv(trained / "split.csv") if row["split"] == "test"}
    assert {row["file"] for row in rows} == kept


def test_films_that_were_trained_on_are_known_by_their_bytes_in_any_database(trained, phantom_db, tmp_path, copy_of):
    """The same films under other patients' names: the split's name fits, and what it says does not."""
    other = copy_of(phantom_db, tmp_path / "other.sqlite")
    with closing(connect(other)) as copy, copy:
        copy.execute(
            "UPDATE split SET split = CASE split WHEN 'test' THEN 'train' WHEN 'train' THEN 'test' ELSE split END"
        )
    (tmp_path / "alone").mkdir()  # best.pt without the folder that it was trained in
    for place in (trained / "best.pt", shutil.copy(trained / "best.pt", tmp_path / "alone")):
        with pytest.raises(ValueError, match="has learnt from .* of these .* films, whatever this database calls them"):
            evaluate.main(["--checkpoint", str(place), "--db", str(other), "--out", str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()


def test_a_network_that_does_not_know_its_films_is_said_to_be_one(trained, tmp_path, capsys):
    checkpoint = load_checkpoint(trained / "best.pt")
    checkpoint.learnt_from = []
    with open(tmp_path / "best.pt", "wb") as file:
        save_checkpoint(file, checkpoint)
    for place, said in ((trained / "best.pt", False), (tmp_path / "best.pt", True)):
        words = ["--checkpoint", str(place), "--out", str(tmp_path / "out"), "--precision", "float32"]
        assert evaluate.main(words) == 0
        assert ("does not say which films it has learnt from" in capsys.readouterr().out) is said


def test_another_checkpoint_of_a_training_gets_another_folder(trained):
    before = (trained / "evaluate-test/scores.csv").read_bytes()
    assert evaluate.main(["--checkpoint", str(trained / "last.pt"), "--precision", "float32"]) == 0
    assert (trained / "evaluate-test-last/scores.csv").is_file()
    assert (trained / "evaluate-test/scores.csv").read_bytes() == before


def test_commands_do_not_replace_each_others_results(evaluated, trained, tmp_path, monkeypatch):
    page = (evaluated / "report.html").read_bytes()
    with pytest.raises(ValueError, match="holds results of evaluate, which those of analyze would replace"):
        analyze.main(["--run", str(evaluated), "--out", str(evaluated)])
    (tmp_path / "settings.json").write_text('{"command": "predict", "settings": {}}')
    with pytest.raises(ValueError, match="holds results of predict, which those of evaluate would replace"):
        evaluate.main(["--checkpoint", str(trained), "--out", str(tmp_path), "--save-masks"])
    assert (evaluated / "report.html").read_bytes() == page and len(list(tmp_path.iterdir())) == 1
    monkeypatch.chdir(tmp_path)
    assert analyze.main(["--run", str(evaluated)]) == 0
    assert (tmp_path / f"runs/analyze-{trained.name}-{evaluated.name}/report.html").is_file()


@pytest.mark.parametrize("command", [evaluate, analyze])
def test_what_processes_cannot_share_says_so(command, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=f"{command.__name__}.py is not shared between processes; call python"):
        command.main([])


def test_other_films_get_another_folder(trained, phantom_db, tmp_path, monkeypatch):
    query = tmp_path / "some films.sql"
    query.write_text("SELECT image_id, mask_id FROM mask WHERE convention = :convention LIMIT 40")
    before = (trained / "evaluate-test/scores.csv").read_bytes()
    assert (
        evaluate.main(["--checkpoint", str(trained), "--query", str(query), "--precision", "float32", "--split", "all"])
        == 0
    )
    assert (trained / "evaluate-all-some_films/scores.csv").is_file()
    other = tmp_path / "b/some films.sql"
    other.parent.mkdir()
    other.write_text(query.read_text().replace("40", "20"))
    for place in (other.parent, query.parent):  # files are told apart by their text, wherever the command is called
        monkeypatch.chdir(place)
        with pytest.raises(
            ValueError, match="evaluate-all-some_films holds results of another --query, which these would"
        ):
            evaluate.main(
                ["--checkpoint", str(trained), "--query", str(other), "--precision", "float32", "--split", "all"]
            )
    words = ["--checkpoint", str(trained), "--db", os.path.relpath(phantom_db), "--precision", "float32"]
    assert evaluate.main(words) == 0  # the usual films, however their database is spelt
    known = json.loads((trained / "evaluate-all-some_films/summary.json").read_text())["trained_on"]
    assert (
        known
        == sum(row["split"] in ("train", "val") for row in read_csv(trained / "evaluate-all-some_films/films.csv"))
        > 0
    )
    assert f"{known} films were learnt from or chosen by" in (trained / "evaluate-all-some_films/report.md").read_text()
    assert json.loads((trained / "evaluate-test/summary.json").read_text())["trained_on"] == 0
    assert (trained / "evaluate-test/scores.csv").read_bytes() == before
    with pytest.raises(ValueError, match="--source mars: no such source; the database has phantom"):
        evaluate.main(["--checkpoint", str(trained), "--source", "mars"])


def test_a_film_that_vanished_is_listed_and_the_rest_scored(trained, phantom_db, tmp_path, capsys):
    film = phantom_db.parent / "phantom_films" / scores(trained / "evaluate-test")[0]["file"]
    hidden = film.rename(tmp_path / "hidden.jpg")
    try:
        status = evaluate.main(["--checkpoint", str(trained), "--out", str(tmp_path / "out"), "--precision", "float32"])
    finally:
        hidden.rename(film)
    why = "no such file; correct its path or ingest the source again"
    assert status == 1 and f"failed: images/{film.name}: {why}\n" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["failed"] == [{"file": f"images/{film.name}", "why": why}] and summary["films"] >= 1


def test_another_film_than_at_ingest_is_listed_and_the_rest_scored(trained, phantom_db, tmp_path, capsys):
    film = phantom_db.parent / "phantom_films" / scores(trained / "evaluate-test")[0]["file"]
    whole = film.read_bytes()
    try:
        Image.open(film).rotate(180).save(film)
        status = evaluate.main(["--checkpoint", str(trained), "--out", str(tmp_path / "out"), "--precision", "float32"])
    finally:
        film.write_bytes(whole)
    why = "another file than when it was ingested; bring that one back, or ingest the source again"
    assert status == 1 and f"failed: images/{film.name}: {why}\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/summary.json").read_text())["films"] >= 1


def test_masks_of_another_convention_and_films_stored_mirrored_are_told(trained, phantom_db, tmp_path, copy_of, capsys):
    """Scores against lungs that are drawn otherwise were sold as the network's failures."""
    db, out, query = copy_of(phantom_db, tmp_path / "films.sqlite"), tmp_path / "out", tmp_path / "all.sql"
    with closing(connect(db)) as connection:
        connection.execute("UPDATE mask SET convention = 'includes_heart'")
        connection.execute("UPDATE image SET note = 'seen before; stored mirrored: rows run towards R'")
    query.write_text("SELECT image_id, mask_id FROM mask WHERE image_id IN (SELECT image_id FROM mask LIMIT 9)")
    more = ("--db", str(db), "--query", str(query), "--split", "all", "--out", str(out), "--precision", "float32")
    assert evaluate.main(["--checkpoint", str(trained), *more]) == 0
    told = "The network learnt masks of the convention clear_field and is compared with includes_heart: scores and failures"
    said, twin = capsys.readouterr().out, (out / "report.md").read_text()
    assert told in said and told in twin and "stored mirrored: rows run towards R (remarks in films.csv)" in said
    assert "The network learnt masks of" not in (trained / "evaluate-test/report.md").read_text()


def test_folds_are_pooled(phantom_db, small_training, tmp_path, copy_of, capsys):
    out = tmp_path / "cross"
    train.main(["--db", str(phantom_db), "--out", str(out), *small_training, "--epochs", "1", "--folds", "2"])
    capsys.readouterr()
    assert evaluate.main(["--checkpoint", str(out), "--precision", "float32"]) == 0
    assert capsys.readouterr().out.startswith(f"Films of {phantom_db}, from which the network was trained; ")
    assert json.loads((out / "evaluate-test/summary.json").read_text())["precision"] == "float32 as asked"
    rows = [row for row in scores(out / "evaluate-test") if row["structure"] == "lungs"]
    assert len(rows) == len({row["image_id"] for row in rows}) >= 30
    with pytest.raises(ValueError, match="folds are scored on their own test films"):
        evaluate.main(["--checkpoint", str(out), "--split", "all"])
    other = copy_of(phantom_db, tmp_path / "other.sqlite")
    with closing(connect(other)) as copy, copy:
        copy.execute("DELETE FROM split WHERE split_set LIKE '%fold2of2'")
    with pytest.raises(
        ValueError, match="fold2of2, which this database does not have"
    ):  # and no half of the films scored
        evaluate.main(["--checkpoint", str(out), "--db", str(other), "--out", str(tmp_path / "half")])
    assert not (tmp_path / "half").exists()
    whole = load_checkpoint(out / "fold2/best.pt")
    for name, value, message in (
        ("seed", 10, "different --seed, .* scored twice"),
        ("fold", 1, "fold 1 is there twice"),
    ):
        odd = replace(whole, training={**whole.training, name: value})
        with open(out / "fold2/best.pt", "wb") as file:
            save_checkpoint(file, odd)
        with pytest.raises(ValueError, match=message):
            evaluate.main(["--checkpoint", str(out), "--out", str(tmp_path / "odd")])
    assert not (tmp_path / "odd").exists()
    begun = whole
    begun.validation = {}  # what is fitted after the last epoch
    with open(out / "fold2/best.pt", "wb") as file:
        save_checkpoint(file, begun)
    with pytest.raises(
        ValueError, match=f"fold 2 is not trained to its end; go on with python train.py --resume {out}"
    ):
        evaluate.main(["--checkpoint", str(out)])
    shutil.rmtree(out / "fold2")
    with pytest.raises(ValueError, match="fold 2 is not trained to its end"):
        evaluate.main(["--checkpoint", str(out)])
    assert evaluate.main(["--checkpoint", str(out / "fold1"), "--precision", "float32"]) == 0


def test_an_evaluation_that_is_stopped_leaves_the_one_before_to_be_analysed(
    trained, evaluated, phantom_db, monkeypatch
):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "score_all", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluate.main(["--checkpoint", str(trained), "--out", str(evaluated), "--precision", "float32"])
    with closing(connect(phantom_db)) as connection:
        newest = find_run(connection, "evaluate", evaluated)
        assert newest["status"] == "interrupted"
        assert analyze.evaluation_of(connection, evaluated) < newest["run_id"]


def test_an_evaluation_is_finished_though_nobody_reads_its_lines(trained, phantom_db, tmp_path, monkeypatch):
    def gone(*_lines):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    argv = ["--checkpoint", str(trained), "--out", str(tmp_path / "scores"), "--precision", "float32"]
    with pytest.raises(BrokenPipeError):
        evaluate.main(argv)
    with closing(connect(phantom_db)) as connection:
        assert find_run(connection, "evaluate", tmp_path / "scores")["status"] == "finished"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--checkpoint", "none.pt"], "none.pt: no such file"),
        (["--checkpoint", "."], "no best.pt in it"),
        ([], "no trained network below runs/"),
    ],
)
def test_without_a_network_there_is_nothing_to_evaluate(tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=message):
        evaluate.main(argv)


def test_a_checkpoint_that_does_not_say_how_it_was_trained_is_not_evaluated(network):
    with pytest.raises(ValueError, match="best.pt: it does not say the db, source, .*split_set of its training"):
        evaluate.main(["--checkpoint", str(network)])


def test_an_empty_selection_is_said(trained, tmp_path):
    query = tmp_path / "nothing.sql"
    query.write_text("SELECT image_id, mask_id FROM mask WHERE false")
    for split, hint in (("test", "try --split all, or another --db"), ("all", "try another --db")):
        with pytest.raises(ValueError, match=f"no film in the {split} split of this selection; {hint}"):
            evaluate.main(["--checkpoint", str(trained), "--query", str(query), "--split", split])


def test_analysis_tells_the_cohort_and_the_scores_by_group(evaluated, phantom_db, tmp_path):
    assert analyze.main(["--run", str(evaluated), "--by", "view", "--out", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a/report.md").read_text()
    for words in (
        "From all rows to the films used",
        "cardiothoracic_ratio",
        "db/queries/cohort_flow.sql",
        "by group",
        "PA",
    ):
        assert words in text, words
    links = Links()
    links.feed((tmp_path / "a/report.html").read_text())
    assert links.outside == []
    first = read_csv(tmp_path / "a/table-from-all-rows-to-the-films-used.csv")
    assert list(first[0]) == ["condition", "removed", "remaining"] and len(first) == 8


def test_an_analysis_of_some_films_says_nothing_of_the_others(evaluated, phantom_db):
    connection = connect(phantom_db)
    evaluation = analyze.evaluation_of(connection, evaluated)
    analysis = Analysis(connection, PARAMETERS, "view", False)
    scored = {row["image_id"] for row in analysis.rows_of("scores_by_film", run_id=evaluation)}
    some = [row for row in analysis.rows_of("cohort_images") if row["image_id"] in scored][:4]
    assert len(scored) > 4
    analysis.add_evaluation(some, evaluation)
    tables = [block for block in analysis.page.blocks if isinstance(block, Table)]
    counts = [row[table.columns.index("films")] for table in tables if "films" in table.columns for row in table.rows]
    assert counts and max(counts) == 4


def test_tables_and_figures_of_an_earlier_analysis_do_not_stay_beside_the_new_page(evaluated, phantom_db, tmp_path):
    out = tmp_path / "a"
    assert analyze.main(["--run", str(evaluated), "--out", str(out)]) == 0
    before = {path.relative_to(out) for path in out.rglob("*.*")}
    (out / "notes.txt").write_text("the user's own")
    assert analyze.main(["--db", str(phantom_db), "--out", str(out)]) == 0
    after = {path.relative_to(out) for path in out.rglob("*.*")}
    assert Path("table-how-well-the-masks-agree-by-group.csv") in before - after and Path("notes.txt") in after
    assert analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "b")]) == 0
    assert after - {Path("notes.txt")} == {path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*.*")}


def test_films_that_a_network_learnt_from_and_the_database_lacks_are_counted(trained, phantom_db, tmp_path):
    elsewhere = load_checkpoint(trained / "best.pt")
    elsewhere.learnt_from += ["0" * 64, "1" * 64]
    with open(tmp_path / "best.pt", "wb") as file:
        save_checkpoint(file, elsewhere)
    argv = ["--checkpoint", str(tmp_path / "best.pt"), "--db", str(phantom_db), "--out", str(tmp_path / "out")]
    assert evaluate.main([*argv, "--precision", "float32"]) == 0
    said = "The network learnt from films of phantom, and from 2 films that this database does not have; at other"
    assert said in (tmp_path / "out/report.md").read_text()


def test_scores_are_grouped_by_whatever_the_cohort_is_grouped_by(evaluated, tmp_path):
    assert (
        analyze.main(["--run", str(evaluated), "--by", "split", "--out", str(tmp_path / "a"), "--format", "json"]) == 0
    )
    blocks = json.loads((tmp_path / "a/report.json").read_text())["blocks"]
    tables = [block for block in blocks if block.get("source") == "db/queries/scores_by_film.sql"]
    assert "split" in tables[0]["columns"]
    own = Counter((row["structure"], row["split"]) for row in scores(evaluated))
    assert {(row[0], row[1]): row[2] for row in tables[0]["rows"]} == own and len({split for _, split in own}) == 3


def test_splits_are_those_of_the_network_that_was_evaluated_unless_others_are_asked_for(
    evaluated, phantom_db, tmp_path, copy_of
):
    """The usual draw is another one, in which the same films have other splits."""
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    with closing(connect(db)) as connection:
        draw_split(connection, 0)

    def columns(*words):
        folder = tmp_path / "-".join(map(str, words)).replace("/", "-")
        assert analyze.main(["--db", str(db), "--by", "split", "--out", str(folder), "--format", "json", *words]) == 0
        blocks = json.loads((folder / "report.json").read_text())["blocks"]
        table = next(block for block in blocks if block.get("columns", [""])[-1] == "SMD")
        return dict(zip(table["columns"], table["rows"][0], strict=True))

    usual, own = columns(), columns("--run", str(evaluated))
    assert columns("--split-set", "seed0", "--run", str(evaluated)) == usual != own
    assert columns("--split-set", "seed9") == own
    older = tmp_path / "older"
    older.mkdir()
    summary = json.loads((evaluated / "summary.json").read_text())
    assert summary.pop("split_sets") == ["seed9"]
    (older / "summary.json").write_text(json.dumps(summary))  # of an older release, which did not name the draw
    with closing(connect(db)) as connection:
        connection.execute("UPDATE run SET folder = ? WHERE folder = ?", (str(older), str(evaluated)))
    counts = Counter(row["split"] for row in read_csv(evaluated / "films.csv"))
    known = columns("--run", str(older))
    assert {split: known[split] for split in counts} == counts and known["all"] == own["all"]


def test_a_run_has_its_measurements_held_against_reference_and_exact_values(evaluated, tmp_path):
    assert analyze.main(["--run", str(evaluated), "--out", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a/report.md").read_text()
    for words in (
        "against the reference masks",
        "against the values the source states",
        "Cohen's kappa",
        "heart makes up",
        "ICC(2,1)",
    ):
        assert words in text, words
    pairs = read_csv(tmp_path / "a/figure-agreement-stated.csv")
    assert {row["measurement"] for row in pairs} == {"cardiothoracic_ratio", "heart_width_mm", "thorax_width_mm"}


def test_stored_masks_are_measured_where_asked(phantom_db, tmp_path):
    assert analyze.main(["--db", str(phantom_db), "--measure", "--likenesses", "--out", str(tmp_path / "a")]) == 0
    connection = connect(phantom_db)
    run = connection.execute("SELECT run_id FROM run WHERE folder = ?", (str(tmp_path / "a"),)).fetchone()[0]
    rows = connection.execute(
        "SELECT own.value, exact.value FROM measurement AS own JOIN measurement AS exact USING (image_id, name) "
        "WHERE own.run_id = ? AND exact.run_id IS NULL AND name = 'cardiothoracic_ratio'", (run,)
    ).fetchall()  # fmt: skip
    assert len(rows) > 25 and np.median([abs(a - b) for a, b in rows]) < 0.02
    assert len(list((tmp_path / "a/measured").glob("*.png"))) == DRAWN
    text = (tmp_path / "a/report.md").read_text()
    assert f"stored masks, run {run}" in text and "films compared" in text


def test_measure_where_there_is_nothing_to_measure_is_refused_before_anything_is_written(phantom_db, tmp_path):
    with pytest.raises(ValueError, match="--measure: no frontal chest film .* has a projection mask made by manual"):
        analyze.main(["--db", str(phantom_db), "--measure", "--convention", "projection", "--out", str(tmp_path / "a")])
    assert not (tmp_path / "a").exists()


def test_the_reference_of_a_run_is_not_shown_beside_the_same_masks_measured_now(evaluated, tmp_path):
    """The stored masks' values once stood in the table twice: as the evaluation's reference, and as measured now."""
    for flags, measurers in ((), 2), (("--measure",), 2):  # beside the source's own values
        assert analyze.main(["--run", str(evaluated), *flags, "--out", str(tmp_path / "a"), "--format", "json"]) == 0
        blocks = json.loads((tmp_path / "a/report.json").read_text())["blocks"]
        table = next(
            block
            for block in blocks
            if block.get("columns", [""])[0] == "measurement" and "taken by" in block["columns"]
        )
        by = {row[table["columns"].index("taken by")] for row in table["rows"]}
        assert len(by - {"source"}) == measurers, by


def test_every_table_and_figure_has_its_numbers_and_its_query_beside_it(phantom_db, tmp_path):
    analyze.main(["--db", str(phantom_db), "--by", "age_group", "--out", str(tmp_path / "a"), "--format", "json"])
    page = json.loads((tmp_path / "a/report.json").read_text())
    queries = {path.stem for path in (ROOT / "db/queries").glob("*.sql")}
    tables = [block for block in page["blocks"] if block["kind"] == "table"]
    pictures = [block for block in page["blocks"] if block["kind"] == "picture"]
    assert len(tables) > 8 and len(pictures) > 5 and not (tmp_path / "a/report.html").exists()
    for block in (*tables, *pictures):
        assert block["source"].removeprefix("db/queries/").removesuffix(".sql") in queries, block["source"]
    names = [path.name for path in (tmp_path / "a").glob("table-*.csv")]
    assert len(names) == len(tables) and {"table-patients-and-films.csv", "table-visits.csv"} <= set(names)
    written = sorted(len(read_csv(tmp_path / "a" / name)) for name in names)
    assert written == sorted(len(block["rows"]) for block in tables)
    for block in pictures:
        assert len(read_csv(tmp_path / f"a/figure-{block['name']}.csv")) == len(block["rows"]) and "data" not in block


def test_without_any_finding_a_sentence_stands_for_table_and_figure(phantom_db):
    with closing(connect(phantom_db)) as connection:
        analysis = Analysis(connection, PARAMETERS, "sex", False)
        rows = [{**row, "findings": None} for row in analysis.rows_of("cohort_images")]
        analysis.add_cohort(rows)
    at = analysis.page.blocks.index(Heading("Findings"))
    assert analysis.page.blocks[at + 1 : at + 3] == [
        Text("No finding is stated of any image."),
        Heading("What is missing"),
    ]


def test_what_cannot_be_is_listed_for_machines(phantom_db, tmp_path):
    analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "a"), "--format", "md"])
    rows = read_csv(tmp_path / "a/rows_to_look_at.csv")
    assert {"age_years"} <= {row["fact"] for row in rows} and list(rows[0]) == [
        "image_id",
        "source",
        "fact",
        "value",
        "why",
    ]
    ages = connect(phantom_db).execute(
        "SELECT count(*) FROM image JOIN study USING (study_id) WHERE patient_age_years NOT BETWEEN 0.1 AND 110"
    )
    assert sum(row["fact"] == "age_years" for row in rows) == ages.fetchone()[0]
    assert (tmp_path / "a/report.md").exists() and not (tmp_path / "a/report.html").exists()


def test_no_identifier_of_a_patient_is_in_the_cohort_report_unless_asked_for(phantom_db, tmp_path):
    ids = [row["patient_id"] for row in connect(phantom_db).execute("SELECT patient_id FROM patient")]

    def named(folder):
        texts = [path.read_text() for path in folder.iterdir() if path.suffix in (".html", ".md", ".csv")]
        return [name for name in ids if any(name in text or name.split(":")[1] in text for text in texts)]

    analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "a")])
    assert named(tmp_path / "a") == []
    analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "b"), "--show-ids"])
    assert named(tmp_path / "b")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "phantom,betta"), "--source betta: no such source; the database has phantom"),
        (
            ("--provenance", "manul"),
            "--provenance manul: no such provenance; wanted some of manual, landmark, phantom, model",
        ),
        (("--by", "split", "--split-set", "seed77"), "--split-set seed77: no such draw; the database has .*seed9"),
        (
            ("--by", "split"),
            "--by split: the usual draw is seed0: no such draw; the database has .*seed9.*: name one by",
        ),
        (("--split-set", "seed9"), "--split-set seed9 changes nothing without --by split"),
    ],
)
def test_names_that_mean_nothing_are_not_passed_over(trained, phantom_db, tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "a"), *words])
    assert not (tmp_path / "a").exists()


def test_a_wrong_group_names_the_known_ones(phantom_db, tmp_path):
    with pytest.raises(ValueError, match="--by shoe: no such column; known are .*sex"):
        analyze.main(["--db", str(phantom_db), "--by", "shoe", "--out", str(tmp_path / "a")])
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("column", ["patient_id", "study_id", "image_id", "study_date", "offset_days", "findings"])
def test_what_names_patients_groups_nothing_unless_names_are_asked_for(phantom_db, tmp_path, column):
    words = ["--db", str(phantom_db), "--by", column, "--out", str(tmp_path / "a"), "--format", "md"]
    with pytest.raises(ValueError, match=f"--by {column}: .* needs --show-ids; known are ") as refused:
        analyze.main(words)
    assert "_id" not in str(refused.value).split("known are")[1] and not (tmp_path / "a").exists()


def test_every_grouping_is_one_and_with_show_ids_patients_are_too(phantom_db):
    with closing(connect(phantom_db)) as connection:
        rows = Analysis(connection, PARAMETERS, "sex", False).rows_of("cohort_images")
    assert {*GROUPINGS, *NAMING} == {*rows[0], "finding"}
    for column in (*GROUPINGS, *NAMING):
        check_group(column, show_ids=True)
        group_rows(rows, column)


def test_an_evaluation_is_never_held_against_itself(trained, phantom_db, tmp_path, capsys):
    """With the default folders the second evaluation once lay over the first, and was then compared with it."""
    argv = ["--checkpoint", str(trained), "--precision", "float32"]
    first = trained / "evaluate-test"
    assert evaluate.main(argv) == 0
    before = (first / "scores.csv").read_bytes()
    assert evaluate.main([*argv, "--test-time-views", "--against", str(first)]) == 0
    assert (first / "scores.csv").read_bytes() == before != (trained / "evaluate-test-views/scores.csv").read_bytes()
    assert "+0.0000 [+0.0000, +0.0000] against" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="is the folder this evaluation writes to, .* name another --out"):
        evaluate.main([*argv, "--against", f"{trained}/../{trained.name}/evaluate-test"])
    with pytest.raises(ValueError, match="is the folder this evaluation writes to"):
        evaluate.main([*argv, "--out", str(first), "--against", str(first)])
    assert (first / "scores.csv").read_bytes() == before


def test_two_evaluations_are_compared_on_the_films_both_have(
    trained, evaluated, phantom_db, tmp_path, capsys, monkeypatch
):
    argv = [
        "--checkpoint",
        str(trained),
        "--out",
        str(tmp_path / "views"),
        "--precision",
        "float32",
        "--test-time-views",
    ]
    assert evaluate.main([*argv, "--against", str(evaluated)]) == 0
    spread = "SELECT count(*), count(spread) FROM measurement JOIN run USING (run_id) WHERE command = 'evaluate' AND folder = ?"
    values, with_spread = connect(phantom_db).execute(spread, (str(tmp_path / "views"),)).fetchone()
    assert 0 < with_spread <= values
    summary = json.loads((tmp_path / "views/summary.json").read_text())
    before = {(row["file"], row["structure"]): float(row["dice"]) for row in scores(evaluated)}
    pairs = [
        (float(row["dice"]), before[row["file"], "heart"])
        for row in scores(tmp_path / "views")
        if row["structure"] == "heart"
    ]
    part = summary["against"]["heart"]
    assert part["films"] == len(pairs) and 0 < part["p"] <= 1
    assert part["value"] == pytest.approx(np.mean([new - old for new, old in pairs]))
    printed = capsys.readouterr().out
    assert "against" in printed and "Against another evaluation" in (tmp_path / "views/report.md").read_text()
    seen = json.loads((evaluated / "summary.json").read_text())["trained_on"]
    assert seen and f"{evaluated} had learnt from, or was chosen by, {seen} films that it scored" in printed
    with pytest.raises(FileNotFoundError, match="no scores.csv there"):
        evaluate.main([*argv, "--against", str(tmp_path)])
    monkeypatch.setattr(
        evaluate, "score_all", None
    )  # refused before any film is scored: without masks nothing compares
    with pytest.raises(ValueError, match="no film of this evaluation is in its scores.csv"):
        evaluate.main([*argv, "--query", "every_image", "--split", "all", "--against", str(evaluated)])


def test_values_that_cannot_be_are_listed_and_left_out_of_the_measurements(phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "odd.sqlite")
    own = "name = 'cardiothoracic_ratio' AND run_id IS NULL"
    with closing(connect(db)) as copy, copy:
        whole = copy.execute(f"SELECT count(*) FROM measurement WHERE {own}").fetchone()[0]
        copy.execute(
            f"UPDATE measurement SET value = 1.7 WHERE {own} AND image_id = (SELECT min(image_id) FROM measurement WHERE {own})"
        )
    analyze.main(["--db", str(db), "--out", str(tmp_path / "out"), "--format", "json"])
    odd = read_csv(tmp_path / "out/rows_to_look_at.csv")
    assert [(row["fact"], row["value"]) for row in odd if row["value"] == "1.7"] == [("cardiothoracic_ratio", "1.7")]
    blocks = json.loads((tmp_path / "out/report.json").read_text())["blocks"]
    table = next(block for block in blocks if block.get("columns", [""])[0] == "measurement")
    row = next(row for row in table["rows"] if row[0] == "cardiothoracic_ratio" and row[2] == "source")
    assert row[3] == whole - 1 and row[-1] < 1


def test_masks_of_an_earlier_evaluation_do_not_stay_beside_other_scores(trained, tmp_path):
    def call(split, *more):
        own = ["--checkpoint", str(trained), "--precision", "float32", "--split", split, "--out", str(tmp_path / "out")]
        assert evaluate.main([*own, *more]) == 0
        masks = {path.stem for path in (tmp_path / "out/masks/heart").glob("*.png")}
        return masks, {Path(row["file"]).stem for row in read_csv(tmp_path / "out/films.csv")}

    (tmp_path / "out/masks/heart").mkdir(parents=True)
    (tmp_path / "out/masks/heart/mine.png").write_bytes(b"not written by an evaluation")
    masks, val = call("val", "--save-masks")
    assert masks == val | {"mine"}
    masks, test = call("test", "--save-masks")
    assert masks == test | {"mine"} and not test & val
    assert call("test")[0] == {"mine"}


def test_what_a_network_measures_is_no_odd_fact_of_a_film(trained, evaluated, phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "odd.sqlite")
    with closing(connect(db)) as copy, copy:
        for command in ("evaluate", "analyze"):
            run = copy.execute(
                "INSERT INTO run (command, folder, config, started_at, status) VALUES (?, '/x', '{}', 't', 'finished')",
                (command,),
            ).lastrowid
            copy.execute(
                "INSERT INTO measurement (image_id, run_id, name, value, unit) "
                "SELECT min(image_id), ?, 'cardiothoracic_ratio', 1.5, 'ratio' FROM image",
                (run,),
            )
    analyze.main(["--db", str(db), "--out", str(tmp_path / "out")])
    odd = [row for row in read_csv(tmp_path / "out/rows_to_look_at.csv") if row["value"] == "1.5"]
    assert len(odd) == 1  # of the stored masks, which --measure measures


def test_films_that_are_there_twice_and_films_that_cannot_be_read_are_listed_with_their_patients(tmp_path, capsys):
    folder = tmp_path / "films"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 255, (40, 30)).astype(np.uint8)).save(folder / f"{name}.png")
    shutil.copy(folder / "a.png", folder / "again.png")
    rows = (("a", "p1"), ("b", "p2"), ("c", "p3"), ("again", "p4"))
    rows = (*rows, ("b", "p2"))  # a further row of one file, as one for each mask, is nothing to look at
    (folder / "manifest.csv").write_text(
        "file,patient_id\n" + "".join(f"{file}.png,{patient}\n" for file, patient in rows)
    )
    assert ingest.main(["manifest", str(folder), "--db", str(tmp_path / "db")]) == 0
    (folder / "c.png").unlink()
    words = ["--db", str(tmp_path / "db"), "--likenesses", "--show-ids", "--out", str(tmp_path / "out")]
    capsys.readouterr()
    assert analyze.main(words) == 1
    assert "1 film could not be read: see " in capsys.readouterr().out
    listed = read_csv(tmp_path / "out/rows_to_look_at.csv")
    odd = {row["fact"]: row for row in listed}
    assert [row["fact"] for row in listed].count("duplicate") == 1
    assert "1 are further rows of one file" in (tmp_path / "out/report.md").read_text().replace("\n", " ")
    twice, unread = odd["duplicate"], odd["unreadable"]
    assert (twice["file"], twice["patient_id"]) == ("again.png", "films:p1")  # the ids are one person
    assert twice["why"] == "same bytes as image 1 of the same person, left out"
    assert (unread["file"], unread["patient_id"], unread["value"]) == ("c.png", "films:p3", "")
    assert "no such file" in unread["why"]


def test_what_a_network_measures_later_does_not_take_the_place_of_the_stored_masks(phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    assert analyze.main(["--db", str(db), "--measure", "--out", str(tmp_path / "a")]) == 0
    with closing(connect(db)) as copy, copy:
        copy.execute(
            "INSERT INTO run (command, folder, config, started_at, status) VALUES ('predict', '/x', '{}', 't', 'finished')"
        )
        copy.execute(
            "INSERT INTO measurement (image_id, run_id, name, value, unit) "
            "SELECT image_id, (SELECT max(run_id) FROM run), 'cardiothoracic_ratio', 0.4, 'ratio' FROM image"
        )
    assert analyze.main(["--db", str(db), "--out", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a/report.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any("stored masks, run" in row for row in rows) and not any("network, run" in row for row in rows)
    assert "Measured too, and not shown here: network, run" in text


def test_the_newest_folds_are_pooled_as_when_their_folder_is_named(trained, tmp_path, monkeypatch):
    (tmp_path / "runs/cross/fold1").mkdir(parents=True)
    checkpoint = load_checkpoint(trained / "best.pt")
    checkpoint.training.update(folds=1, fold=1)
    with open(tmp_path / "runs/cross/fold1/best.pt", "wb") as file:
        save_checkpoint(file, checkpoint)
    monkeypatch.setattr(evaluate, "RUNS", tmp_path / "runs")
    assert evaluate.main(["--precision", "float32"]) == 0
    assert (tmp_path / "runs/cross/evaluate-test/summary.json").is_file()
    checkpoint.training.update(folds=2)
    with open(tmp_path / "runs/cross/fold1/best.pt", "wb") as file:
        save_checkpoint(file, checkpoint)
    with pytest.raises(ValueError, match="fold 2 is not trained to its end"):
        evaluate.main(["--precision", "float32"])


def test_one_fold_can_be_evaluated_from_within_its_folder(trained, tmp_path, monkeypatch):
    checkpoint = load_checkpoint(trained / "best.pt")
    checkpoint.training.update(folds=5, fold=2)
    with open(tmp_path / "best.pt", "wb") as file:
        save_checkpoint(file, checkpoint)
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(["--checkpoint", ".", "--db", checkpoint.training["db"], "--precision", "float32"]) == 0
    assert (tmp_path / "evaluate-test/summary.json").is_file()


def test_files_of_other_programs_are_named_not_stumbled_over(tmp_path):
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(ValueError, match="summary.json: not written by evaluate.py"):
        analyze.main(["--run", str(tmp_path)])
    (tmp_path / "scores.csv").write_text("source;file;structure;dice\n")
    with pytest.raises(ValueError, match="scores.csv: no column source, file, structure, dice"):
        read_other(tmp_path, tmp_path / "out", [])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="its config.json is not that of a training"):
        train.main(["--resume", str(tmp_path)])


def test_a_page_in_another_format_takes_the_place_of_the_one_before(phantom_db, tmp_path):
    out = tmp_path / "out"
    analyze.main(["--db", str(phantom_db), "--out", str(out), "--measure"])
    (out / "report_files/mine.txt").touch()
    assert (out / "report.html").exists() and list((out / "measured").glob("*.png"))
    analyze.main(["--db", str(phantom_db), "--out", str(out), "--format", "json", "--by", "view"])
    assert {path.name for path in out.glob("report*")} == {"report.json", "report_files"}
    assert [path.name for path in (out / "report_files").iterdir()] == ["mine.txt"] and not list(
        (out / "measured").glob("*.png")
    )
    assert json.loads((out / "settings.json").read_text())["settings"]["by"] == "view"


def test_an_analysis_of_an_evaluation_takes_the_place_of_one_without(evaluated, phantom_db, tmp_path):
    analyze.main(["--db", str(phantom_db), "--out", str(tmp_path / "a")])
    analyze.main(["--run", str(evaluated), "--out", str(tmp_path / "a"), "--format", "json"])
    assert {path.name for path in (tmp_path / "a").glob("report*.*")} == {"report.json"}


def test_a_folder_without_a_finished_evaluation_says_how_the_latest_ended(fresh_db, tmp_path):
    with pytest.raises(ValueError, match="no finished evaluation with this folder; run evaluate.py"):
        analyze.evaluation_of(fresh_db, tmp_path)
    finish_run(fresh_db, start_run(fresh_db, "evaluate", tmp_path, {}), "interrupted")
    with pytest.raises(ValueError, match="with this folder, the latest is interrupted; run evaluate.py"):
        analyze.evaluation_of(fresh_db, tmp_path)


@pytest.mark.parametrize("command", [evaluate, analyze])
def test_results_that_another_call_is_writing_are_left_alone(command, trained, phantom_db, tmp_path):
    argv = ["--checkpoint", str(trained)] if command is evaluate else []
    with (
        sole_writer(tmp_path / "out"),
        pytest.raises(ValueError, match="out: another call is writing there; wait for its end"),
    ):
        command.main([*argv, "--db", str(phantom_db), "--out", str(tmp_path / "out")])
    with closing(connect(phantom_db)) as connection:
        assert find_run(connection, command.__name__, tmp_path / "out")["status"] == "failed"


def test_a_stopped_evaluation_leaves_the_masks_of_the_one_before_as_they_were(trained, tmp_path, monkeypatch):
    def masks():
        return {str(path): path.read_bytes() for path in (tmp_path / "out/masks").rglob("*.png")}

    argv = ["--checkpoint", str(trained), "--precision", "float32", "--out", str(tmp_path / "out"), "--save-masks"]
    assert evaluate.main(argv) == 0
    before = masks()

    def stopped(members, wanted, score_all=evaluate.score_all):
        score_all(members, wanted)
        assert list(wanted.mask_folder.rglob("*.png"))
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "score_all", stopped)
    with pytest.raises(KeyboardInterrupt):
        evaluate.main([*argv, "--test-time-views"])
    assert masks() == before and not (tmp_path / "out/.masks").exists()


def test_stated_values_that_cannot_be_are_compared_with_nothing(evaluated, phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "slip.sqlite")

    def stated(out):
        assert analyze.main(["--db", str(db), "--run", str(evaluated), "--out", str(tmp_path / out)]) == 0
        rows = read_csv(tmp_path / out / "figure-agreement-stated.csv")
        return [float(row["stated"]) for row in rows if row["measurement"] == "cardiothoracic_ratio"]

    whole = stated("before")
    with closing(connect(db)) as connection:
        connection.execute(
            "UPDATE measurement SET value = 55 WHERE name = 'cardiothoracic_ratio' AND run_id IS NULL AND image_id = "
            "(SELECT min(image_id) FROM score WHERE structure = 'heart' AND image_id IN (SELECT image_id FROM measurement "
            "WHERE name = 'cardiothoracic_ratio' AND run_id IS NULL))"
        )
    kept = stated("after")
    assert len(kept) == len(whole) - 1 and max(kept) < 1


def test_what_is_asked_for_by_name_is_checked_first(trained, tmp_path, phantom_db, copy_of):
    db = copy_of(phantom_db, tmp_path / "undrawn.sqlite")
    with closing(connect(db)) as connection:
        connection.execute("DELETE FROM split")
    with pytest.raises(ValueError, match="--source nosuch: no such source"):
        evaluate.main(["--checkpoint", str(trained), "--db", str(db), "--source", "nosuch"])
