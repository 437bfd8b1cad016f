import csv

import pytest

from report.run_folder import read_facts, write_csv


def test_cells_with_any_line_break_comma_or_quote_are_read_back_as_they_were(tmp_path):
    rows = [["a\rb", 1, None], ["c\nd", 2.5, ""], ['e"f,g', None, "\r"], ["plain", 3, "x"]]
    write_csv(tmp_path / "t.csv", ("name", "count", "rest"), rows)
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))
    assert read == [["name", "count", "rest"], *[["" if cell is None else str(cell) for cell in row] for row in rows]]
    assert (tmp_path / "t.csv").read_bytes().endswith(b"plain,3,x\n"), "what needs no quotes has none"


@pytest.mark.parametrize(("text", "said"), [("{", "cut off or not written"), ("[1]", "holds list, wanted an object")])
def test_a_broken_file_of_a_run_is_named(tmp_path, text, said):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=f"config.json: .*{said}"):
        read_facts(tmp_path)
