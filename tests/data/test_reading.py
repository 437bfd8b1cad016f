import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from data import reading
from data.loading import load_film
from data.reading import read_image, read_labels, read_pixels


def saved(path, array, mode=None):
    Image.fromarray(array, mode).save(path)
    return path


RAMP = np.arange(13 * 17, dtype=np.uint8).reshape(13, 17)


def test_eight_bits_are_divided_by_255_whatever_the_brightest_pixel_is(tmp_path):
    dark = saved(tmp_path / "dark.png", np.full((13, 17), 51, np.uint8))
    assert read_image(dark).shape == (13, 17) and np.allclose(read_image(dark), 0.2)
    assert read_image(dark).dtype == np.float32


def test_sixteen_bits_are_divided_by_65535(tmp_path):
    path = saved(tmp_path / "deep.png", np.full((5, 7), 6553, np.uint16))
    assert np.allclose(read_image(path), 6553 / 65535)
    assert read_pixels(path).bits_stored == 16
    Image.fromarray(np.full((5, 7), 6553, np.uint16)).save(tmp_path / "deep.tiff")
    assert np.allclose(read_image(tmp_path / "deep.tiff"), 6553 / 65535)


def png_of_16_bits(path, values, colour_type):
    """Write a PNG by hand, (H, W, channels) uint16, which Pillow cannot."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_sixteen_bits_in_colour_or_with_transparency_are_refused_instead_of_halved(tmp_path, channels, colour_type):
    values = np.repeat(np.arange(35, dtype=np.uint16).reshape(5, 7, 1) * 100, channels, axis=2)
    path = png_of_16_bits(tmp_path / "film.png", values, colour_type)
    if channels == 1:
        assert np.array_equal(read_pixels(path).values, values[..., 0])
    else:
        with pytest.raises(
            ValueError, match="film.png: 16 bits in colour or with transparency, .* save it as 16-bit grey"
        ):
            read_pixels(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_tiff_whose_white_is_zero_is_turned_at_any_depth(tmp_path, compression):
    path = tmp_path / "film.tiff"
    Image.fromarray(RAMP).save(path, compression=compression, tiffinfo={262: 0})  # Pillow turns 8 bits as it writes
    assert np.array_equal(read_pixels(path).values, RAMP)
    Image.fromarray(RAMP * np.uint16(257)).save(path, compression=compression, tiffinfo={262: 0})  # and 16 bits not
    assert np.array_equal(read_pixels(path).values, 65535 - RAMP * np.uint16(257))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_by_its_tag_or_refused_where_pillow_would_scramble_it(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RAMP).save(tmp_path / "film.png", exif=exif)
    wanted = read_pixels(tmp_path / "film.png").values
    Image.fromarray(RAMP).save(tmp_path / "small.tiff", compression="tiff_lzw", tiffinfo={274: orientation})
    assert np.array_equal(read_pixels(tmp_path / "small.tiff").values, wanted)
    Image.fromarray(RAMP).save(tmp_path / "plain.tiff", tiffinfo={274: orientation})
    if orientation < 5:
        assert np.array_equal(read_pixels(tmp_path / "plain.tiff").values, wanted)
    else:
        with pytest.raises(ValueError, match="plain.tiff: an uncompressed TIFF .* save it upright or compressed"):
            read_pixels(tmp_path / "plain.tiff")


def test_monochrome1_is_inverted(tmp_path):
    path = saved(tmp_path / "film.png", RAMP)
    assert np.allclose(read_image(path, "MONOCHROME1"), 1 - read_image(path, "MONOCHROME2"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_pictures_read_the_same_in_every_colour_mode(tmp_path, mode):
    grey = Image.fromarray(RAMP)
    picture = grey.convert(mode) if mode != "P" else grey.convert("P")
    path = tmp_path / ("film.tiff" if mode == "CMYK" else "film.png")
    picture.save(path)
    assert np.abs(read_image(path) * 255 - RAMP).max() <= 1


def test_one_bit_pictures_are_black_and_white(tmp_path):
    path = saved(tmp_path / "film.png", np.array([[True, False, True]]))
    assert read_image(path).tolist() == [[1, 0, 1]] and read_pixels(path).bits_stored == 1


def test_a_photo_stored_on_its_side_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    Image.fromarray(RAMP).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read_pixels(tmp_path / "turned.png").values, np.rot90(RAMP, -1))


def test_a_photo_with_damaged_tags_is_read_and_turned(tmp_path):
    """Pillow's own turning writes the tags anew, and raises struct.error on one whose kind is not the tag's."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "hello world", 1.5
    damaged = exif.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x11\x00\x02")  # words where a number belongs
    Image.fromarray(RAMP).save(tmp_path / "odd.png", exif=damaged)
    assert np.array_equal(read_pixels(tmp_path / "odd.png").values, np.rot90(RAMP, -1))


def test_jsrt_films_are_big_endian_twelve_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "JSRT_SIDE", 3)
    values = np.array([[0, 1, 256], [4095, 2048, 7], [1, 2, 3]], np.uint16)
    path = tmp_path / "JPCLN001.IMG"
    path.write_bytes(values.astype(">u2").tobytes())
    assert np.array_equal(read_pixels(path).values, values) and read_pixels(path).bits_stored == 12
    assert read_image(path)[1, 0] == 1
    path.write_bytes(values.astype(">u2").tobytes()[:-2])
    with pytest.raises(ValueError, match="unreadable or truncated: 16 bytes, a JSRT film has 18; copy it anew"):
        read_pixels(path)
    path.write_bytes(values.astype("<u2").tobytes())
    with pytest.raises(ValueError, match="big-endian"):
        read_pixels(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_or_a_folder_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(ValueError, match=f"{name}: a folder, a pipe or a device"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("ending", ["png", "gif", "tif"])
def test_labels_are_the_numbers_of_a_coloured_palette_and_the_levels_of_a_grey_one(tmp_path, ending):
    numbers = np.arange(17 * 13, dtype=np.uint8).reshape(17, 13) % 3
    for colours, wanted in (
        ((0, 0, 0, 255, 0, 0, 0, 255, 0), numbers),
        ((0, 0, 0, 128, 128, 128, 255, 255, 255), (0, 128, 255)),
    ):
        picture = Image.fromarray(numbers, "P")
        picture.putpalette(colours)
        picture.save(tmp_path / f"labels.{ending}")
        read = read_labels(tmp_path / f"labels.{ending}")
        assert (read == (wanted if wanted is numbers else np.take(wanted, numbers))).all()
    Image.fromarray(numbers).save(tmp_path / f"labels.{ending}")
    assert (read_labels(tmp_path / f"labels.{ending}") == numbers).all()


def test_labels_do_not_depend_on_which_of_a_palette_a_film_uses(tmp_path):
    numbers = np.zeros((17, 13), np.uint8)
    numbers[2:9, 3:6] = 1
    picture = Image.fromarray(numbers, "P")
    picture.putpalette((0, 0, 0, 255, 255, 255, 255, 0, 0))  # white is 1, red, which this film has not, is 2
    picture.save(tmp_path / "labels.png")
    assert (read_labels(tmp_path / "labels.png") == numbers).all()


def test_labels_that_are_no_file_are_refused_as_films_are(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="a folder, a pipe or a device"):
        read_labels(tmp_path / "pipe.png")
    with pytest.raises(FileNotFoundError, match="gone.png: no such file"):
        read_labels(tmp_path / "gone.png")


def test_a_damaged_end_behind_a_whole_film_costs_nothing(tmp_path):
    Image.fromarray(np.full((20, 16), 9, np.uint8)).save(tmp_path / "film.tif")
    content = bytearray((tmp_path / "film.tif").read_bytes())
    (start,) = struct.unpack("<I", content[4:8])
    (entries,) = struct.unpack("<H", content[start : start + 2])
    content[start + 2 + 12 * entries : start + 6 + 12 * entries] = struct.pack(
        "<I", 8
    )  # a next page in the middle of nowhere
    (tmp_path / "film.tif").write_bytes(content)
    assert (read_pixels(tmp_path / "film.tif").values == 9).all()


@pytest.mark.parametrize("ending", ["gif", "tif"])
def test_a_file_of_several_films_is_refused_and_one_with_a_preview_is_read(tmp_path, ending):
    pages = [Image.fromarray(np.full((20, 16), level, np.uint8)) for level in (9, 90, 200)]
    pages[0].save(tmp_path / f"films.{ending}", save_all=True, append_images=pages[1:])
    with pytest.raises(
        ValueError, match="several pages, of which only the first could be read; save each as a file of its own"
    ):
        read_image(tmp_path / f"films.{ending}")
    for other in ((30, 22), (16, 20), (15, 19)):  # larger, turned, somewhat smaller
        pages[0].save(tmp_path / "others.tif", save_all=True, append_images=[pages[1].resize(other)])
        with pytest.raises(ValueError, match="several pages"):
            read_image(tmp_path / "others.tif")
    pages[0].save(tmp_path / "preview.tif", save_all=True, append_images=[pages[1].resize((5, 4))])
    assert (read_pixels(tmp_path / "preview.tif").values == 9).all()


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_unreadable_files_are_named_with_the_fix(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.png: unreadable or truncated.*copy it anew"):
        read_image(path)


def test_truncated_and_missing_files(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 80)).astype(np.uint8)
    whole = saved(tmp_path / "whole.jpg", noise).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="half.jpg: unreadable or truncated"):
        read_image(tmp_path / "half.jpg")
    with pytest.raises(FileNotFoundError, match="none.jpg: no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(FileNotFoundError, match="none.IMG: no such file"):
        read_image(tmp_path / "none.IMG")


@pytest.mark.filterwarnings("ignore::UserWarning")  # what Pillow says about the damage
@pytest.mark.parametrize(
    ("ending", "mode"), [("png", "L"), ("png", "P"), ("png", "I;16"), ("jpg", "L"), ("tiff", "L"), ("gif", "P")]
)
def test_a_damaged_file_is_read_or_refused_by_its_name_never_worse(tmp_path, ending, mode):
    path = tmp_path / f"film.{ending}"
    picture = Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    picture.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for place in rng.integers(0, min(len(damaged), 300), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_pixels(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
    assert refused > 5


@pytest.mark.parametrize("mode", ["I;16B", "I;16"])
def test_sixteen_bit_tiff_of_either_byte_order(tmp_path, mode):
    values = np.array([[0, 1, 258], [65535, 4096, 7]], np.uint16)
    stored = values.astype(">u2" if mode == "I;16B" else "<u2")
    Image.frombytes(mode, (3, 2), stored.tobytes()).save(tmp_path / "film.tiff")
    assert np.array_equal(read_pixels(tmp_path / "film.tiff").values, values)
    assert read_pixels(tmp_path / "film.tiff").bits_stored == 16


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "huge.png", np.zeros((40, 40), np.uint8))
    monkeypatch.setattr(reading, "MOST_PIXELS", 1599)
    with pytest.raises(ValueError, match="huge.png: more than 1,599 pixels; wanted a single film"):
        read_image(path)
    monkeypatch.setattr(reading, "MOST_PIXELS", 1600)
    assert read_image(path).shape == (40, 40)


def test_floating_point_pictures_are_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ValueError, match="pixel format F"):
        read_image(tmp_path / "float.tiff")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 255), st.integers(0, 65535))
def test_values_survive_to_the_last_bit(tmp_path_factory, eight, sixteen):
    folder = tmp_path_factory.mktemp("bits")
    assert read_pixels(saved(folder / "a.png", np.full((2, 3), eight, np.uint8))).values[0, 0] == eight
    assert read_pixels(saved(folder / "b.png", np.full((2, 3), sixteen, np.uint16))).values[0, 0] == sixteen


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_damaged_tag_beside_the_orientation_costs_neither_the_film_nor_the_turn(tmp_path, orientation):
    entry = struct.Struct("<HHII")
    damaged = entry.pack(296, 4, 1, 70000)  # ResolutionUnit, two bytes in every other file
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entry.pack(0x0112, 3, 1, orientation) + damaged + bytes(4)
    Image.fromarray(RAMP).save(tmp_path / "damaged.jpg", exif=exif, quality=100)
    whole = Image.Exif()
    whole[0x0112] = orientation
    Image.fromarray(RAMP).save(tmp_path / "whole.jpg", exif=whole, quality=100)
    with Image.open(tmp_path / "whole.jpg") as picture:
        as_viewers_show = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(read_pixels(tmp_path / "damaged.jpg").values, as_viewers_show)
    assert np.array_equal(read_pixels(tmp_path / "whole.jpg").values, as_viewers_show)


def test_colour_becomes_luminance_and_transparency_is_ignored(tmp_path):
    picture = np.zeros((1, 4, 4), np.uint8)
    picture[0] = [[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 128], [200, 200, 200, 0]]
    Image.fromarray(picture).save(tmp_path / "film.png")
    weights = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    found = read_image(tmp_path / "film.png")[0] * 255
    assert found == pytest.approx([*(255 * weights), 200], abs=0.6)


@pytest.mark.parametrize("lowest, highest, fits", [(0, 65535, True), (1, 65536, False), (-1, 65535, False)])
def test_values_of_32_bits_are_read_where_they_fit_into_16(tmp_path, lowest, highest, fits):
    values = np.array([[lowest, 1000], [2000, highest]], np.int32)
    Image.fromarray(values).save(tmp_path / "film.tif")
    if fits:
        assert read_image(tmp_path / "film.tif") == pytest.approx(values / 65535)
    else:
        with pytest.raises(ValueError, match=f"32-bit values up to {highest}; wanted 8 or 16 bits"):
            read_image(tmp_path / "film.tif")


def test_a_photometric_that_is_misspelt_is_not_taken_for_the_other_one(tmp_path):
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "a.png")
    dark, light = (load_film(tmp_path / "a.png", f"MONOCHROME{number}").image for number in (1, 2))
    assert np.allclose(dark, 1 - light)
    with pytest.raises(ValueError, match="photometric 'MONOCROME1'; wanted MONOCHROME1 or MONOCHROME2"):
        load_film(tmp_path / "a.png", "MONOCROME1")
