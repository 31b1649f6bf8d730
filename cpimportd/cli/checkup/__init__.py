"""The verb ``check``: is everything there that a run needs? It changes nothing."""
