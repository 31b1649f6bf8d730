"""Figures as Prometheus understands them; names follow https://prometheus.io/docs/practices/naming/."""

from cpimportd.metrics.families import ImportCollector
from cpimportd.metrics.output import registry_of, text_of, write_textfile

__all__ = ["ImportCollector", "registry_of", "text_of", "write_textfile"]
