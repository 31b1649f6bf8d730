"""The values that rooms exchange, their texts and JSON, and helpers for files, time and processes."""
