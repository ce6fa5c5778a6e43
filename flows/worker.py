"""`python -m flows.worker tcp://SCHEDULER:8786`: work for a cluster, in the clone that is the current folder."""

from __future__ import annotations

import sys

from distributed.cli.dask_worker import main

if __name__ == "__main__":
    # One stage at a time, since a clone holds one; a machine with several GPUs has a clone and a worker for each.
    main([*sys.argv[1:], "--nworkers", "1", "--nthreads", "1", "--no-dashboard"])
