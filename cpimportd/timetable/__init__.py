"""WHEN: expression, zone and instant → slots; memory and now → which slot is due. Pure: clock and files are others'."""

from cpimportd.timetable.calendar import (
    ExpressionError,
    SlotOrderError,
    count_slots,
    newest_slot,
    next_slot,
    slots,
)
from cpimportd.timetable.irregular import IrregularDate, Irregularity, irregular_dates

__all__ = [
    "ExpressionError",
    "IrregularDate",
    "Irregularity",
    "SlotOrderError",
    "count_slots",
    "irregular_dates",
    "newest_slot",
    "next_slot",
    "slots",
]
