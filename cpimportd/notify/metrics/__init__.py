"""Figures as Prometheus understands them; names follow https://prometheus.io/docs/practices/naming/."""
