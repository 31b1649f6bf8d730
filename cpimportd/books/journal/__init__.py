"""Reads the journal and lineage: states, differences, explanations and bridges."""
