"""The tables: ours, the backend's, their migrations, and the rights that a run needs."""
