"""Words that cross doors between rooms: no room of its own work, and no I/O."""
