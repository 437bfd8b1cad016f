"""The figures can be drawn, say the same twice, and are the ones that the text shows."""

import re

from proposal.figures import main
from proposal.numbers import TEXT


def test_figures_are_those_of_the_text_and_the_same_each_time(tmp_path):
    for folder in ("first", "second"):
        assert main(["--out", str(tmp_path / folder)]) == 0
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    shown = {path.split("/")[-1] for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT.read_text(encoding="utf-8"))}
    assert set(drawn) == shown
    assert drawn == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
