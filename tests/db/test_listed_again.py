"""Films listed again: what the other rows say stands with the film, as long as they are listed and whatever comes first."""

from dataclasses import replace
from itertools import permutations

import pytest

from db.connection import connect
from db.ingest_rows import CheckedMask, write_source
from db.listed_again import masks_not_used
from db.records import SourceMask, SourceMeasurement
from db.selection import query_text, run_query, select_images

DEFAULT = {"convention": "clear_field", "provenance": "manual,landmark,phantom", "source": "all"}


def write(db, name, *films):
    write_source(db, name, f"/{name}", "manifest", films, rows_read=len(films))


def drawn(film, structure, file, provenance="manual"):
    mask = SourceMask(structure=structure, convention="clear_field", provenance=provenance, file=file)
    return replace(film, masks=(CheckedMask(mask=mask, values_seen="0 255", area_share=0.2),))


def chosen(db):
    films = select_images(db, query_text("segmentation_images"), DEFAULT)
    return {film.file: sorted(str(mask.path) for mask in film.masks) for film in films}


def facts(db):
    columns = "modality, view_position, body_part_examined, row_spacing_mm, column_spacing_mm, spacing_origin"
    return tuple(db.execute(f"SELECT {columns} FROM image WHERE duplicate_of IS NULL").fetchone())


def test_masks_and_view_of_a_manifest_reach_the_films_of_a_cohort_table_read_before(fresh_db, make_film):
    cohort = [
        make_film(f"{n}.png", f"p{n}", content=f"{n}", convention=None, view_position=None, modality=None)
        for n in "abcd"
    ]
    manifest = [make_film(f"x{n}.png", f"q{n}", content=f"{n}") for n in "abcd"]
    for _ in range(2):
        write(fresh_db, "cohort", *cohort)
        write(fresh_db, "drawn", *manifest)
        assert chosen(fresh_db) == {f"{n}.png": [f"/drawn/masks/x{n}.png"] for n in "abcd"}
        assert masks_not_used(fresh_db, "drawn") == (0, None)
    flow = run_query(fresh_db, query_text("cohort_flow"), DEFAULT)
    assert flow[-1]["remaining"] == 4
    write(fresh_db, "drawn", *manifest[:1])
    assert chosen(fresh_db) == {"a.png": ["/drawn/masks/xa.png"]}
    write(fresh_db, "drawn", make_film("other.png", "z"))
    assert chosen(fresh_db) == {"other.png": ["/drawn/masks/other.png"]}
    views = fresh_db.execute("SELECT DISTINCT view_position, modality FROM image WHERE file <> 'other.png'").fetchall()
    assert [tuple(row) for row in views] == [(None, None)]


def test_one_row_for_each_mask_trains_with_all_of_them(fresh_db, make_film):
    film = make_film("a.png")
    rows = [drawn(film, "right_lung", "r.png"), drawn(film, "left_lung", "l.png"), drawn(film, "heart", "h.png")]
    for order in permutations(rows):
        write(fresh_db, "s", *order)
        assert chosen(fresh_db) == {"a.png": ["/s/h.png", "/s/l.png", "/s/r.png"]}


def test_a_film_keeps_its_own_and_what_is_not_used_is_counted(fresh_db, make_film):
    write(fresh_db, "a", make_film("a.png", content="same", view_position="PA"))
    write(fresh_db, "b", make_film("b.png", content="same", view_position="AP"), make_film("c.png", "p2"))
    assert chosen(fresh_db) == {"a.png": ["/a/masks/a.png"], "c.png": ["/b/masks/c.png"]}
    assert facts(fresh_db)[1] == "PA"
    assert masks_not_used(fresh_db, "b") == (1, "b.png") and masks_not_used(fresh_db, "a") == (0, None)
    write(fresh_db, "a", make_film("a.png", content="same", convention=None, view_position=None))
    assert chosen(fresh_db)["a.png"] == ["/b/masks/b.png"] and facts(fresh_db)[1] == "AP"


def test_the_same_row_twice_is_not_called_unused(fresh_db, make_film):
    write(fresh_db, "a", make_film("a.png"), make_film("a.png", "another id"))
    assert masks_not_used(fresh_db, "a") == (0, None)


def test_what_the_others_say_does_not_depend_on_the_order_in_which_they_are_read(fresh_db, make_film):
    bare = make_film("a.png", content="same", convention=None, modality=None, view_position=None)
    one = make_film("b.png", content="same", modality=None, body_part_examined="CHEST", pixel_spacing_mm=(0.2, 0.1),
                    pixel_spacing_origin="manifest", findings=("effusion",),
                    measurements=(SourceMeasurement(name="heart_width_mm", value=120, unit="mm"),))  # fmt: skip
    two = make_film("c.png", content="same", body_part_examined="HAND", findings=("opacity",),
                    measurements=(SourceMeasurement(name="heart_width_mm", value=130, unit="mm"),))  # fmt: skip
    for order in permutations([("one", one), ("two", two)]):
        write(fresh_db, "bare", bare)
        for name, film in order:
            write(fresh_db, name, film)
        assert facts(fresh_db) == ("CR", "PA", None, 0.2, 0.1, "manifest")
        assert chosen(fresh_db) == {"a.png": ["/one/masks/b.png"]}
        detail = "FROM {} JOIN image USING (image_id) WHERE duplicate_of IS NULL"
        found = fresh_db.execute(f"SELECT finding {detail.format('finding')} ORDER BY 1").fetchall()
        assert [row[0] for row in found] == ["effusion", "opacity"]
        assert [row[0] for row in fresh_db.execute(f"SELECT value {detail.format('measurement')}")] == [120]
        for name in ("one", "two", "bare"):
            write(fresh_db, name, make_film(f"{name}.png", name))


def test_a_film_that_stays_alone_has_its_own_facts(fresh_db, make_film):
    write(fresh_db, "a", make_film("a.png", content="same", convention=None, view_position=None))
    write(fresh_db, "b", make_film("b.png", content="same"))
    write(fresh_db, "a", make_film("other.png"))
    rows = fresh_db.execute("SELECT file, view_position FROM image WHERE content_sha256 = 'same'").fetchall()
    assert [tuple(row) for row in rows] == [("b.png", "PA")] and chosen(fresh_db)["b.png"] == ["/b/masks/b.png"]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_older_databases_open_and_say_the_same(tmp_path, version):
    """Whatever was stored before stays; the columns are new and empty."""
    from db import migrations

    path = tmp_path / "old.sqlite"
    patch = pytest.MonkeyPatch()
    patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:version])
    old = connect(path)
    patch.undo()
    old.execute("INSERT INTO source VALUES (1, 's', '/films', 'manifest', 1, '2026-01-01')")
    old.execute("INSERT INTO patient (patient_id, source_id, patient_sex) VALUES ('s:p', 1, 'F')")
    old.execute("INSERT INTO study (study_id, patient_id) VALUES ('s:p:1', 's:p')")
    old.execute(
        "INSERT INTO image (source_id, study_id, file, modality, view_position, rows, columns, bits_stored, content_sha256) "
        "VALUES (1, 's:p:1', 'a.png', 'DX', 'PA', 17, 13, 8, 'x')"
    )
    old.execute(
        "INSERT INTO mask (image_id, structure, convention, provenance, rle) VALUES (1, 'lungs', 'clear_field', 'manual', '1 5')"
    )
    old.close()
    (film,) = select_images(connect(path), query_text("segmentation_images"), DEFAULT)
    assert film.file == "a.png" and film.masks[0].rle == "1 5"


def test_findings_are_lent_to_a_film_without_any_and_positions_too(fresh_db, make_film):
    def said(db):
        detail = "FROM finding JOIN image USING (image_id) WHERE duplicate_of IS NULL ORDER BY 1"
        return [row[0] for row in db.execute(f"SELECT finding {detail}")]

    again = make_film("b.png", content="same", findings=("opacity",), patient_position="SUPINE")
    write(fresh_db, "a", make_film("a.png", content="same", findings=("effusion",)))
    write(fresh_db, "b", again)
    assert said(fresh_db) == ["effusion"]
    assert fresh_db.execute("SELECT patient_position FROM image WHERE file = 'a.png'").fetchone()[0] == "SUPINE"
    write(fresh_db, "a", make_film("a.png", content="same"))
    assert said(fresh_db) == ["opacity"]
