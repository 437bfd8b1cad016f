"""The traps of each public layout, on tiny files in that layout."""

import gzip
import warnings

import numpy as np
import pytest
from PIL import Image

from data.film_check import check_film
from data.sources import READERS, chexmask, covid_chestxray, covid_radiography, jsrt, montgomery, shenzhen
from data.sources.facts import age_years, iso_date, modality_code, number, sex_code, view_codes
from data.sources.table import has_columns


def picture(path, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[::-1])).save(path)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("latin-1"))


def stated(film):
    """What a reader says of all its films, whether the table states it or not."""
    kinds = {(mask.convention, mask.provenance) for mask in film.masks}
    return film.modality, film.view_position, film.body_part_examined, film.pixel_spacing_mm, kinds


def leave_beside_every_file(folder):
    """As macOS does on foreign discs."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        (path.parent / f"._{path.name}").write_bytes(b"\x00\x05\x16\x07")


def test_montgomery(tmp_path):
    for name in ("MCUCXR_0001_0", "MCUCXR_0162_1", "MCUCXR_0166_1"):
        picture(tmp_path / f"CXR_png/{name}.png")
        for side in ("leftMask", "rightMask"):
            picture(tmp_path / f"ManualMask/{side}/{name}.png")
    text(tmp_path / "ClinicalReadings/MCUCXR_0001_0.txt", "Patient's Sex: F \r\nPatient's Age: 027Y\r\nnormal\r\n")
    text(tmp_path / "ClinicalReadings/MCUCXR_0166_1.txt",
         "Patient's Sex: O\nPatient's Age: 049Y\nNO REPORT\n(same pt as MCUCXR_0162_1)\n")  # fmt: skip
    leave_beside_every_file(tmp_path)
    one, other, again = montgomery.read(tmp_path)
    assert (one.patient_id, one.patient_sex, one.patient_age_years, one.findings) == (
        "MCUCXR_0001",
        "F",
        27,
        ("normal",),
    )
    assert {mask.structure: mask.file for mask in one.masks} == {
        "right_lung": "ManualMask/rightMask/MCUCXR_0001_0.png",
        "left_lung": "ManualMask/leftMask/MCUCXR_0001_0.png",
    }
    assert stated(one) == ("CR", "PA", "CHEST", (0.0875, 0.0875), {("clear_field", "manual")})
    assert other.patient_sex is None and other.findings == ("tuberculosis",)
    assert (again.patient_sex, again.same_patient_as, again.note) == (
        "O",
        ("MCUCXR_0162",),
        "NO REPORT (same pt as MCUCXR_0162_1)",
    )


def test_shenzhen_with_missing_masks_and_misspelt_readings(tmp_path):
    readings = {"0001_0": "male 45yrs\nnormal", "0002_0": "femal 32yrs\nnormal", "0327_1": "female24yrs\nright PTB",
                "0328_1": "male , 29yrs  \t\nx", "0329_1": "Female, 28yrs", "0330_1": "male 16month", "0331_1": "female 64days",
                "0332_1": "male 42"}  # fmt: skip
    for name, reading in readings.items():
        picture(tmp_path / f"ChinaSet_AllFiles/CXR_png/CHNCXR_{name}.png")
        text(tmp_path / f"ChinaSet_AllFiles/ClinicalReadings/CHNCXR_{name}.txt", reading)
    picture(tmp_path / "shcxr-lung-mask/mask/mask/CHNCXR_0001_0_mask.png")
    films = {film.patient_id: film for film in shenzhen.read(tmp_path)}
    assert len(films) == 8  # the mask is no film
    assert {
        film.patient_sex for name, film in films.items() if name in ("CHNCXR_0001", "CHNCXR_0328", "CHNCXR_0332")
    } == {"M"}
    assert [films[f"CHNCXR_{n}"].patient_sex for n in ("0002", "0327", "0329", "0331")] == ["F"] * 4
    ages = [films[f"CHNCXR_{n}"].patient_age_years for n in ("0001", "0327", "0328", "0332")]
    assert ages == [45, 24, 29, 42]
    assert films["CHNCXR_0330"].patient_age_years == pytest.approx(16 / 12, abs=1e-3)
    assert films["CHNCXR_0331"].patient_age_years == pytest.approx(64 / 365.25, abs=1e-3)
    assert len(films["CHNCXR_0001"].masks) == 1 and films["CHNCXR_0002"].masks == ()
    assert stated(films["CHNCXR_0001"]) == ("CR", "PA", "CHEST", None, {("clear_field", "manual")})
    assert films["CHNCXR_0327"].note == "right PTB" and films["CHNCXR_0327"].pixel_spacing_mm is None


def test_jsrt_with_scr_masks_and_carriage_returns(tmp_path):
    for name in ("JPCLN009", "JPCLN106", "JPCNN001"):
        text(tmp_path / f"All247images/{name}.IMG", "x")
    for fold, folder in (
        ("fold1", "right lung"),
        ("fold1", "left lung"),
        ("fold1", "heart"),
        ("fold1", "left clavicle"),
    ):
        ending = "GIF" if folder == "heart" else "gif"  # in capitals on some copies
        picture(tmp_path / f"scratch/{fold}/masks/{folder}/JPCLN009.{ending}")
    line = "JPCLN009.IMG\t4\t15\t53\tMale\t1634\t692\tmalignant\tl.upper\tlobe\tsusp. lung m\tetastasis"
    text(tmp_path / "CLNDAT_EN.txt", line + "\r" + line.replace("009", "106").replace("\t53\t", "\t?\t") + "\r")
    text(tmp_path / "CNNDAT_EN.TXT", "JPCNN001.IMG  24  Female  non-nodule\r")
    leave_beside_every_file(tmp_path)
    films = {film.patient_id: film for film in jsrt.read(tmp_path)}
    nodule = films["JPCLN009"]
    assert (nodule.patient_age_years, nodule.patient_sex, nodule.findings) == (53, "M", ("nodule", "malignant"))
    assert stated(nodule) == ("CR", "PA", "CHEST", (0.175, 0.175), {("clear_field", "manual")})
    assert nodule.note == "susp. lung metastasis" and nodule.photometric_interpretation == "MONOCHROME1"
    assert {mask.structure for mask in nodule.masks} == {"right_lung", "left_lung", "heart"}
    assert all(mask.scaled for mask in nodule.masks) and "scratch/fold1/masks/right lung/JPCLN009.gif" in [
        m.file for m in nodule.masks
    ]
    assert films["JPCLN106"].patient_age_years is None
    assert (films["JPCNN001"].patient_age_years, films["JPCNN001"].patient_sex) == (24, "F") and films[
        "JPCNN001"
    ].masks == ()


HEADER = (
    "Patientid, offset ,sex,age,finding,view,modality,date,folder,filename,temperature,pO2_saturation,clinical_notes,\n"
)


def test_covid_chestxray_with_odd_headers_and_two_kinds_of_masks(tmp_path):
    rows = [
        '2,3,M,65,Pneumonia/Viral/COVID-19,AP Supine,X-ray,"January 25, 2020",images,a.b.jpeg,38.5,?,note,',
        "2,3,M,65,todo,L,X-ray,2020,images,l.jpg,,,,",
        "285,,F,,No Finding,?,X-ray,March 2020,images,twice.png,,90,,",
        "339,,F,,No Finding,Axial,CT,12 January,images,twice.png,,,,",
    ]
    text(tmp_path / "metadata.csv", HEADER + "\n".join(rows) + "\n")
    picture(tmp_path / "semantic_masks_v7labs_lungs/x.png")
    (tmp_path / "semantic_masks_v7labs_lungs/x.png").rename(tmp_path / "semantic_masks_v7labs_lungs/a.b.jpeg")
    picture(tmp_path / "annotations/lungVAE-masks/a.b_mask.png")
    first, lateral, doubled, again = covid_chestxray.read(tmp_path)
    assert (first.view_position, first.patient_position, first.modality, first.study_date) == (
        "AP",
        "SUPINE",
        "CR",
        "2020-01-25",
    )
    assert first.findings == ("Pneumonia", "Viral", "COVID-19") and lateral.findings == ()
    assert [(m.convention, m.provenance, m.lung_value) for m in first.masks] == [
        ("includes_heart", "manual", 255),
        ("clear_field", "model", None),
    ]
    assert [(m.name, m.value, m.unit) for m in first.measurements] == [("temperature", 38.5, "degC")]
    assert stated(first)[2:4] == (None, None)
    assert first.study_id == lateral.study_id and lateral.view_position == "LL" and lateral.study_date == "2020"
    assert doubled.view_position is None and doubled.study_date == "2020-03" and doubled.file == again.file
    assert (again.modality, again.view_position, again.study_date) == ("CT", "AXIAL", None)


def test_covid_radiography_matches_names_without_regard_to_case(tmp_path):
    picture(tmp_path / "COVID-19_Radiography_Dataset/NORMAL/images/Normal-1.png")
    picture(tmp_path / "COVID-19_Radiography_Dataset/NORMAL/masks/Normal-1.png")
    picture(tmp_path / "COVID-19_Radiography_Dataset/Viral Pneumonia/Viral Pneumonia-7.png")
    leave_beside_every_file(tmp_path)
    normal, viral = covid_radiography.read(tmp_path)
    assert normal.findings == ("normal",) and viral.findings == ("viral pneumonia",)
    assert normal.masks[0].provenance == "model" and normal.masks[0].scaled and viral.masks == ()
    assert stated(normal) == ("CR", None, "CHEST", None, {("clear_field", "model")})


@pytest.mark.parametrize("packed", [False, True])
def test_chexmask_reads_run_lengths_drops_bad_rows_and_swapped_estimates(tmp_path, packed):
    header = "ImageID,Dice RCA (Max),Dice RCA (Mean),Landmarks,Left Lung,Right Lung,Heart,Height,Width\n"
    masks = '"1,2",5 2,1 2,3 1'
    rows = f"a_1.png,0.7,0.9,{masks},6.0,8.0\nb_1.png,0.65,0.9,{masks},6,8\nlost.png,0.9,0.8,{masks},,\n"
    if packed:
        (tmp_path / "Padchest.csv.gz").write_bytes(gzip.compress((header + rows).encode()))
    else:
        text(tmp_path / "Padchest.csv", header + rows)
    picture(tmp_path / "0/a_1.png")
    picture(tmp_path / "0/b_1.png")
    leave_beside_every_file(tmp_path)
    film, lost = chexmask.read(tmp_path)
    assert film.file == "0/a_1.png" and lost.file == "lost.png"
    assert stated(film) == ("CR", None, "CHEST", None, {("clear_field", "model")})
    assert {mask.structure: mask.rle for mask in film.masks} == {
        "right_lung": "1 2",
        "left_lung": "5 2",
        "heart": "3 1",
    }


def test_chexmask_says_that_persons_are_unknown_where_only_names_of_films_are_published(tmp_path):
    text(
        tmp_path / "Padchest.csv",
        RCA_HEADER + "".join(f"{n},.8,.9,1,5 2,1 2,3 1,6,8\n" for n in ("10_a.png", "10_b.png")),
    )
    with pytest.warns(
        UserWarning, match="Padchest.csv: 2 films do not say whose they are; .* may fall in training and test"
    ):
        one, two = chexmask.read(tmp_path)
    assert one.patient_id == two.patient_id == "10"
    (tmp_path / "Padchest.csv").unlink()
    rows = "".join(f"{n},.8,.9,1,5 2,1 2,3 1,6,8\n" for n in ("00000013_001.png", "00000013_026.png"))
    text(tmp_path / "ChestX-Ray8.csv", RCA_HEADER.replace("Path", "Image Index") + rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {film.patient_id for film in chexmask.read(tmp_path)} == {"00000013"}


RCA_HEADER = "Path,Dice RCA (Mean),Dice RCA (Max),Landmarks,Left Lung,Right Lung,Heart,Height,Width\n"


def test_chexmask_finds_a_film_by_its_whole_path_not_by_its_last_part(tmp_path):
    names = [f"train/patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2, 3)]
    text(tmp_path / "CheXpert.csv", RCA_HEADER + "".join(f'{name},.8,.9,"1",5 2,1 2,3 1,6.0,8.0\n' for name in names))
    for name in names[:2]:
        picture(tmp_path / "CheXpert-v1.0-small" / name)
    one, two, lost = chexmask.read(tmp_path)
    assert one.file == f"CheXpert-v1.0-small/{names[0]}" and one.patient_id == "patient00001"
    assert two.file == f"CheXpert-v1.0-small/{names[1]}" and two.patient_id == "patient00002"
    assert lost.file == names[2] and lost.masks == ()
    assert {mask.rle_size for mask in one.masks} == {(6, 8)}
    picture(tmp_path / "copy" / names[0])
    with pytest.raises(ValueError, match="two films fit the name train/patient00001/.*keep one of them"):
        list(chexmask.read(tmp_path))


def test_chexmask_finds_films_that_are_dicom(tmp_path):
    name = "files/p10/p10000032/s50414267/abc"
    text(tmp_path / "MIMIC.csv", RCA_HEADER.replace("Path", "dicom_id") + 'abc,.8,.9,"1",5 2,1 2,3 1,6.0,8.0\n')
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / f"{name}.dcm").write_bytes(b"")
    (film,) = chexmask.read(tmp_path)
    assert (film.file, film.patient_id) == (f"{name}.dcm", "p10000032")


def test_chexmask_ids_with_dots_are_not_cut(tmp_path):
    rows = "".join(f"1.2.276.{n},.8,.9,1,5 2,1 2,3 1,,\n" for n in (11, 12))
    text(tmp_path / "CANDID.csv", RCA_HEADER.replace("Path", "ImageID") + rows)
    for number_ in (11, 12):
        picture(tmp_path / f"png/1.2.276.{number_}.png")
    picture(tmp_path / "p10/p10000032/s50414267/02aa804e.jpg")
    text(tmp_path / "MIMIC.csv", RCA_HEADER.replace("Path", "dicom_id") + "02aa804e,.8,.9,1,5 2,1 2,3 1,6,8\n")
    first, second, mimic = chexmask.read(tmp_path)
    assert (first.file, second.file) == ("png/1.2.276.11.png", "png/1.2.276.12.png")
    assert first.patient_id != second.patient_id and mimic.patient_id == "p10000032"
    assert first.masks[0].rle_size is None


def test_chexmask_masks_of_another_size_are_refused_not_decoded(tmp_path):
    text(tmp_path / "a.csv", RCA_HEADER + "a_1.png,.8,.9,1,5 2,1 2,3 1,6,8\nb_1.png,.8,.9,1,5 2,1 2,3 1,3,4\n")
    picture(tmp_path / "a_1.png")
    picture(tmp_path / "b_1.png")
    good, other = chexmask.read(tmp_path)
    checked, refusals = check_film(good, tmp_path)
    assert refusals == [] and [mask.area_share for mask in checked.masks] == [2 / 48, 2 / 48, 1 / 48]
    checked, refusals = check_film(other, tmp_path)
    assert checked.masks == () and {refusal.reason for refusal in refusals} == {"mask of another size"}
    assert refusals[0].detail.startswith("b_1.png: run-length mask of 4 x 3 pixels on a film of 8 x 6; bring the film")


@pytest.mark.parametrize("above", ["\ufeff", "\ufeffsep=;\n", "\ufeff\n;;\n"])
def test_the_columns_of_a_table_are_found_below_marks_and_blank_lines(tmp_path, above):
    (tmp_path / "a.csv").write_text(f"{above}ImageID;Landmarks;Note\n1;2;M\u00fcller\n", encoding="utf-8")
    assert has_columns(tmp_path / "a.csv", ("imageid", "landmarks")) and not has_columns(tmp_path / "a.csv", ("file",))
    (tmp_path / "a.csv").write_text("ImageID;M\u00fcller\n", encoding="latin-1")
    assert has_columns(tmp_path / "a.csv", ("imageid",))


def test_a_packed_table_that_is_cut_off_is_named(tmp_path):
    packed = gzip.compress((RCA_HEADER + "a_1.png,.8,.9,1,5 2,1 2,3 1,6,8\n" * 50).encode())
    (tmp_path / "a.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(ValueError, match="a.csv.gz: broken table"):
        list(chexmask.read(tmp_path))


def test_covid_rows_that_lack_cells_are_rows_all_the_same(tmp_path):
    text(tmp_path / "metadata.csv", "patientid,view,filename\n1,PA,\n2,PA\n,PA,a.png\n")
    first, second, third = covid_chestxray.read(tmp_path)
    assert (first.file, second.file, third.file) == ("", "", "images/a.png") and third.patient_id == "a.png"
    text(tmp_path / "metadata.csv", "patientid,view\n1,PA\n")
    with pytest.raises(ValueError, match="metadata.csv: no column 'filename'; got patientid,view"):
        list(covid_chestxray.read(tmp_path))


@pytest.mark.parametrize("reader", [montgomery, shenzhen, jsrt, covid_chestxray, covid_radiography, chexmask])
def test_an_empty_folder_says_what_was_wanted(tmp_path, reader):
    assert reader.__name__.rsplit(".", 1)[1] in READERS
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        list(reader.read(tmp_path))


@pytest.mark.parametrize(
    ("words", "date"),
    [("January 22, 2020", "2020-01-22"), ("Mar 3, 2020", "2020-03-03"), ("03/16/20", "2020-03-16"), ("3/7/2020", "2020-03-07"),
     ("12 March 2020", "2020-03-12"), ("2015", "2015"), ("2015-06", "2015-06"),
     ("January 12", None), ("", None), (None, None), ("20200131", "2020-01-31"),
     ("202012", "2020-12"), ("202013", None), ("2020011", None), ("20201301", None)],
)  # fmt: skip
def test_dates_are_kept_as_far_as_they_are_stated(words, date):
    assert iso_date(words, month_first=True) == date
    assert iso_date(f"{words} 00:00:00", month_first=True) == date  # as spreadsheets write a day
    if words and "/" in words:  # the seventh of March and the third of July look alike
        assert iso_date(words) is None


def test_words_of_sources_become_codes():
    assert [sex_code(word) for word in ("M", "female", "femal", "O", "", "?", "x")] == [
        "M",
        "F",
        "F",
        "O",
        None,
        None,
        None,
    ]
    others = ("missing", "Mujer", "Mrs", "M/F", "Mixed", "FALSE", "Frau", "fehlt")  # their first letters say nothing
    assert not any(map(sex_code, others)) and sex_code("Male") == "M" and sex_code("other") == "O"
    ages = {"045Y": 45, "45": 45, "27yrs": 27, "71,5": 71.5, "3,5 month": 0.2917, "64days": 0.1752, "3W": 0.0575}
    assert {word: age_years(word) for word in ages} == ages
    assert not any(
        map(
            age_years,
            ("60-70", "65+", "1.234,5", "1955", "45 or so", "-5", "?", None, "", "12h", "3 Tage", "10 min", "30s"),
        )
    )
    assert [modality_code(word) for word in ("X-ray", "CT", "dx", "")] == ["CR", "CT", "DX", None]
    assert view_codes("AP semi erect") == ("AP", "SEMIERECT") and view_codes("Coronal") == ("CORONAL", None)
    assert view_codes("Postero-anterior") == view_codes("postero-anterior projection") == ("PA", None)
    assert view_codes("PA erect") == view_codes("Chest PA upright") == ("PA", "ERECT")
    assert view_codes("AP portable") == view_codes("anteroposterior view") == ("AP", None)
    assert view_codes("AP portable semi-erect") == ("AP", "SEMIERECT") and view_codes("L") == ("LL", None)
    for other in ("PA and lateral", "AP PA", "erect", "chest", "PA oblique", "", None):
        assert view_codes(other) == (None, None), other
    assert [number(word) for word in ("1.5", "?", "inf", "nan", None)] == [1.5, None, None, None, None]
    read = {
        "0,482": 0.482,
        "12,5": 12.5,
        "-3,25": -3.25,
        "1,2345": 1.2345,
        "1,482": None,
        "0,4,8": None,
        "1,482,5": None,
    }
    assert {word: number(word) for word in read} == read


def test_covid_films_of_one_offset_or_else_one_day_are_one_study(tmp_path):
    days = (("7", "3", "2020"), ("7", "3", "2021"), ("7", "4", "2020"), ("8", "", "3 March 2020"), ("8", "", "March 3, 2020"),
            ("8", "", "4 March 2020"), ("8", "", "March 2020"))  # fmt: skip
    rows = [
        f'{patient},{offset},,,x,PA,X-ray,"{date}",images,{n}.png,,,,' for n, (patient, offset, date) in enumerate(days)
    ]
    text(tmp_path / "metadata.csv", HEADER + "\n".join(rows) + "\n")
    studies = [film.study_id for film in covid_chestxray.read(tmp_path)]
    assert studies == ["offset 3", "offset 3", "offset 4", *["date 2020-03-03"] * 2, "date 2020-03-04", None]
