"""The process that forks a worker for every workbook, so that what they all need is imported once.

It gets no job, opens no workbook and holds no secret. ``workbook.forkserver`` describes its work.
"""

import os
import sys

from cpimportd.workbook import worker
from cpimportd.workbook.confine import import_codecs
from cpimportd.workbook.forkserver import serve

if __name__ == "__main__":
    import_codecs()
    serve()
    worker.main()
    sys.stdout.flush()
    # Taking the interpreter apart writes to every page that is shared with the server: 10 ms, half of a small workbook.
    os._exit(0)
