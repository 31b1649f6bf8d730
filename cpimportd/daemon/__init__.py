"""The daemon's life: its loop, its runs as child processes, signals, systemd, the journal, its memory on disk.

The daemon is a clock; a run is a process. Nothing here knows what an import is, and nothing here imports a database,
FTP, Excel, ORM or web library: whatever a run does, the loop turns, and a crash or a leak ends with its process.
"""
