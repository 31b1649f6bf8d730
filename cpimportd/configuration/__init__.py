"""Where the values come from: file, environment, credentials and the predecessor's names, each with its origin.

The order, the strongest first: ``CPIMPORTD_…`` in the environment, systemd's credentials, the TOML file, the
predecessor's names, the default. What can be set at all is :mod:`cpimportd.settings`' business.
"""

from cpimportd.configuration.example import example
from cpimportd.configuration.loading import Loaded, load, require_database, require_source
from cpimportd.configuration.show import Row, as_json, render
from cpimportd.statefolder import DEFAULT_PATH

__all__ = [
    "DEFAULT_PATH",
    "Loaded",
    "Row",
    "as_json",
    "example",
    "load",
    "render",
    "require_database",
    "require_source",
]
