import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from data.dataset import Preprocessing
from pipeline.predictor import Predictor
from unet import export
from unet.checkpoint import Checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig


def write_checkpoint(path, **preparation):
    torch.manual_seed(0)
    config = UNetConfig(base=4, depth=2)
    model = UNet(config)
    for module in model.modules():
        if isinstance(
            module, torch.nn.BatchNorm2d
        ):  # statistics that no film has moved would hide a mistake in the scale
            module.running_mean.normal_()
    names = ["right_lung", "left_lung", "heart"]
    checkpoint = Checkpoint(
        model=config, weights=model.state_dict(), preprocessing=asdict(Preprocessing(size=48, **preparation)), training={},
        structures=names, temperature={"heart": 1.7}, threshold={"heart": 0.4},
    )  # fmt: skip
    with open(path, "wb") as file:
        save_checkpoint(file, checkpoint)
    return path


def films():
    rng = np.random.default_rng(3)
    yield rng.random((130, 40)).astype(np.float32)
    bordered = np.zeros((77, 210), np.float32)
    bordered[5:60, 100:180] = 0.2 + 0.5 * rng.random((55, 80))
    yield bordered
    yield np.where(np.pad(np.ones((60, 50), bool), 25), np.pad(rng.random((60, 50)), 25), 0.7).astype(np.float32)


@pytest.mark.parametrize("preparation", [{}, {"crop": False}, {"intensity": "none"}])
def test_the_chain_of_tensor_operations_says_what_the_library_says(tmp_path, preparation):
    predictor = Predictor(write_checkpoint(tmp_path / "best.pt", **preparation), "cpu", "float32")
    module = export.film_module(predictor)
    for film in [*films(), *export.check_films()]:
        assert export.largest_difference(module, predictor, film) < export.TOLERANCE
    probabilities = predictor.probabilities(next(films()))
    assert probabilities.std() > 0.01  # something to differ in


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_is_written_is_read_back_and_says_the_same_on_films_of_other_sizes(tmp_path, capsys):
    path = write_checkpoint(tmp_path / "best.pt")
    out = tmp_path / "out"
    assert export.main(["--checkpoint", str(path), "--out", str(out), "--formats", "torch-export,torchscript"]) == 0
    assert {file.name for file in out.iterdir()} == {"network.pt2", "network.ts", "network.json"}
    assert "differs from the library by" in capsys.readouterr().out
    predictor = Predictor(path, "cpu", "float32")
    for loaded in (torch.export.load(out / "network.pt2").module(), torch.jit.load(str(out / "network.ts"))):
        for film in films():
            assert export.largest_difference(loaded, predictor, film) < export.TOLERANCE
            assert loaded(torch.from_numpy(film)).numpy().shape == (3, *film.shape), "outside of no_grad too"
        assert list(loaded.parameters()) and not any(part.requires_grad for part in loaded.parameters())


def test_onnx_says_the_same(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = write_checkpoint(tmp_path / "best.pt")
    assert export.main(["--checkpoint", str(path), "--out", str(tmp_path), "--formats", "onnx"]) == 0
    session = onnxruntime.InferenceSession((tmp_path / "network.onnx").read_bytes())
    predictor = Predictor(path, "cpu", "float32")
    for film in films():
        assert np.abs(session.run(None, {"film": film})[0] - predictor.probabilities(film)).max() < export.TOLERANCE


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(("number", "format"), [(0, "torch-export,torchscript"), (1, "onnx")])
def test_the_lines_of_the_documentation_use_the_exported_network(tmp_path, monkeypatch, number, format):
    if format == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    path = write_checkpoint(tmp_path / "best.pt")
    assert export.main(["--checkpoint", str(path), "--out", str(tmp_path / "exported"), "--formats", format]) == 0
    page = (Path(__file__).parent.parent.parent / "docs/results-files.md").read_text(encoding="utf-8")
    section = page.partition("## `python -m unet.export`")[2].partition("\n## ")[0]
    lines = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[number]
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(lines, found)
    assert np.abs(np.asarray(found["probability"]) - Predictor(path, "cpu").probabilities(found["film"])).max() < 1e-4


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path, monkeypatch):
    path = write_checkpoint(tmp_path / "clahe.pt", intensity="clahe")
    with pytest.raises(ValueError, match="prepared by --intensity clahe, .* cannot be exported; train with percentile"):
        export.main(["--checkpoint", str(path), "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match="'tflite': wanted some of torch-export, torchscript, onnx"):
        export.main(["--checkpoint", str(path), "--out", str(tmp_path / "out"), "--formats", "tflite"])
    for one, said in ((float("nan"), "nan"), (1.2e-4, "1.2e-04, more than 1e-04")):
        differences = iter([0.0, one, *[0.0] * (len(export.check_films()) - 2)])
        with monkeypatch.context() as patch, pytest.raises(ValueError, match=f"torchscript: .* differ .* by {said}"):
            patch.setattr(export, "largest_difference", lambda *_, given=differences: next(given))
            plain = write_checkpoint(tmp_path / "plain.pt")
            export.main(["--checkpoint", str(plain), "--out", str(tmp_path / "out"), "--formats", "torchscript"])
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    path = write_checkpoint(tmp_path / "best.pt")
    with pytest.raises(
        ValueError, match="torchscript: probabilities differ from the library's by .*; nothing was written"
    ):
        export.main(["--checkpoint", str(path), "--out", str(tmp_path / "out"), "--formats", "torchscript"])
    assert not list((tmp_path / "out").iterdir())


def test_a_file_of_an_earlier_export_is_said_to_be_one(tmp_path, capsys):
    path, out = write_checkpoint(tmp_path / "best.pt"), tmp_path / "out"
    out.mkdir()
    (out / "network.pt2").write_bytes(b"another network")
    assert export.main(["--checkpoint", str(path), "--out", str(out), "--formats", "torchscript"]) == 0
    assert (
        f"{out / 'network.pt2'}: as it was before this call; network.json says nothing of it" in capsys.readouterr().out
    )
