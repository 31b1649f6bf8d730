"""The steps that bring the schema ``cpimportd`` to what :mod:`cpimportd.books.schema` says, run by Alembic."""
