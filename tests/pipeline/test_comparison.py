"""The table of a paired comparison."""

from pathlib import Path

from pipeline.comparison import comparison_table
from unet.summary import compare_paired


def test_an_interval_of_few_patients_is_no_interval():
    bounds = {}
    for patients in (9, 10):
        comparison = compare_paired([0.9] * patients, [0.8] * patients, [str(number) for number in range(patients)])
        bounds[patients] = comparison_table({"lungs": comparison}, Path("other")).rows[0][3]
    assert bounds == {9: None, 10: "+0.1000 to +0.1000"}
