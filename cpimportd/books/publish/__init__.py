"""One transaction: stage, compare, merge, account, record; and its reverse, undo."""
