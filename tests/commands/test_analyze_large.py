"""analyze.py on the synthetic database of its benchmark, small."""

import csv

import analyze
from benchmarks.analyze import fill


def test_an_effect_that_was_put_in_is_found_and_gaps_are_counted(tmp_path):
    db = tmp_path / "synthetic.sqlite"
    fill(db, 1500)
    assert analyze.main(["--db", str(db), "--out", str(tmp_path / "report"), "--format", "md"]) == 0
    text = (tmp_path / "report/report.md").read_text()
    view = next(line for line in text.splitlines() if line.startswith("| AP, not PA |"))
    estimate, low, high = (float(part.strip("[],")) for part in view.split("|")[2].split())
    assert low < 0.03 < high and estimate > 0.02  # the AP films' hearts were drawn 0.03 larger
    missing = next(table for table in map(rows, (tmp_path / "report").glob("table*.csv")) if table[0][0] == "fact")
    assert {line[0]: line[1] for line in missing}["age"] == str(1500 // 9)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
