"""Alembic's environment: it runs on the connection that :mod:`upgrade` hands it, never by itself.

Our revision lives in ``cpimportd.alembic_version``; ``public.alembic_version`` is the backend's. The caller's
transaction spans everything, so that a failed migration leaves nothing.
"""

from alembic import context

from cpimportd.books.database.connection import SCHEMA
from cpimportd.books.schema.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
)

with context.begin_transaction():
    context.run_migrations()
