import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFilter

from data.masks import (
    decode_rle,
    encode_mask,
    encode_rle,
    load_mask,
    load_masks,
    load_unjudged,
    medial_half,
    read_mask,
    split_lungs,
)
from db.records import ImageRecord, MaskRecord

BOX = np.zeros((17, 13), bool)
BOX[4:12, 3:9] = True


def saved(path, array):
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("inside", [1, 255, 128])
def test_two_values_are_understood_whatever_the_second_is(tmp_path, inside):
    path = saved(tmp_path / "m.png", np.uint8(BOX) * inside)
    assert np.array_equal(read_mask(path), BOX)


def test_one_bit_colour_and_sixteen_bit_masks(tmp_path):
    assert np.array_equal(read_mask(saved(tmp_path / "a.png", BOX)), BOX)
    assert np.array_equal(
        read_mask(saved(tmp_path / "b.png", np.repeat(np.uint8(BOX)[..., None] * 255, 3, axis=2))), BOX
    )
    assert np.array_equal(read_mask(saved(tmp_path / "c.png", np.uint16(BOX) * 65535)), BOX)


def test_a_jpeg_copy_is_understood(tmp_path):
    big = np.kron(np.uint8(BOX) * 255, np.ones((20, 20), np.uint8))
    Image.fromarray(big).save(tmp_path / "m.jpg", quality=80)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "m.jpg")))) > 2
    assert np.mean(read_mask(tmp_path / "m.jpg") != (big > 0)) < 0.002


def test_an_empty_mask_is_a_mask_and_a_full_one_is_suspicious(tmp_path):
    assert not read_mask(saved(tmp_path / "empty.png", np.zeros((5, 4), np.uint8))).any()
    with pytest.raises(ValueError, match="every pixel is 255"):
        read_mask(saved(tmp_path / "full.png", np.full((5, 4), 255, np.uint8)))


def test_ambiguous_values_are_listed(tmp_path):
    three = np.uint8(BOX) * 255
    three[:8] //= 2
    with pytest.raises(ValueError, match="values 0 127 255; wanted 0 outside"):
        read_mask(saved(tmp_path / "three.png", three))
    soft = Image.fromarray(np.uint8(BOX) * 255).filter(ImageFilter.GaussianBlur(3))
    soft.save(tmp_path / "soft.png")
    with pytest.raises(ValueError, match=r"\.\.\. .* \(\d+ values\)"):
        read_mask(tmp_path / "soft.png")


def test_label_numbers_are_never_taken_for_a_smeared_copy(tmp_path):
    border = np.uint8(BOX)
    border[4, 3:9] = 255  # 0 outside, 1 lung, 255 not to be judged, as some tools write it
    few = np.kron(np.uint8(BOX) * 255, np.ones((20, 20), np.uint8))
    few[0, :5] = 127  # a third label, on less than 2 % of the pixels
    white = np.full((9, 9), 255, np.uint8)
    white[0] = 250
    for values, listed in ((border, "0 1 255"), (few, "0 127 255"), (white, "250 255")):
        with pytest.raises(ValueError, match=f"values {listed}; wanted 0 outside"):
            read_mask(saved(tmp_path / "labels.png", values))


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 100), st.integers(20, 45), st.integers(20, 45))
def test_jpeg_copies_of_every_quality_are_understood(tmp_path_factory, quality, high, wide):
    y, x = np.mgrid[:157, :203]
    lungs = ((y - 80) / high) ** 2 + ((x - 90) / wide) ** 2 < 1
    path = tmp_path_factory.mktemp("jpeg") / "m.jpg"
    Image.fromarray(np.uint8(lungs) * 255).save(path, quality=quality)
    assert np.mean(read_mask(path) != lungs) < 0.003


def test_a_lossy_copy_of_labels_is_refused_even_where_the_value_is_stated(tmp_path):
    y, x = np.mgrid[:157, :203]
    Image.fromarray(np.uint8((y - 80) ** 2 + (x - 90) ** 2 < 1600) * 255).save(tmp_path / "m.jpg", quality=80)
    with pytest.raises(ValueError, match="wanted few labels, of which 255 is inside"):
        read_mask(tmp_path / "m.jpg", lung_value=255)


def test_a_stated_lung_value_leaves_the_ignored_one_out(tmp_path):
    three = np.uint8(BOX) * 255
    three[:8] //= 2
    assert np.array_equal(read_mask(saved(tmp_path / "v7.png", three), lung_value=255), three == 255)


def test_a_mask_of_another_size_is_refused_unless_its_source_publishes_it_so(tmp_path):
    path = saved(tmp_path / "m.png", np.uint8(BOX) * 255)
    facts = {"structure": "heart", "convention": "clear_field", "provenance": "manual", "path": path}
    with pytest.raises(ValueError, match="mask of 13 x 17 pixels on a film of 26 x 34"):
        load_mask(MaskRecord(**facts), 34, 26)
    scaled = load_mask(MaskRecord(**facts, scaled=True), 34, 26)
    assert np.array_equal(scaled, np.kron(BOX, np.ones((2, 2), bool)))
    with pytest.raises(ValueError, match="mask of 13 x 17 pixels on a film of 34 x 34"):
        load_mask(MaskRecord(**facts, scaled=True), 34, 34)  # of another shape: not the same film


def test_a_films_masks_come_by_structure_and_a_union_as_two_lungs_where_it_can(tmp_path):
    def record(*masks):
        marks = {"convention": "clear_field", "provenance": "manual"}
        records = [MaskRecord(structure=s, **marks, **where) for n, (s, where) in enumerate(masks)]
        return ImageRecord(
            image_id=1, source="s", file="a.png", path=tmp_path / "a.png", patient_id="p", split=None, height=20,
            width=30, photometric_interpretation=None, spacing_mm=None, content_sha256="h", masks=tuple(records),
        )  # fmt: skip

    union = {"path": saved(tmp_path / "union.png", np.uint8(two_lungs()))}
    joined = two_lungs()
    joined[8, 12:18] = True
    heart = np.zeros((20, 30), bool)
    heart[9:13, 10:20] = True
    split = load_masks(record(("lungs", union), ("heart", {"rle": encode_rle(heart)})))
    assert set(split) == {"right_lung", "left_lung", "heart"} and np.array_equal(split["heart"], heart)
    assert split["right_lung"][5, 5] and not split["right_lung"][5, 20] and split["left_lung"][5, 20]
    assert np.array_equal(load_masks(record(("lungs", {"rle": encode_rle(joined)})))["lungs"], joined)
    labels = np.uint8(two_lungs()) * 255
    labels[:3, :4] = 127
    marked = record(("lungs", {"path": saved(tmp_path / "v7.png", labels), "lung_value": 255}), ("heart", union))
    assert np.array_equal(load_unjudged(marked), labels == 127) and not load_unjudged(record(("lungs", union))).any()
    both = load_masks(record(("right_lung", union), ("lungs", union)))
    assert np.array_equal(both["right_lung"], two_lungs()), (
        "a lung that is drawn is never replaced by a piece of the union"
    )


def test_run_lengths_count_from_one_along_the_rows():
    assert np.array_equal(decode_rle("2 2 7 1", 2, 4), [[False, True, True, False], [False, False, True, False]])
    assert encode_rle(np.array([[False, True, True, False], [False, False, True, False]])) == "2 2 7 1"
    assert not decode_rle("", 2, 3).any()


@pytest.mark.parametrize("rle", ["1", "0 2", "8 2", "1 0", "3 -1", "9000000000000000000 9000000000000000000"])
def test_run_lengths_that_do_not_fit_are_refused(rle):
    with pytest.raises(ValueError, match="does not fit a film of 4 x 2 pixels"):
        decode_rle(rle, 2, 4)


@pytest.mark.parametrize("rle", ["x 2", "1.0 2", "99999999999999999999 1"])
def test_run_lengths_that_are_no_numbers_are_refused(rle):
    with pytest.raises(ValueError, match="run-length code is no list of whole numbers"):
        decode_rle(rle, 2, 4)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_run_lengths_survive_the_round_trip(mask):
    assert np.array_equal(decode_rle(encode_rle(mask), *mask.shape), mask)


def two_lungs():
    mask = np.zeros((20, 30), bool)
    mask[3:15, 4:12] = True
    mask[2:16, 18:27] = True
    return mask


def test_a_clean_union_splits_by_the_side_of_the_image():
    right, left = split_lungs(two_lungs())
    assert np.nonzero(right)[1].max() < 12 and np.nonzero(left)[1].min() >= 18
    assert np.array_equal(right | left, two_lungs())


def test_what_is_not_two_clean_pieces_is_not_split():
    joined = two_lungs()
    joined[8, 12:18] = True
    assert split_lungs(joined) is None
    one = two_lungs()
    one[:, 15:] = False
    assert split_lungs(one) is None
    third = two_lungs()
    third[17:20, 0:4] = True
    assert split_lungs(third) is None
    stacked = np.zeros((20, 30), bool)
    stacked[1:8, 4:12] = stacked[10:19, 3:11] = True  # one lung, cut in two by a device
    assert split_lungs(stacked) is None
    speck = two_lungs()
    speck[19, 0] = True
    assert split_lungs(speck) is not None


def test_masks_are_written_black_and_white(tmp_path):
    (tmp_path / "m.png").write_bytes(encode_mask(BOX))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "m.png")), np.uint8(BOX) * 255)


@given(hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 300))))
def test_a_written_mask_is_an_eight_bit_picture_of_0_and_255(mask):
    picture = Image.open(io.BytesIO(encode_mask(mask)))
    assert picture.mode == "L" and picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), np.uint8(mask) * 255)


def test_the_medial_half_of_a_lung_is_found_row_by_row():
    lung = np.array([[0, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]], bool)
    right = [[0, 0, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]]
    left = [[0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert np.array_equal(medial_half(lung, "right_lung"), np.array(right, bool))
    assert np.array_equal(medial_half(lung, "left_lung"), np.array(left, bool))


def test_a_mask_is_turned_as_its_exif_orientation_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise when it is shown
    Image.fromarray(np.uint8(BOX) * 255).save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "m.png"), np.rot90(BOX, -1))
