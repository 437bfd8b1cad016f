"""The README is kept true: its commands and flags exist, its files are there, its limits are said."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analyze
import evaluate
import predict
import train
from data import ingest
from data.sources import READERS
from unet import export

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = {
    "train.py": train.TrainConfig,
    "evaluate.py": evaluate.EvaluateConfig,
    "analyze.py": analyze.AnalyzeConfig,
    "predict.py": predict.PredictConfig,
    "data.ingest": ingest.IngestConfig,
    "unet.export": export.ExportConfig,
}
COMMANDS = re.findall(
    r"python (?:-m )?(train\.py|evaluate\.py|analyze\.py|predict\.py|data\.ingest|unet\.export)([^#\n`]*)", README
)


def flags_of(config_class):
    return {"--" + field.name.replace("_", "-") for field in dataclasses.fields(config_class)} | {
        "--config",
        "--help",
        "--debug",
    }


def test_the_readme_shows_every_command():
    assert {command for command, _ in COMMANDS} == set(SETTINGS)


@pytest.mark.parametrize(("command", "rest"), COMMANDS)
def test_every_flag_in_the_readme_exists(command, rest):
    used = set(re.findall(r"--[a-z][a-z-]*", rest))
    assert used <= flags_of(SETTINGS[command]), f"{command}{rest}"


@pytest.mark.parametrize("main", [train.main, evaluate.main, analyze.main, predict.main, ingest.main, export.main])
def test_every_command_explains_itself(main, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "default" in text and "--config FILE.toml" in text


def test_files_and_folders_that_are_named_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    tree = README[README.index("## Where things are") : README.index("Notation:")]
    for name in re.findall(r"^    (\w+)/", tree, re.MULTILINE):
        assert (ROOT / name).is_dir(), name
    for path in ROOT.iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"    {path.name}/" in tree, f"{path.name}/ is not in the README's tree"


def test_every_reader_is_named_and_the_limits_are_said():
    formats = (ROOT / "docs/data-formats.md").read_text(encoding="utf-8")
    assert all(f"`{reader}`" in formats for reader in (*READERS, "phantom"))
    assert "not a medical device" in README and "For research" in README


def test_requirements_are_exactly_the_seven():
    lines = (ROOT / "requirements.txt").read_text().split()
    assert lines == ["torch==2.13.0", "numpy", "pillow", "pandas", "matplotlib", "pytest", "hypothesis"]


def test_its_python_lines_run(network, tmp_path, monkeypatch):
    (lines,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for name in ("runs/own/best.pt", "my/films/images/001.png"):
        assert name in lines
        (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / "runs/own/best.pt").write_bytes(network.read_bytes())
    Image.fromarray(np.linspace(0, 255, 60 * 50).reshape(60, 50).astype(np.uint8)).save(
        tmp_path / "my/films/images/001.png"
    )
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(lines, found)  # our own README
    assert list(found["masks"]) == ["right_lung", "left_lung", "heart"]
    assert all(mask.dtype == bool and mask.shape == (60, 50) for mask in found["masks"].values())
    assert isinstance(found["values"], tuple)
