"""What is warned of before the first step of a training."""

from dataclasses import replace

from db.connection import connect
from db.records import ImageRecord, MaskRecord
from db.selection import query_text, select_images
from pipeline.training_checks import contents_hash, too_few_to_fit


def test_films_too_few_for_what_is_fitted_after_the_training_are_told(phantom_db):
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
    record = select_images(connect(phantom_db), query_text("segmentation_images"), parameters)[0]

    def films(split, count, patients):
        return [replace(record, split=split, patient_id=f"{split}{number % patients}") for number in range(count)]

    assert too_few_to_fit([*films("train", 20, 10), *films("val", 5, 5), *films("test", 1, 1)]) == []
    (few,) = too_few_to_fit([*films("train", 20, 10), *films("val", 9, 4)])  # films of one patient judge alike
    assert few.startswith("validation patients with masks: 4. ") and "no Dice of new films is predicted" in few
    (few,) = too_few_to_fit([*films("train", 19, 10), *films("val", 5, 5), *films("test", 9, 9)])
    assert few.startswith("films to train on: 19. ")
    bare = [replace(one, masks=()) for one in films("val", 5, 5)]
    assert too_few_to_fit([*films("train", 20, 10), *bare])[0].startswith("validation patients with masks: 0. ")


FILM = ImageRecord(
    image_id=1,
    source="a",
    file="1.png",
    path=None,
    patient_id="p",
    split="val",
    height=9,
    width=9,
    photometric_interpretation=None,
    spacing_mm=None,
    content_sha256="c",
    masks=(MaskRecord(structure="lungs", convention="clear_field", provenance="manual", rle="1 2", lung_value=1),),
)


def test_what_a_validation_films_mask_is_read_as_counts():
    mask = FILM.masks[0]
    hashes = {
        contents_hash([replace(FILM, masks=masks)])
        for masks in (
            (),
            (mask,),
            (replace(mask, lung_value=2),),
            (replace(mask, convention="includes_heart"),),
            (replace(mask, structure="heart"),),
        )
    }
    assert len(hashes) == 5
