"""Films from files: grey levels by the stated bit depth, never by what happens to be the brightest pixel."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from data.reasons import reason

JSRT_SIDE, JSRT_BITS = 2048, 12
FEW_COLOURS = 16  # more than this are no labels
DECODING_THREADS = 4  # that read a folder of films at once
MOST_PIXELS = 200_000_000  # a 14,000 x 14,000 film; more is a mistake or an attack
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
# recognised by content, not by ending; of Pillow's other readers, the one for EPS starts a program
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF")
# what folders hold too and nothing here reads: told as such, not passed over
UNREAD_ENDINGS = (
    ".webp", ".jp2", ".j2k", ".heic", ".heif", ".avif", ".pgm", ".ppm", ".tga",
)  # fmt: skip
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".bmp", ".gif", ".img")

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation
QUARTER_TURNS = (5, 6, 7, 8)
PHOTOMETRIC = 262  # TIFF's tag, 0: white is zero
_EIGHT_BIT_MODES = {"L", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "RGBX", "HSV", "LAB"}
_PALETTE_MODES = {"P", "PA"}
_SIXTEEN_BIT_MODES = {"I;16", "I;16B", "I;16L", "I;16N"}


class UnreadByPillow(ValueError):
    """A picture that Pillow would read as another one; the message says why and what to do."""


class Pixels(NamedTuple):
    """Stored grey levels (H, W), uint8 or uint16, and the number of bits that a full white takes."""

    values: np.ndarray
    bits_stored: int


def read_image(path: Path, photometric_interpretation: str | None = None) -> np.ndarray:
    """Read a film as (H, W) float32 in [0, 1], 0 black, lungs dark.

    The scale is 2^bits - 1 of the file's format. MONOCHROME1 films are inverted. Raises FileNotFoundError for a missing file
    and ValueError for one that is unreadable, truncated, too large or not a grey or colour picture.
    """
    return grey_levels(read_pixels(path), photometric_interpretation)


def grey_levels(pixels: Pixels, photometric_interpretation: str | None = None) -> np.ndarray:
    """Return stored pixels as (H, W) float32 in [0, 1], 0 black, lungs dark; MONOCHROME1 is inverted, None is MONOCHROME2."""
    image = np.divide(pixels.values, 2**pixels.bits_stored - 1, dtype=np.float32)
    return 1 - image if photometric_interpretation == "MONOCHROME1" else image


def read_pixels(path: Path, tell_colours: bool = False) -> Pixels:
    """Read a film's stored values; colour is turned to luminance, transparency is ignored, EXIF rotation is applied.

    The rotation is part of the picture as every viewer shows it, so a mask drawn in one fits.
    tell_colours: where the luminance would merge some of a few colours, they are numbered, black as 0.
    """
    path = _a_file(path)
    if path.suffix.lower() == ".img":
        return _read_jsrt(path)
    return _grey(_decode(path), path, tell_colours)


def read_mask_pixels(path: Path) -> np.ndarray:
    """Read a mask's stored values (H, W) as `read_pixels` does, but two colours never become one value."""
    return read_pixels(path, tell_colours=True).values


def read_labels(path: Path) -> np.ndarray:
    """Read a picture of numbered labels (H, W): its grey levels, or where it has a palette with colours, the numbers in that.

    A palette of greys only is what programs that make files smaller leave. Raises ValueError for colours without a palette, which
    have no numbers, and as `read_pixels` does.
    """
    image = _decode(_a_file(path), with_palette=True)
    if image.mode in _PALETTE_MODES:
        red, green, blue = np.reshape(image.getpalette("RGB"), (-1, 3)).T
        if (red != green).any() or (green != blue).any():  # of the palette, so that films without one label read alike
            return np.asarray(image.getchannel(0))
    elif image.mode in _EIGHT_BIT_MODES - {"L", "LA"}:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0)
        if (red != green).any() or (green != blue).any():
            raise ValueError(f"{path}: labels in colours, which have no numbers; wanted a grey picture of them")
    return _grey(_without_palette(image), path, tell_colours=False).values


def require_picture(values: np.ndarray, path: Path) -> None:
    """Raise ValueError where every pixel has the same value, as after a failed export: the same film for every patient."""
    if values.min() == values.max():
        raise ValueError(f"{path}: every pixel has the same value; there is no picture in it")


def _a_file(path: Path) -> Path:
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; correct its path or ingest the source again")
    if not path.is_file():  # opening a pipe would wait for ever
        raise ValueError(f"{path}: a folder, a pipe or a device; wanted the file of a picture")
    return path


def _decode(path: Path, with_palette: bool = False) -> Image.Image:
    """Decode the whole file, so that truncation is found."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            _check_kind(image)
            white_is_zero = image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0
            upright = _upright(image)
            if white_is_zero and upright.mode in _SIXTEEN_BIT_MODES:  # those of 8 bits Pillow has turned itself
                return Image.fromarray(65535 - np.asarray(upright).astype(np.uint16))
            return upright if with_palette else _without_palette(upright)
    except UnreadByPillow as error:
        raise ValueError(f"{path}: {error}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{path}: more than {MOST_PIXELS:,} pixels; wanted a single film, scale it down") from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{path}: unreadable or truncated image, or of a format that is not read ({', '.join(FORMATS)} are); convert it, or "
            "copy it anew from its source"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # broken files, and broken tags in whole ones, make Pillow raise anything
        raise ValueError(
            f"{path}: unreadable or truncated image ({reason(error, path)}); copy it anew from its source"
        ) from error


def _without_palette(image: Image.Image) -> Image.Image:
    return image.convert("RGB") if image.mode in _PALETTE_MODES else image


def _check_kind(image: Image.Image) -> None:
    """Raise UnreadByPillow for kinds of pictures that it would read wrongly and not say so."""
    decoders = [tile[0] for tile in image.tile]
    sixteen_bits = any(";16" in str(tile[3]) for tile in image.tile)
    if sixteen_bits and not image.mode.startswith("I"):
        raise UnreadByPillow(
            "16 bits in colour or with transparency, of which only the upper 8 could be read; save it as 16-bit grey"
        )
    turn = image.tag_v2.get(ExifTags.Base.Orientation, 1) if image.format == "TIFF" else 1
    if turn in QUARTER_TURNS and "raw" in decoders:
        raise UnreadByPillow(
            "an uncompressed TIFF that is to be turned by its orientation tag; save it upright or compressed"
        )
    if image.format in ("TIFF", "GIF") and _further_page(image):
        raise UnreadByPillow("several pages, of which only the first could be read; save each as a file of its own")


def _further_page(image: Image.Image) -> bool:
    """Tell whether a page follows that is no preview of the first, half as large at most; a damaged one is none."""
    first, page = image.size, 1
    try:
        while True:
            image.seek(page)
            if 2 * image.width > first[0] or 2 * image.height > first[1]:
                return True
            page += 1
    except EOFError:
        return False
    except Exception:  # Pillow raises anything; the first page may be whole all the same
        return False
    finally:
        image.seek(0)


def _upright(image: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says; Pillow's own function fails where any other tag is damaged."""
    image.load()
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _grey(image: Image.Image, path: Path, tell_colours: bool) -> Pixels:
    if image.mode == "1":
        return Pixels(np.asarray(image, np.uint8) * 1, 1)
    if image.mode in _SIXTEEN_BIT_MODES:
        return Pixels(np.asarray(image).astype(np.uint16), 16)
    if image.mode == "I":  # Pillow reads some 16-bit PNG and TIFF files into 32 bits
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"{path}: 32-bit values up to {values.max()}; wanted 8 or 16 bits, convert the file")
        return Pixels(values.astype(np.uint16), 16)
    if image.mode in _EIGHT_BIT_MODES:
        image = image.convert("RGB") if image.mode not in ("L", "LA") else image
        grey = np.asarray(image.convert("L"))
        return Pixels(_numbered(image, grey) if tell_colours and image.mode == "RGB" else grey, 8)
    raise ValueError(f"{path}: pixel format {image.mode}; wanted 8- or 16-bit grey or colour, convert the file")


def _numbered(image: Image.Image, grey: np.ndarray) -> np.ndarray:
    """Return the luminance (H, W) uint8 of an RGB picture, or where that merges a few colours their numbers, 0 for black."""
    counted = image.getcolors(FEW_COLOURS)  # None where there are more
    if counted is None or len(counted) == len(np.unique(grey)):
        return grey
    colours = np.unique([(0, 0, 0), *(colour for _, colour in counted)], axis=0)
    return sum(number * (np.asarray(image) == colour).all(axis=2) for number, colour in enumerate(colours)).astype(
        np.uint8
    )


def _read_jsrt(path: Path) -> Pixels:
    """Read JSRT's headerless film: 2048 x 2048 big-endian 16-bit words with 12 bits stored."""
    values = np.fromfile(path, dtype=">u2")
    if values.size != JSRT_SIDE**2 or path.stat().st_size != 2 * JSRT_SIDE**2:
        got, wanted = path.stat().st_size, 2 * JSRT_SIDE**2
        raise ValueError(
            f"{path}: unreadable or truncated: {got} bytes, a JSRT film has {wanted}; copy it anew from its source"
        )
    if values.max() >= 2**JSRT_BITS:
        raise ValueError(f"{path}: values up to {values.max()}; a JSRT film stores 12 bits, big-endian")
    return Pixels(values.reshape(JSRT_SIDE, JSRT_SIDE).astype(np.uint16), JSRT_BITS)
