"""What changed: the journal and lineage, as states, differences, explanations and bridges."""
