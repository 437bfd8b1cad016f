from pipeline.measurers import main_measurers, not_shown, rows_to_show


def row(run, films, name="ratio", masks=0):
    return {
        "run_id": run, "measured_by": "source" if run is None else f"run {run}", "films": films, "name": name,
        "of_stored_masks": None if run is None else masks,
    }  # fmt: skip


def test_of_each_measurement_who_took_it_on_most_films_is_compared():
    """A source that states the saturation of many films does not hide the ratio that masks gave of fewer."""
    names = [
        row(None, 100, "saturation"),
        row(3, 51),
        row(4, 51),
        row(4, 2, "width"),
        row(None, 9),
        row(5, 60, "saturation"),
    ]
    assert main_measurers(names) == [names[0], names[2], names[3]]
    equal = [row(3, 9), row(None, 9)]
    assert main_measurers(equal) == [equal[1]]


def test_of_each_measurement_the_fullest_run_is_shown_and_the_others_are_named():
    names = [row(None, 500), row(2, 90), row(5, 80, masks=1), row(6, 40, "width", masks=1), row(7, 3, masks=1)]
    shown = rows_to_show(names, [])
    assert shown == [names[0], names[2], names[3]]
    assert not_shown(names, shown).startswith("Measured too, and not shown here: run 2 (90 films), run 7 (3 films).")
    assert rows_to_show([row(2, 90), row(3, 90)], []) == [row(3, 90)]
    assert rows_to_show(names, [2, 7]) == [names[0], names[1], names[4]]
    assert not_shown(names[:2], names[:2]) is None
    assert "and 2 more" in not_shown([row(n, n) for n in range(2, 7)], [])
