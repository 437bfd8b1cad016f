"""DICOM films written by pydicom and read back; skipped where pydicom is not installed."""

import numpy as np
import pytest

from data import dicom
from data.dicom import read_dicom

pydicom = pytest.importorskip("pydicom")
VALUES = np.arange(12).reshape(3, 4) * 100


@pytest.fixture
def written(dicom_file, tmp_path):
    """Return a function that writes a film of 3 x 4 pixels with the given attributes and returns its path."""
    return lambda values=VALUES, **facts: dicom_file(tmp_path / "film.dcm", values, **facts)


def test_grey_levels_are_scaled_and_monochrome1_inverted_after_the_window(written):
    assert np.allclose(read_dicom(written()).image, VALUES / 1100)
    assert np.allclose(read_dicom(written(PhotometricInterpretation="MONOCHROME1")).image, 1 - VALUES / 1100)
    # a window of 400 around 500: 300 and below black, 700 and above white; inverted only afterwards
    windowed = read_dicom(written(WindowCenter=500, WindowWidth=400, PhotometricInterpretation="MONOCHROME1")).image
    assert windowed[0].tolist() == [1, 1, 1, 1] and windowed[2].tolist() == [0, 0, 0, 0]
    assert np.allclose(windowed[1], 1 - (np.array([400, 500, 600, 700]) - 300) / 400, atol=0.01)


def test_padding_is_black_and_does_not_stretch_the_grey_levels(written):
    values = np.where(np.eye(3, 4, dtype=bool), 60000, VALUES)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        image = read_dicom(written(values, PixelPaddingValue=60000, PhotometricInterpretation=photometric)).image
        assert (image[np.eye(3, 4, dtype=bool)] == 0).all()
        assert {image.max(), image.min()} == {0.0, 1.0}


def test_spacing_is_the_patients_where_stated_else_the_detectors_and_which_is_said(written):
    film = read_dicom(written(PixelSpacing=[0.2, 0.1], ImagerPixelSpacing=[0.3, 0.3]))
    assert film.spacing_mm == (0.2, 0.1) and film.remarks[0] == "spacing at the patient (PixelSpacing)"
    film = read_dicom(written(ImagerPixelSpacing=[0.3, 0.4]))
    assert film.spacing_mm == (0.3, 0.4) and film.remarks[0] == "spacing at the detector (ImagerPixelSpacing)"
    assert read_dicom(written()).spacing_mm is None
    assert read_dicom(written(PixelSpacing=[0, 0.1])).spacing_mm is None
    film = read_dicom(written(PixelSpacing=[0, 0], ImagerPixelSpacing=[0.14, 0.15]))
    assert film.spacing_mm == (0.14, 0.15)
    assert film.remarks[0] == "PixelSpacing [0.0, 0.0] not used; spacing at the detector (ImagerPixelSpacing)"


def test_a_stated_magnification_is_told_and_floats_are_refused(written):
    film = read_dicom(written(ImagerPixelSpacing=[0.3, 0.4], EstimatedRadiographicMagnificationFactor="1.1"))
    assert film.spacing_mm == (0.3, 0.4) and "1.1 times the patient's" in film.remarks[1]
    assert len(read_dicom(written(EstimatedRadiographicMagnificationFactor="1")).remarks) == 0
    assert len(read_dicom(written(EstimatedRadiographicMagnificationFactor=None)).remarks) == 0
    with pytest.raises(ValueError, match="its pixels are floating-point numbers; wanted whole ones"):
        read_dicom(written(FloatPixelData=b"\0" * 8))


def test_a_header_with_a_broken_spacing_or_an_empty_scale_does_not_cost_the_film(written):
    film = read_dicom(written(PixelSpacing="0.2", RescaleSlope=None, RescaleIntercept=None))
    assert film.spacing_mm is None and film.remarks == ("PixelSpacing 0.2 not used",)
    assert np.allclose(film.image, VALUES / 1100)


def test_what_the_header_warns_of_is_said(written):
    film = read_dicom(written(BurnedInAnnotation="YES", ImageLaterality="L", PatientOrientation=["R", "F"]))
    assert len(film.remarks) == 3
    for remark, word in zip(film.remarks, ("burnt into", "laterality L", "mirrored"), strict=True):
        assert word in remark
    assert read_dicom(written(BurnedInAnnotation="NO", PatientOrientation=["L", "F"])).remarks == ()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"Modality": "CT"}, "modality CT; wanted a radiograph"),
        ({"ViewPosition": "LL"}, "view position LL; wanted a frontal film"),
        ({"PatientOrientation": ["A", "F"]}, "a lateral film"),
        ({"BodyPartExamined": "HAND"}, "body part HAND; wanted a chest film. .* save the picture as PNG"),
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"Rows": 60000, "Columns": 60000}, "scale it down"),
        ({"PixelPaddingValue": 7, "values": np.full((3, 4), 7)}, "every pixel is padding"),
        ({"values": np.full((3, 4), 7)}, "no picture in it"),
    ],
)
def test_what_is_no_frontal_chest_film_is_refused_with_the_reason(written, facts, message):
    with pytest.raises(ValueError, match=message):
        read_dicom(written(**facts))


def test_a_lateral_view_code_is_refused_and_a_frontal_one_is_not(written):
    code = pydicom.Dataset()
    code.CodeMeaning = "left lateral"
    with pytest.raises(ValueError, match="view left lateral"):
        read_dicom(written(ViewCodeSequence=[code]))
    code.CodeMeaning = "postero-anterior"
    assert read_dicom(written(ViewCodeSequence=[code])).image.shape == (3, 4)


@pytest.mark.parametrize(
    "facts, plane",
    [
        ({"PixelSpacing": [0.143, 0.143], "ImagerPixelSpacing": [0.143, 0.143]}, "at the detector"),
        ({"PixelSpacing": [0.13, 0.13], "ImagerPixelSpacing": [0.143, 0.143]}, "at the patient"),
        ({"PixelSpacing": [0.143, 0.143]}, None),
        ({"PixelSpacing": [0.143, 0.143], "PixelSpacingCalibrationType": "FIDUCIAL"}, "at the patient"),
        ({"NominalScannedPixelSpacing": [0.175, 0.175]}, "on the scanned film"),
        ({"PixelSpacing": [0.175, 0.175], "NominalScannedPixelSpacing": [0.175, 0.175]}, "on the scanned film"),
        ({}, None),
    ],
)
def test_the_plane_of_a_spacing_is_what_the_header_allows_to_say(written, facts, plane):
    film = read_dicom(written(**facts))
    assert film.plane == plane
    assert film.spacing_mm == (tuple(next(iter(facts.values()))) if facts else None)
    assert film.remarks == () if not facts else (plane or "in a plane not stated") in film.remarks[0]


def test_a_range_of_padding_values_is_padding(written):
    values = VALUES.copy()
    values[0, 0], values[0, 1] = 60000, 60500
    image = read_dicom(written(values, PixelPaddingValue=60000, PixelPaddingRangeLimit=65535)).image
    assert image[0, 0] == image[0, 1] == 0 and np.allclose(image[1:], (VALUES[1:] - 200) / 900)


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_without_a_width_does_not_cost_the_film(written, width):
    assert np.allclose(read_dicom(written(WindowCenter=500, WindowWidth=width)).image, VALUES / 1100)


@pytest.mark.parametrize(
    "orientation, word",
    [("RF", "mirrored"), ("LH", "mirrored"), ("RH", "turned"), ("HL", "turned"), ("FR", "turned"), ("LF", None)],
)
def test_mirrored_and_turned_films_are_told_apart_by_both_directions(written, orientation, word):
    remarks = read_dicom(written(PatientOrientation=list(orientation))).remarks
    assert [remark.split()[1].rstrip(":") for remark in remarks] == ([word] if word else [])


@pytest.mark.parametrize(
    "facts, words",
    [
        ({"PatientOrientation": ["F", "A"]}, "its columns run towards A"),
        ({"ViewPosition": "LLO"}, "view position LLO"),
        ({"ViewPosition": "RLO"}, "view position RLO"),
        ({"BodyPartExamined": "KNEE"}, "body part KNEE"),
    ],
)
def test_what_is_not_frontal_or_no_chest_is_refused(written, facts, words):
    with pytest.raises(ValueError, match=words):
        read_dicom(written(**facts))


@pytest.mark.parametrize("part", ["LUNG", "TORAX", "PORT CHEST", "chest"])
def test_a_chest_by_another_word_is_read(written, part):
    assert read_dicom(written(BodyPartExamined=part)).image.shape == (3, 4)


def test_a_frontal_film_of_a_patient_lying_on_the_side_is_read_and_a_lateral_one_refused(written):
    def view(meaning):
        code = pydicom.Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99TEST", meaning
        return [code]

    assert read_dicom(written(ViewCodeSequence=view("antero-posterior, left lateral decubitus"))).image.shape == (3, 4)
    with pytest.raises(ValueError, match="view postero-anterior oblique; wanted a frontal film"):
        read_dicom(written(ViewCodeSequence=view("postero-anterior oblique")))
    with pytest.raises(ValueError, match="view left lateral"):
        read_dicom(written(ViewCodeSequence=view("left lateral")))


def test_only_the_first_window_counts_and_an_empty_limit_is_none(written):
    windowed = read_dicom(written(WindowCenter=[500, 300], WindowWidth=[400, 0])).image
    assert windowed[0].tolist() == [0, 0, 0, 0] and windowed[2].tolist() == [1, 1, 1, 1]
    values = np.where(np.eye(3, 4, dtype=bool), 60000, VALUES)
    image = read_dicom(written(values, PixelPaddingValue=60000, PixelPaddingRangeLimit=None)).image
    assert (image[np.eye(3, 4, dtype=bool)] == 0).all()
    window = {"WindowCenter": 0.5, "WindowWidth": 0.4, "VOILUTFunction": "LINEAR_EXACT"}
    exact = read_dicom(written(RescaleSlope=0.001, RescaleIntercept=0, **window)).image
    assert np.allclose(exact, np.clip((VALUES / 1000 - 0.3) / 0.4, 0, 1), atol=1e-6)


@pytest.mark.parametrize("center, width", [(50, 100), (5000, 100), (500, 2)])
def test_a_window_that_leaves_no_greys_is_not_used_and_told(written, center, width):
    film = read_dicom(written(WindowCenter=center, WindowWidth=width))
    assert np.allclose(film.image, VALUES / 1100)
    assert (
        film.remarks[0].startswith("the header's window is not used: it makes ") and "black or white" in film.remarks[0]
    )


@pytest.mark.parametrize("function", ["linear_exact", "Sigmoid", "FOO"])
def test_a_voi_function_in_small_letters_or_unknown_costs_nothing(written, function):
    assert read_dicom(written(WindowCenter=500, WindowWidth=400, VOILUTFunction=function)).image.shape == (3, 4)
    assert read_dicom(written(WindowCenter=500, WindowWidth=0.5, VOILUTFunction="linear")).image.max() == 1


def test_a_modality_table_of_twelve_bits_is_read(written):
    table = pydicom.Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [1200, 0, 12], "OD"
    table.LUTData = np.arange(1200, 0, -1).astype("<u2").tobytes()
    image = read_dicom(written(ModalityLUTSequence=[table])).image
    assert np.allclose(image, 1 - VALUES / 1100, atol=1e-3)


def test_a_picture_of_palette_colours_is_refused(written):
    with pytest.raises(
        ValueError, match="photometric interpretation PALETTE COLOR; wanted one grey picture, not colour"
    ):
        read_dicom(written(PhotometricInterpretation="PALETTE COLOR"))


@pytest.mark.parametrize("facts", [{"ViewPosition": "RAO"}, {"ViewPosition": "LLAT"}])
def test_oblique_and_lateral_views_are_refused(written, facts):
    with pytest.raises(ValueError, match="wanted a frontal film"):
        read_dicom(written(**facts))


@pytest.mark.parametrize("factor, told", [("1.00", False), ("1.1", True)])
def test_a_magnification_of_one_is_none(written, factor, told):
    remarks = read_dicom(written(EstimatedRadiographicMagnificationFactor=factor)).remarks
    assert any("times the patient's" in remark for remark in remarks) is told


def test_a_window_of_a_drawing_in_black_and_white_is_used(written):
    film = read_dicom(written((VALUES > 500) * 1000, WindowCenter=500, WindowWidth=400))
    assert set(film.image.ravel().tolist()) == {0.0, 1.0} and film.remarks == ()


def test_a_table_of_inverse_grey_levels_beside_monochrome2_is_told(written):
    film = read_dicom(written(PresentationLUTShape="INVERSE"))
    assert np.allclose(film.image, VALUES / 1100) and "contradicts MONOCHROME2" in film.remarks[0]
    assert read_dicom(written(PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")).remarks == ()


def test_digital_radiography_by_another_code_is_a_radiograph(written):
    assert read_dicom(written(Modality="DR")).image.shape == (3, 4)
    for other in ("SM", "CT", "XX"):
        with pytest.raises(ValueError, match=f"modality {other}; wanted a radiograph"):
            read_dicom(written(Modality=other))


def test_a_spacing_that_makes_a_film_of_two_metres_is_not_used(written):
    large = np.tile(VALUES, (400, 500))  # 1200 x 2000
    film = read_dicom(written(large, PixelSpacing=[1, 1], ImagerPixelSpacing=[0.2, 0.2]))
    assert film.spacing_mm == (0.2, 0.2) and film.plane == "at the detector"
    assert read_dicom(written(large, PixelSpacing=[1, 1])).spacing_mm is None
    assert read_dicom(written(large[:900, :900], PixelSpacing=[1, 1])).spacing_mm == (1, 1)


def test_a_direction_of_rows_alone_still_says_mirrored(written):
    (remark,) = read_dicom(written(PatientOrientation=["R", ""])).remarks
    assert remark.startswith("stored mirrored")


def test_pixels_that_are_not_square_are_told(written):
    for facts, told in (
        (
            {"PixelSpacing": [0.2, 0.1]},
            ["pixels are not square (0.2 high by 0.1 wide): the network sees the chest stretched"],
        ),
        ({"PixelSpacing": [0.2, 0.195]}, []),
        (
            {"PixelAspectRatio": [1, 2]},
            ["pixels are not square (1 high by 2 wide): the network sees the chest stretched"],
        ),
        ({"PixelAspectRatio": [1, 1]}, []),
    ):
        assert [remark for remark in read_dicom(written(**facts)).remarks if "square" in remark] == told


def test_an_empty_voi_function_costs_nothing(written):
    image = read_dicom(written(WindowCenter=500, WindowWidth=400, VOILUTFunction="")).image
    assert np.array_equal(image, read_dicom(written(WindowCenter=500, WindowWidth=400)).image)


def test_padding_of_signed_pixels_written_without_a_sign_is_padding():
    film = pydicom.Dataset()
    film.PixelRepresentation, film.BitsAllocated = 1, 16
    film.add_new(0x00280120, "US", 63536)  # the bits of -2000, which a writer of today would refuse to mix up
    assert dicom._padding(np.array([[-2000, 5], [63536, 0]]), film).tolist() == [[True, False], [False, False]]
    film.add_new(0x00280120, "SS", -2000)
    assert dicom._padding(np.array([[-2000, 5]]), film).tolist() == [[True, False]]


def test_a_compression_that_needs_another_package_says_which(written, monkeypatch):
    def fail(*_):
        raise RuntimeError("Unable to decompress: all plugins are missing dependencies: pylibjpeg")

    monkeypatch.setattr(pydicom.dataset.Dataset, "pixel_array", property(fail))
    with pytest.raises(ValueError, match="needs another package to read; try `pip install pylibjpeg"):
        read_dicom(written())
