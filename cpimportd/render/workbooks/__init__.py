"""Workbooks that we write for people, and the one way in which a file of theirs is written."""
