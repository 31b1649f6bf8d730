"""A LocalCluster of two worker processes in a process of its own: python -m tests.support.cluster.local_cluster.

It says its address in a line and lives until its stdin ends, so that nothing of it stays among the tests' own children.
"""

import sys

from distributed import LocalCluster


def main() -> None:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
