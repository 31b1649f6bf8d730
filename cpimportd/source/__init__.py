"""GET: workbooks from an FTP server or a folder, whole, under safe names, verified."""

from cpimportd.source.fetch import Fetched, fetch, open_source
from cpimportd.source.probe import Step, probe

__all__ = ["Fetched", "Step", "fetch", "open_source", "probe"]
