"""Loads the configuration from file, environment, credentials and the predecessor's names, each value with its origin.

The order, the strongest first: ``CPIMPORTD_…`` in the environment, systemd's credentials, the TOML file, the
predecessor's names, the default. :mod:`cpimportd.config.settings` defines the keys.
"""
