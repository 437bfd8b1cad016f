"""The counts of a data set in MIMIC-CXR's layout, against reports written here."""

import pytest

from proposal import cohort
from proposal.cohort import cohort_lines, count_studies
from proposal.invented import write_invented
from proposal.studies import METADATA_FILE, Study, read_studies

FINDINGS = " FINDINGS: {}\n\n IMPRESSION: Nothing.\n"


def study(tmp_path, number, text, views=("PA",), patient="10000001", split="train"):
    report = tmp_path / f"s{number}.txt"
    if text is not None:
        report.write_text(FINDINGS.format(text))
    return Study(patient, str(number), split, ("21800101", float(number)), views, report)


def test_what_is_counted(tmp_path):
    studies = [
        study(tmp_path, 1, "The lungs are clear."),
        study(tmp_path, 2, "Unchanged fluid on the left.", ("AP", "LATERAL")),
        study(tmp_path, 3, "Clear lungs both sides. Dr. ___ was told.", ("LATERAL",)),
        study(tmp_path, 4, "", ("LL",), patient="10000002"),
        study(tmp_path, 5, None, patient="10000003"),
    ]
    assert count_studies(studies) == {
        "patients": 3,
        "studies": 5,
        "patients with a PA film": 2,
        "studies with a frontal film": 3,
        "report missing": 1,
        "usable": 3,
        "findings section is empty": 1,
        "usable, with a word of comparison": 1,
        "usable, with a mark of de-identification": 1,
        "usable, with who was told": 1,
        "usable, with 3 words or more left for stage A": 2,
    }


def test_one_column_per_split_and_who_crosses(tmp_path):
    studies = [study(tmp_path, 1, "Clear."), study(tmp_path, 2, "", split="test")]
    lines = cohort_lines(studies)
    assert lines[0] == "| | train | validate | test |"
    assert "| studies | 1 | 0 | 1 |" in lines
    assert "| findings section is empty | 0 | 0 | 1 |" in lines
    assert lines[-1] == "Patients in more than one split: 1"


def test_the_command_invents_a_data_set_and_counts_it(tmp_path, capsys):
    assert cohort.main([str(tmp_path / "new"), "--invent", "12"]) == 0
    printed = capsys.readouterr().out
    own = read_studies(tmp_path / "new")
    per_split = [sum(study.split == split for study in own) for split in cohort.SPLITS]
    assert "| studies | {} | {} | {} |".format(*per_split) in printed
    assert printed.endswith("Patients in more than one split: 0\n")


def test_a_folder_that_is_no_data_set_or_holds_one_is_refused(tmp_path):
    write_invented(tmp_path, patients=1)
    with pytest.raises(ValueError, match="is not empty"):
        cohort.main([str(tmp_path), "--invent", "1"])
    (tmp_path / METADATA_FILE).unlink()
    with pytest.raises(FileNotFoundError, match=f"holds no {METADATA_FILE}"):
        cohort.main([str(tmp_path)])
    with pytest.raises(ValueError, match="name one folder"):
        cohort.main([])
    with pytest.raises(ValueError, match="--invent 0: wanted 1 patient or more"):
        cohort.main([str(tmp_path / "new"), "--invent", "0"])
