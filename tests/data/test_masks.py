import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFilter

from data.masks import decode_rle, encode_mask, encode_rle, load_mask, read_mask, split_lungs
from db.records import SourceMask

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


def test_a_stated_lung_value_leaves_the_ignored_one_out(tmp_path):
    three = np.uint8(BOX) * 255
    three[:8] //= 2
    assert np.array_equal(read_mask(saved(tmp_path / "v7.png", three), lung_value=255), three == 255)


def test_a_mask_of_another_size_is_refused_unless_its_source_publishes_it_so(tmp_path):
    path = saved(tmp_path / "m.png", np.uint8(BOX) * 255)
    facts = {"structure": "heart", "convention": "clear_field", "provenance": "manual", "file": "m.png"}
    with pytest.raises(ValueError, match="mask of 13 x 17 pixels on a film of 26 x 34"):
        load_mask(SourceMask(**facts), path, 34, 26)
    scaled = load_mask(SourceMask(**facts, scaled=True), path, 34, 26)
    assert np.array_equal(scaled, np.kron(BOX, np.ones((2, 2), bool)))


def test_run_lengths_count_from_one_along_the_rows():
    assert np.array_equal(decode_rle("2 2 7 1", 2, 4), [[False, True, True, False], [False, False, True, False]])
    assert encode_rle(np.array([[False, True, True, False], [False, False, True, False]])) == "2 2 7 1"
    assert not decode_rle("", 2, 3).any()


@pytest.mark.parametrize("rle", ["1", "0 2", "8 2", "1 0", "3 -1"])
def test_run_lengths_that_do_not_fit_are_refused(rle):
    with pytest.raises(ValueError, match="does not fit a film of 4 x 2 pixels"):
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
    speck = two_lungs()
    speck[19, 0] = True
    assert split_lungs(speck) is not None


def test_masks_are_written_black_and_white(tmp_path):
    encode_mask(BOX).save(tmp_path / "m.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "m.png")), np.uint8(BOX) * 255)
