"""WHEN: expression, zone and instant → slots; memory and now → which slot is due. Pure: clock and files are others'."""

from cpimportd.timetable.calendar import (
    ExpressionError,
    SlotOrderError,
    count_slots,
    forget_rules,
    never_matches,
    newest_slot,
    next_slot,
    parse,
    slots,
)
from cpimportd.timetable.due import Due, due, resumable, upcoming
from cpimportd.timetable.irregular import IrregularDate, Irregularity, irregular_dates
from cpimportd.timetable.memory import Memory, Remembered, Timed, disbelieve, put_in_force

__all__ = [
    "Due",
    "ExpressionError",
    "IrregularDate",
    "Irregularity",
    "Memory",
    "Remembered",
    "SlotOrderError",
    "Timed",
    "count_slots",
    "disbelieve",
    "due",
    "forget_rules",
    "irregular_dates",
    "never_matches",
    "newest_slot",
    "next_slot",
    "parse",
    "put_in_force",
    "resumable",
    "slots",
    "upcoming",
]
