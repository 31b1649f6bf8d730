"""Who is notified after COMMIT and when something is wrong: cache, views, alerts, heartbeat, metrics, Nagios."""
