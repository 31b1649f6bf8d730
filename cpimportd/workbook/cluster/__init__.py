"""Workbooks through a Dask cluster: the run's side, the child process with Dask's client, and the worker's task."""
