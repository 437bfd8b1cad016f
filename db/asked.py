"""What a user asks a selection for by name: as parameters of a query, and refused where database or query lack it."""

import re
import sqlite3
from collections.abc import Mapping, Sequence

from db.records import PROVENANCES


def check_asked(connection: sqlite3.Connection, sql: str, asked: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError for a source that the database lacks, a parameter that the query ignores, or an unknown provenance.

    asked: those of the query's named parameters that the user has set, each with its values.
    """
    code = re.sub(r"--.*|/\*[\s\S]*?\*/", "", sql)
    for name in asked:
        if not re.search(rf":{name}\b", code):
            raise ValueError(
                f"--{name} changes nothing: the query does not use :{name}; leave it out, or use it in the query"
            )
    odd = [name for name in asked.get("provenance", ()) if name not in PROVENANCES]
    if odd:
        raise ValueError(f"--provenance {','.join(odd)}: no such provenance; wanted some of {', '.join(PROVENANCES)}")
    known = {row["name"] for row in connection.execute("SELECT name FROM source")}
    unknown = [name for name in asked.get("source", ()) if name not in known and name != "all"]
    if len(asked.get("source", ())) > 1 and "all" in asked["source"]:
        raise ValueError(
            f"--source {','.join(asked['source'])}: all means every source; name all alone, or only others"
        )
    if unknown:
        raise ValueError(f"--source {','.join(unknown)}: no such source; the database has {', '.join(sorted(known))}")


def query_parameters(convention: str, provenance: Sequence[str], source: Sequence[str]) -> dict[str, str]:
    """Return the named parameters of the queries of db/queries that select films: lists become text, parted by commas."""
    return {"convention": convention, "provenance": ",".join(provenance), "source": ",".join(source)}
