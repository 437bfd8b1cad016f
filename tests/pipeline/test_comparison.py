"""The table of a paired comparison."""

from pathlib import Path

from pipeline.comparison import comparison_table
from unet.summary import compare_paired


def test_an_interval_of_one_patient_is_no_interval():
    table = comparison_table({"lungs": compare_paired([0.9, 0.8], [0.8, 0.8], ["a", "a"])}, Path("other"))
    assert table.rows[0][3] is None
    table = comparison_table({"lungs": compare_paired([0.9, 0.8], [0.8, 0.7], ["a", "b"])}, Path("other"))
    assert table.rows[0][3] == "+0.1000 to +0.1000"
