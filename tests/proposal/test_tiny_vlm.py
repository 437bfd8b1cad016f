"""The tiny model and what each method of adaptation may touch."""

import pytest
import torch

from proposal.adaptation import METHODS, Batch, adapt, prepare, pretrain, tokens_of, trained_share
from proposal.tiny_vlm import TinyConfig, TinyVLM, contrastive_loss
from proposal.wording import LEFT, NONE, RIGHT, STYLES, Truth, encode

TRUTHS = [Truth(0.4 + 0.02 * n, (NONE, RIGHT, LEFT)[n % 3], (NONE, LEFT)[n % 2]) for n in range(8)]


@pytest.fixture(scope="module")
def base():
    torch.manual_seed(0)
    return TinyVLM(TinyConfig(width=16, heads=2, encoder_layers=1, tower_layers=1)).eval()


@pytest.fixture
def batch():
    images = torch.rand(8, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    return Batch(images, encode(["indication routine"] * 8), encode([STYLES["second"](truth) for truth in TRUTHS]))


def places(model, batch):
    with torch.no_grad():
        return model.film_places(tokens_of(model, batch.images), batch.indications)


def test_places_have_unit_length(base, batch):
    assert torch.allclose(places(base, batch).norm(dim=1), torch.ones(8), atol=1e-5)
    assert torch.allclose(base.text_places(batch.sentences).norm(dim=1), torch.ones(8), atol=1e-5)


def test_words_behind_the_end_change_nothing(base, batch):
    alone, among = base.text_places(batch.sentences[:1]), base.text_places(batch.sentences)[:1]
    assert torch.allclose(alone, among, atol=1e-5)


def test_loss_is_least_where_films_lie_on_their_sentences():
    class Places:
        log_sharpness = torch.tensor(3.0)

        def __init__(self, films):
            self.films = films

        def film_places(self, tokens, indications):
            return self.films

        def text_places(self, sentences):
            return torch.eye(3)

    words = torch.tensor([[1], [2], [3]])
    right, wrong = (
        contrastive_loss(Places(films), None, None, words) for films in (torch.eye(3), torch.eye(3)[[1, 2, 0]])
    )
    assert right < 1e-7 + 0.0001 and wrong > 10


def test_equal_sentences_count_as_right_answers_alike(base, batch):
    twice = Batch(batch.images, batch.indications, batch.sentences[[0, 0, 1, 1, 2, 2, 3, 3]])
    model = TinyVLM(TinyConfig(width=16, heads=2)).eval()
    tokens = tokens_of(model, twice.images)
    films = model.film_places(tokens, twice.indications)
    text = model.text_places(twice.sentences)
    logits = films @ text.T * model.log_sharpness.exp()
    by_hand = 0.0
    for table in (logits, logits.T):
        log_p = table.log_softmax(dim=1)
        by_hand -= sum((log_p[n, 2 * (n // 2)] + log_p[n, 2 * (n // 2) + 1]) / 2 for n in range(8)) / 8
    loss = contrastive_loss(model, tokens, twice.indications, twice.sentences)
    assert loss.item() == pytest.approx(by_hand.item() / 2, rel=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_starts_as_the_base_and_moves_only_what_it_may(base, batch, method):
    method = method.__class__(method.name, method.rate, min(method.rank, 4), min(method.vision_rank, 4), method.full)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    assert torch.allclose(places(prepare(base, method), batch), places(base, batch), atol=1e-6)
    adapted = adapt(base, method, batch, steps=3, seed=0)
    moved = {
        name.split(".")[0] for name, value in adapted.state_dict().items()
        if name in before and not torch.equal(value, before[name])
    }  # fmt: skip
    new = {name.split(".")[0] for name in adapted.state_dict() if name not in before}
    assert "projector" in moved
    assert ("encoder" in moved) == method.full and ("tower" in moved) == method.full
    assert ("tower" in new) == bool(method.rank) and ("encoder" in new) == bool(method.vision_rank)
    assert all(
        torch.equal(value, before[name]) for name, value in base.state_dict().items()
    )  # the base is a copy's source


def test_shares_are_ordered(base):
    shares = [trained_share(base, method.__class__(method.name, 0.1, method.rank and 4, method.vision_rank and 4, method.full))
              for method in METHODS]  # fmt: skip
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_a_blind_twin_gives_the_same_answer_to_every_image(base, batch):
    blind = adapt(base, METHODS[0], batch, steps=2, seed=0, blind=True)
    assert tokens_of(blind, batch.images, blind=True).abs().sum() == 0
    with torch.no_grad():
        answers = blind.film_places(tokens_of(blind, batch.images, blind=True), batch.indications)
    assert torch.allclose(answers, answers[:1].expand(8, -1), atol=1e-6)


def test_training_lowers_the_loss(batch):
    images = torch.zeros(8, 1, 64, 64)
    for number, image in enumerate(images):  # one bright field each, eight places
        image[0, 32 * (number // 4) : 32 * (number // 4) + 32, 16 * (number % 4) : 16 * (number % 4) + 16] = 1.0
    batch = Batch(images, batch.indications, batch.sentences)

    def loss(steps):
        model = pretrain(batch, steps, seed=0, config=TinyConfig(width=16, heads=2), batch_size=8)
        with torch.no_grad():
            return contrastive_loss(model, tokens_of(model, batch.images), batch.indications, batch.sentences).item()

    assert loss(80) < loss(1) - 0.5
