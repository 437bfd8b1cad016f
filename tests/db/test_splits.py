import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.ingest_rows import write_source
from db.splits import draw_fold, draw_leave_out, draw_split, hash_fraction


def stored(db, split_set):
    rows = db.execute("SELECT patient_id, split FROM split WHERE split_set = ?", (split_set,))
    return {row["patient_id"]: row["split"] for row in rows}


@pytest.fixture
def hospital(fresh_db, make_film):
    films = [make_film(f"{i}.png", f"p{i}") for i in range(400)]
    write_source(fresh_db, "a", "/", "manifest", films)
    write_source(fresh_db, "b", "/", "manifest", [make_film(f"b{i}.png", f"q{i}") for i in range(50)])
    return fresh_db


def test_shares_are_near_what_was_asked(hospital):
    splits = list(stored(hospital, draw_split(hospital, seed=0)).values())
    assert len(splits) == 450
    assert 0.15 < splits.count("test") / 450 < 0.25 and 0.06 < splits.count("val") / 450 < 0.14


@pytest.mark.parametrize("patients", [12, 27])
def test_of_few_patients_every_split_has_some_and_later_ones_do_not_move_them(fresh_db, make_film, patients):
    write_source(fresh_db, "a", "/", "manifest", [make_film(f"{i}.png", f"p{i}") for i in range(patients)])
    draws = [draw_split(fresh_db, seed) for seed in range(20)]
    draws += [draw_fold(fresh_db, seed, fold, 3) for seed in range(20) for fold in (1, 2, 3)]
    before = {name: stored(fresh_db, name) for name in draws}
    for name, splits in before.items():
        assert {"train", "val"} <= {*splits.values()} and ("test" in splits.values() or "fold" in name)
    write_source(fresh_db, "b", "/", "manifest", [make_film(f"b{i}.png", f"q{i}") for i in range(40)])
    for seed in range(20):
        assert before[draw_split(fresh_db, seed)].items() <= stored(fresh_db, f"seed{seed}").items()


def test_patients_added_later_do_not_move_the_others(hospital, make_film):
    before = stored(hospital, draw_split(hospital, seed=0))
    write_source(hospital, "c", "/", "manifest", [make_film(f"c{i}.png", f"r{i}") for i in range(50)])
    after = stored(hospital, draw_split(hospital, seed=0))
    assert len(after) == 500 and before.items() <= after.items()
    assert stored(hospital, draw_split(hospital, seed=1)) != after


def test_every_patient_is_tested_in_exactly_one_fold(hospital):
    folds = [stored(hospital, draw_fold(hospital, 0, fold, 5)) for fold in range(1, 6)]
    for patient_id in folds[0]:
        assert [fold[patient_id] for fold in folds].count("test") == 1
    assert all("val" in fold.values() for fold in folds)
    with pytest.raises(ValueError, match="between 1 and folds"):
        draw_fold(hospital, 0, 6, 5)


def test_leaving_a_source_out_tests_on_all_of_it_and_only_it(hospital):
    splits = stored(hospital, draw_leave_out(hospital, 0, ["b"]))
    assert all((split == "test") == patient_id.startswith("b:") for patient_id, split in splits.items())
    with pytest.raises(ValueError, match="no such source; the database has a, b"):
        draw_leave_out(hospital, 0, ["elsewhere"])


def test_a_person_with_two_ids_is_in_one_split(fresh_db, make_film):
    films = [make_film(f"{i}.png", f"p{i}", same_patient_as=(f"p{i + 1}",) if i % 2 == 0 else ()) for i in range(60)]
    write_source(fresh_db, "a", "/", "manifest", films)
    draw_split(fresh_db, seed=3)
    rows = fresh_db.execute(
        "SELECT file, split, split_set FROM image JOIN study USING (study_id) JOIN split USING (patient_id)"
    ).fetchall()
    split_of = {row["file"]: row["split"] for row in rows}
    assert len(split_of) == 60 and {row["split_set"] for row in rows} == {"seed3"}
    assert all(split_of[f"{i}.png"] == split_of[f"{i + 1}.png"] for i in range(0, 60, 2))


def test_a_person_who_turns_out_to_be_known_stays_where_the_network_saw_that_person(fresh_db, make_film):
    write_source(fresh_db, "z", "/", "manifest", [make_film(f"{i}.png", f"p{i}") for i in range(100)])
    before = stored(fresh_db, draw_split(fresh_db, seed=0))
    again = [make_film(f"again{i}.png", f"q{i}", content=f"hash of {i}.png") for i in range(100)]
    write_source(fresh_db, "a", "/", "manifest", again)  # the ids of source a stand for the persons now
    after = stored(fresh_db, draw_split(fresh_db, seed=0))
    assert after == {name.replace("z:p", "a:q"): split for name, split in before.items()}


def test_of_two_ids_of_one_person_in_two_splits_training_wins(fresh_db, make_film):
    films = [make_film(f"{i}.png", f"p{i}") for i in range(100)]
    write_source(fresh_db, "a", "/", "manifest", films)
    before = stored(fresh_db, draw_split(fresh_db, seed=0))
    linked = [make_film(f"{i}.png", f"p{i}", same_patient_as=(f"p{i + 1}",) if i % 2 == 0 else ()) for i in range(100)]
    write_source(fresh_db, "a", "/", "manifest", linked)
    after = stored(fresh_db, draw_split(fresh_db, seed=0))
    seen = set()
    for i in range(0, 100, 2):
        pair = {before[f"a:p{i}"], before[f"a:p{i + 1}"]}
        (kept,) = ({f"a:p{i}", f"a:p{i + 1}"} & after.keys(),)
        assert [after[name] for name in kept] == [min(pair, key=("train", "val", "test").index)]
        seen.add(frozenset(pair))
    assert {frozenset({"train", "test"}), frozenset({"train", "val"})} <= seen


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_hash_fraction_is_a_fraction(text):
    assert 0 <= hash_fraction(text) < 1


def test_a_person_known_to_a_source_that_is_left_out_is_never_trained_on(fresh_db, make_film):
    """Two sources list one film, so their two ids are one person, whose id may be either's."""
    for one, other in (("a", "b"), ("d", "c")):
        write_source(fresh_db, one, "/", "manifest", [make_film(f"{one}.png", "p"), make_film(f"{one}2.png", "p")])
        write_source(fresh_db, other, "/", "manifest", [make_film(f"{other}.png", "q", content=f"hash of {one}.png")])
    for left_out, person in (("a", "a:p"), ("b", "a:p"), ("c", "c:q"), ("d", "c:q")):
        splits = stored(fresh_db, draw_leave_out(fresh_db, 0, [left_out]))
        assert len(splits) == 2 and [patient for patient, split in splits.items() if split == "test"] == [person]


def test_a_tenth_validates_in_every_fold_and_not_the_same_one(fresh_db, make_film):
    write_source(fresh_db, "s", "/", "manifest", [make_film(f"{n}.png", f"p{n}") for n in range(300)])
    vals = []
    for fold in (1, 2, 3):
        splits = stored(fresh_db, draw_fold(fresh_db, 0, fold, 3))
        vals.append({name for name, split in splits.items() if split == "val"})
        others = sum(split != "test" for split in splits.values())
        assert 0.04 < len(vals[-1]) / others < 0.17
    assert len(set.union(*vals)) > 1.5 * max(map(len, vals))


@pytest.mark.parametrize(("people", "splits"), [(1, ["train"]), (2, ["test", "train"]), (3, ["test", "train", "val"])])
def test_of_few_persons_one_is_tested_on_then_one_validates_and_one_stays_to_train_on(
    fresh_db, make_film, people, splits
):
    names = [n for n in range(999) if hash_fraction(f"0:s:p{n}") >= 0.3 and hash_fraction(f"0:p{n}") >= 0.3][:people]
    write_source(fresh_db, "s", "/", "manifest", [make_film(f"{n}.png", f"p{n}") for n in names])
    assert sorted(stored(fresh_db, draw_split(fresh_db, 0)).values()) == splits


def test_sources_left_out_are_one_split_in_any_order_and_none_is_refused(fresh_db, make_film):
    for name in ("a", "b"):
        write_source(fresh_db, name, "/", "manifest", [make_film(f"{name}.png", f"{name}1")])
    assert draw_leave_out(fresh_db, 0, ["b", "a"]) == draw_leave_out(fresh_db, 0, ["a", "b", "a"])
    with pytest.raises(ValueError, match="nothing"):
        draw_leave_out(fresh_db, 0, [])
