"""The interface over HTTP and the dashboard: a process of its own that reads the books and asks the daemon."""
