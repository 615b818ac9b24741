"""A history of many runs, made in seconds from one real run and copies of its rows."""

import sqlalchemy as sa

from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import METADATA, RUNS, append, connected
from mcp_perf.results.render.files.kept import kept
from tests.support import example_report as example


def fill(store: str, number: int) -> None:
    """Fill an empty SQLite store with runs an hour apart, each with metrics and a report."""
    report = example.report()
    append(store, of_report(report), kept(report))
    many = sa.select(sa.literal(2).label("n")).cte("many", recursive=True)
    many = many.union_all(sa.select(many.c.n + 1).where(many.c.n < number))
    begun = sa.func.strftime("%Y-%m-%dT%H:%M:%SZ", RUNS.c.started, many.c.n.concat(" hours"))
    changed = {
        "id": many.c.n,
        "run": many.c.n,
        "run_id": sa.literal("run-").concat(many.c.n),
        "started": begun,
    }
    with connected(store) as engine, engine.begin() as connection:
        for table in METADATA.sorted_tables:
            key = table.c["id" if table is RUNS else "run"]
            columns = [changed.get(name, column) for name, column in table.c.items()]
            copies = sa.select(*columns).select_from(table.join(many, sa.true())).where(key == 1)
            connection.execute(sa.insert(table).from_select(list(table.c.keys()), copies))
