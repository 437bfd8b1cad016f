import csv
import json

import numpy as np
import pytest

from data.loading import hash_file
from data.masks import decode_rle, encode_mask
from pipeline.formats import FORMATS, column_counts

RIGHT = np.zeros((5, 7), bool)
RIGHT[1:4, 1:3] = True
HEART = np.zeros((5, 7), bool)
HEART[0, :] = HEART[:, 6] = True
MASKS = {"right_lung": RIGHT, "left_lung": np.zeros((5, 7), bool), "heart": HEART}


@pytest.fixture
def done(tmp_path):
    for name, mask in MASKS.items():
        (tmp_path / "masks" / name).mkdir(parents=True)
        (tmp_path / "masks" / name / "a.png").write_bytes(encode_mask(mask))
    return tmp_path, [{"file": "films/a.png", "name": "a", "height": 5, "width": 7, "network": "0123456789abcdef"}]


def test_run_lengths_decode_to_the_same_masks(done):
    out, rows = done
    assert FORMATS["rle"](out, rows) == ([], [])
    with open(out / "rle.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["structure"] for line in lines] == ["right_lung", "left_lung", "heart"]
    for line in lines:
        assert np.array_equal(decode_rle(line["rle"], 5, 7), MASKS[line["structure"]])
        assert line["network"] == "0123456789abcdef"


def from_counts(segmentation):
    """Decode uncompressed COCO counts as pycocotools does: runs down the columns, outside first."""
    values = np.concatenate([np.full(n, i % 2, bool) for i, n in enumerate(segmentation["counts"])])
    return values.reshape(segmentation["size"][::-1]).T


def test_coco_annotations_hold_the_same_masks_boxes_and_areas(done):
    out, rows = done
    FORMATS["coco"](out, rows)
    coco = json.loads((out / "coco.json").read_text())
    assert coco["images"][0]["network"] == "0123456789abcdef"
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert [names[a["category_id"]] for a in coco["annotations"]] == ["right_lung", "heart"], "an empty mask has none"
    assert coco["annotations"][0]["bbox"] == [1, 1, 2, 3] and coco["annotations"][0]["area"] == 6
    assert [(a["id"], a["iscrowd"]) for a in coco["annotations"]] == [(1, 0), (2, 0)]
    for annotation in coco["annotations"]:
        assert np.array_equal(from_counts(annotation["segmentation"]), MASKS[names[annotation["category_id"]]])


@pytest.mark.parametrize("format", ["rle", "coco", "dicom-seg"])
def test_a_film_whose_masks_are_gone_is_named_and_the_others_are_written(done, format):
    out, rows = done
    (out / "a.png").write_bytes(encode_mask(RIGHT))
    whole = {**rows[0], "file": str(out / "a.png"), "input_sha256": hash_file(out / "a.png")}
    gone, empty = ({**rows[0], "file": f"films/{name}.png", "name": name} for name in ("gone", "empty"))
    for name in MASKS:
        (out / "masks" / name / "empty.png").touch()
    failed, _ = FORMATS[format](out, [gone, empty, whole])
    assert failed == [(f"films/{n}.png", "its masks are no longer there; predict it again") for n in ("gone", "empty")]
    if format == "rle":
        assert len((out / "rle.csv").read_text().splitlines()) == 1 + 3
    if format == "coco":
        assert len(json.loads((out / "coco.json").read_text())["images"]) == 1


def test_counts_begin_with_the_outside():
    assert column_counts(np.array([[True, False], [True, True]])) == [0, 2, 1, 1]
    assert column_counts(np.zeros((2, 2), bool)) == [4] and column_counts(np.ones((2, 2), bool)) == [0, 4]


def test_films_that_are_not_dicom_have_no_dicom_segmentation_and_it_is_said(done):
    out, rows = done
    (out / "a.png").write_bytes(encode_mask(RIGHT))
    written = FORMATS["dicom-seg"](out, [{**rows[0], "file": str(out / "a.png")}])
    assert written == ([], ["no DICOM segmentation of 1 film that is not DICOM"])


@pytest.mark.filterwarnings("error")  # pydicom warns of values that DICOM does not allow
def test_a_dicom_segmentation_holds_the_masks_and_names_film_and_patient(done):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    out, rows = done
    film = pydicom.Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.StudyInstanceUID, film.SeriesInstanceUID, film.PatientID = generate_uid(), generate_uid(), "P7"
    film.SpecificCharacterSet, film.PatientName = "ISO_IR 192", "Müller^Иван"
    film.save_as(out / "a.dcm", enforce_file_format=True)
    row = {**rows[0], "file": str(out / "a.dcm"), "input_sha256": hash_file(out / "a.dcm")}
    assert FORMATS["dicom-seg"](out, [row]) == ([], [])
    first = (out / "dicom-seg/a.dcm").read_bytes()
    segmentation = pydicom.dcmread(out / "dicom-seg/a.dcm")
    assert segmentation.pixel_array.shape == (2, 5, 7)
    assert np.array_equal(segmentation.pixel_array, np.stack([RIGHT, HEART]))
    assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == ["Right lung", "Heart"]
    assert segmentation.PatientID == "P7" and segmentation.PatientName == "Müller^Иван"
    assert segmentation.StudyInstanceUID == film.StudyInstanceUID
    assert segmentation.LossyImageCompression == "00" and "LossyImageCompressionRatio" not in segmentation
    source = segmentation.PerFrameFunctionalGroupsSequence[1].DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == film.SOPInstanceUID and source.SpatialLocationsPreserved == "YES"
    FORMATS["dicom-seg"](out, [row])
    assert pydicom.dcmread(out / "dicom-seg/a.dcm").SOPInstanceUID == segmentation.SOPInstanceUID
    assert abs(len((out / "dicom-seg/a.dcm").read_bytes()) - len(first)) == 0

    del film.StudyInstanceUID, film.SeriesInstanceUID  # a segmentation must have both
    film.LossyImageCompression, film.LossyImageCompressionRatio = "01", "20"
    film.LossyImageCompressionMethod = "ISO_10918_1"
    film.save_as(out / "a.dcm", enforce_file_format=True)
    row["input_sha256"] = hash_file(out / "a.dcm")
    made = set()
    for _ in range(2):
        FORMATS["dicom-seg"](out, [row])
        again = pydicom.dcmread(out / "dicom-seg/a.dcm")
        made.add((again.StudyInstanceUID, again.ReferencedSeriesSequence[0].SeriesInstanceUID))
    assert len(made) == 1 and all(made.pop())
    assert (again.LossyImageCompression, again.LossyImageCompressionRatio) == ("01", 20)
    assert again.LossyImageCompressionMethod == "ISO_10918_1"

    uid, film.preamble = film.SOPInstanceUID, bytes(128)
    del film.SOPInstanceUID
    film.save_as(out / "a.dcm")
    row["input_sha256"] = hash_file(out / "a.dcm")
    ((file, note),) = FORMATS["dicom-seg"](out, [row]).failed
    assert note.endswith("no SOPInstanceUID, by which a segmentation names its film; export it anew")
    film.SOPInstanceUID = uid

    # another patient's film under that name, then one on which nothing is found, then bytes that are no DICOM
    film.PatientID = "P8"
    film.save_as(out / "a.dcm", enforce_file_format=True)
    ((file, note),) = FORMATS["dicom-seg"](out, [row]).failed
    assert file == row["file"] and note.endswith(": the file has changed since it was predicted; predict it again")
    assert pydicom.dcmread(out / "dicom-seg/a.dcm").PatientID == "P7"
    row["input_sha256"] = hash_file(out / "a.dcm")
    for name in MASKS:
        (out / "masks" / name / f"{row['name']}.png").write_bytes(encode_mask(np.zeros_like(RIGHT)))
    ((file, note),) = FORMATS["dicom-seg"](out, [row]).failed
    assert "no mask has a pixel" in note and not (out / "dicom-seg/a.dcm").exists()
    (out / "a.dcm").write_bytes(bytes(128) + b"DICM and nothing more")
    row["input_sha256"] = hash_file(out / "a.dcm")
    ((file, note),) = FORMATS["dicom-seg"](out, [row]).failed
    assert note.startswith("no DICOM segmentation: ")


@pytest.mark.parametrize("format", ["rle", "coco", "dicom-seg"])
def test_a_mask_that_was_broken_since_costs_its_own_film_alone(done, format):
    out, rows = done
    path = out / "masks/heart" / f"{rows[0]['name']}.png"
    path.write_bytes(path.read_bytes()[:40])
    ((file, note),) = FORMATS[format](out, rows).failed
    assert (
        file == rows[0]["file"]
        and note.startswith("a mask cannot be read; remove it and predict the film again (")
        and str(path) in note
    )
