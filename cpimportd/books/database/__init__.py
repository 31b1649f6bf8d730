"""The database: a connection and what may be wrong with it, named queries, backups, embedded PostgreSQL."""
