"""Copies today's rows into temporary tables. The backend's tables are not touched yet."""

from collections.abc import Mapping

import asyncpg

from cpimportd.books.database.queries import SHAPES, sql
from cpimportd.books.publish.plan import Publication
from cpimportd.core.model import STAGED_COLUMNS


async def lay_out(connection: asyncpg.Connection, department_id: int, run_id: int, zone: str) -> None:
    """Make the temporary tables and say for which department, run and zone they are."""
    # Few rows tell the planner enough of tables whose columns hold keys and names. Whoever reads the books meanwhile
    # has the other processors: one session takes one.
    await connection.execute(
        "SET LOCAL work_mem = '64MB'; SET LOCAL temp_buffers = '64MB'; SET LOCAL jit = off;"
        " SET LOCAL default_statistics_target = 10; SET LOCAL max_parallel_workers_per_gather = 0"
    )
    await connection.execute(sql("stage", "create"))
    await connection.execute("INSERT INTO stage_scope VALUES ($1, $2, $3)", department_id, run_id, zone)


async def create(connection: asyncpg.Connection, publication: Publication, run_id: int) -> None:
    """Make the temporary tables of a publication and say for which units they are."""
    await lay_out(connection, publication.department_id, run_id, publication.zone.key)
    await connection.executemany(
        "INSERT INTO stage_unit (organization, kind, put_right, accepted) VALUES ($1, $2, $3, $4)",
        [
            (unit.organization, unit.group.value, unit in publication.put_right, bool(found.accepted))
            for unit, found in publication.units.items()
        ],
    )


async def fill(connection: asyncpg.Connection, publication: Publication, snapshot_ids: Mapping[int, int]) -> None:
    """COPY the understood rows of every file that a unit needs, then drop the rows of other units."""
    needed = frozenset[int]().union(*(unit.file_nos for unit in publication.units.values()))
    for file_no in sorted(needed):
        plan = publication.files[file_no]
        if plan.kind is None or plan.snapshot.rows_path is None:
            continue
        await connection.execute(
            "INSERT INTO stage_file (file_no, snapshot_id, kind, file, control_total) VALUES ($1, $2, $3, $4, $5)",
            file_no,
            snapshot_ids[file_no],
            plan.kind.value,
            plan.snapshot.file.name,
            plan.snapshot.main_total,
        )
        await connection.copy_to_table(
            f"stage_{plan.kind.value}",
            source=plan.snapshot.rows_path,
            columns=STAGED_COLUMNS[plan.kind],
            format="text",
            encoding="utf-8",
        )
    await drop_other_units(connection)
    await connection.execute(sql("stage", "analyze"))


async def drop_other_units(connection: asyncpg.Connection) -> None:
    """Leave in the stage only what belongs to units that take part."""
    for shape in SHAPES:
        await connection.execute(sql("stage", "drop_other_units", **shape.identifiers))
    await connection.execute(sql("stage", "drop_other_details"))
