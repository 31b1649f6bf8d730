"""The steps that bring the schema ``cpimportd`` to what :mod:`cpimportd.books.schema.tables` says, run by Alembic."""
