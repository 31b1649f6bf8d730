"""Alerts: what is wrong now, what of it is told when, in which words, and how it is sent. It knows no database."""
