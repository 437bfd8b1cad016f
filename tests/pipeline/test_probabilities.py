"""Sums of one film's probabilities, near its border and elsewhere, before and after the temperature."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data.resize import letterbox_of
from pipeline.probabilities import film_probabilities, summarise_calibration

SIDE = 128


def test_each_calibration_is_of_its_own_pixels_and_its_own_probabilities():
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(1, 3, SIDE, SIDE, generator=generator)
    truth = np.zeros((SIDE, SIDE), bool)
    truth[:, 64:] = True
    predictor = SimpleNamespace(calibrated=lambda planes: planes / torch.tensor([1.0, 1.0, 2.5])[:, None, None])
    box = letterbox_of(torch.ones(SIDE, SIDE), SIDE)
    film = film_probabilities(predictor, logits, box, {"heart": truth})
    found = summarise_calibration([film, film])["heart"]
    near = np.zeros_like(truth)
    near[:, 62:67] = True  # two pixels around the border's column, and at the frame, which is border too
    near[[0, 1, 2, -3, -2, -1], 62:] = True
    near[:, -3:] = True
    for place, where in (("near", near), ("far", ~near)):
        for time, heat in (("before", 1.0), ("after", 2.5)):
            z = logits[0, 2].numpy()[where] / heat
            assert found[place][time]["pixels"] == 2 * where.sum()
            loss = np.mean(np.logaddexp(0, np.where(truth[where], -z, z)))
            assert found[place][time]["nll"] == pytest.approx(loss, rel=1e-3), (place, time)
