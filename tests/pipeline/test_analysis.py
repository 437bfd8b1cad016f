"""What an analysis leaves out of its summaries."""

from db.ingest_rows import write_source
from db.records import SourceMeasurement
from pipeline.analysis import Analysis
from report.page import Table

PARAMETERS = {"convention": "clear_field", "provenance": "manual", "source": "all", "split_set": ""}


def test_a_value_that_cannot_be_is_left_out_of_the_summaries_also_where_another_row_of_the_film_states_it(
    fresh_db, make_film
):
    values = (SourceMeasurement(name="cardiothoracic_ratio", value=56.0, unit="ratio"),)
    half = (SourceMeasurement(name="cardiothoracic_ratio", value=0.5, unit="ratio"),)
    films = [make_film("a.png", "a"), make_film("c.png", "c", measurements=half)]
    write_source(fresh_db, "films", "/", "manifest", films, rows_read=2)
    listed_again = [make_film("b.png", "b", content="hash of a.png", measurements=values)]
    write_source(fresh_db, "facts", "/", "manifest", listed_again, rows_read=1)
    analysis = Analysis(fresh_db, PARAMETERS, "sex", False)
    analysis.add_measurements([])
    table = next(block for block in analysis.page.blocks if isinstance(block, Table) and "median" in block.columns)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["films"], row["median"]) == (1, 0.5)
    analysis.add_cohort(analysis.cohort(None))
    assert [row["value"] for row in analysis.odd if row["fact"] == "cardiothoracic_ratio"] == [56.0], "listed once"
