"""A workbook as a run saw it on the server: what reports, messages, monitors and the daemon's memory say of it.

The daemon loads this page: it needs nothing that is heavy, so kind and status are texts here.
"""

import msgspec

from cpimportd.core.typed import Instant


class SeenWorkbook(msgspec.Struct, frozen=True):
    """A workbook as a run saw it on the server.

    What else somebody knows of it stands in a class of his own that builds on this one: a run its rows and problems
    (:class:`cpimportd.core.report.FileReport`), the daemon when it saw it (:class:`cpimportd.daemon.store.Upload`).

    Attributes:
        name: as the server has it.
        kind: receipts, expenses or details; None where nothing tells.
        organizations: whose documents it holds, as far as it could be read.
        modified: when it was uploaded, by the server's clock; None where the server does not tell.
        status: how it fared, see :class:`cpimportd.core.report.FileStatus`.
    """

    name: str
    kind: str | None
    organizations: tuple[str, ...]
    modified: Instant | None
    status: str
