"""The invented data set: folders, columns, order in time, and no patient in two splits."""

import csv
import gzip
import re

from proposal.invented import (
    LAYOUTS,
    METADATA_COLUMNS,
    SPLIT_COLUMNS,
    write_invented,
)
from proposal.sections import findings_target
from proposal.splits import crossing_patients
from proposal.studies import METADATA_FILE, SPLIT_FILE, read_studies


def test_folders_and_columns(tmp_path):
    layouts = write_invented(tmp_path, patients=12)
    assert set(layouts) == set(LAYOUTS)
    reports = sorted(tmp_path.rglob("*.txt"))
    assert len(reports) == len(layouts)
    for path in reports:
        pattern = r"files/p(1\d)/p\1\d{6}/s5\d{7}\.txt"
        assert re.fullmatch(pattern, path.relative_to(tmp_path).as_posix())
    for file, columns in ((METADATA_FILE, METADATA_COLUMNS), (SPLIT_FILE, SPLIT_COLUMNS)):
        with gzip.open(tmp_path / file, "rt") as table:
            assert tuple(next(csv.reader(table))) == columns


def test_studies_come_in_order_of_time_not_of_ids(tmp_path):
    write_invented(tmp_path, patients=12)
    studies = read_studies(tmp_path)
    by_patient = {}
    for study in studies:
        by_patient.setdefault(study.subject_id, []).append(study)
    for own in by_patient.values():
        assert [study.date_time for study in own] == sorted(study.date_time for study in own)
    ids_in_order = all([s.study_id for s in own] == sorted(s.study_id for s in own) for own in by_patient.values())
    assert not ids_in_order  # or the test above would pass with ids, too


def test_splits_hold_whole_patients_and_reports_are_found(tmp_path):
    write_invented(tmp_path, patients=12)
    studies = read_studies(tmp_path)
    assert crossing_patients([study.split for study in studies], [study.subject_id for study in studies]) == set()
    assert {study.split for study in studies} == {"train", "validate", "test"}
    assert any(findings_target(study.report.read_text()).text for study in studies)


def test_same_seed_same_files(tmp_path):
    write_invented(tmp_path / "a", patients=3, seed=5)
    write_invented(tmp_path / "b", patients=3, seed=5)
    first, second = ([study.study_id for study in read_studies(tmp_path / name)] for name in "ab")
    assert first == second
