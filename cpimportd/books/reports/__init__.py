"""Reports from the books for people and monitors: history, health, summary, reconciliation."""
