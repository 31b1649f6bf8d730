"""The verb ``check``: tests whether everything is there that a run needs. It changes nothing."""
