"""Workbooks through a Dask cluster: the run's side, the child process that speaks to Dask, and the worker's task."""
