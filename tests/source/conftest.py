"""FTP servers and the folders that they serve."""

from tests.support.source.serving import authority, ca_file, certificate, served, spool, start

__all__ = ["authority", "ca_file", "certificate", "served", "spool", "start"]
