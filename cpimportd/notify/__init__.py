"""Notifications after COMMIT and of problems: cache, views, alerts, heartbeat, metrics, Nagios."""
