"""The daemon's life: its loop, its runs as child processes, signals, systemd, the journal, its memory on disk.

The daemon is a clock; a run is a process. No module here knows what an import is, and none imports a database, FTP,
Excel, ORM or web library. So no run can block the loop, and a crash or a leak ends with its process.
"""
