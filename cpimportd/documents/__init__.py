"""UNDERSTAND: the cells of a workbook become typed rows, or rejects that say why. Pure: no I/O."""

from cpimportd.documents.header import has_header
from cpimportd.documents.items import DocumentRow, Header, Totals
from cpimportd.documents.names import kind_by_name
from cpimportd.documents.understand import understand

__all__ = ["DocumentRow", "Header", "Totals", "has_header", "kind_by_name", "understand"]
