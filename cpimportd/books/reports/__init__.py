"""What the books say to people and monitors: history, health, summary, reconciliation."""
