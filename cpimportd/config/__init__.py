"""Where the values come from: file, environment, credentials and the predecessor's names, each with its origin.

The order, the strongest first: ``CPIMPORTD_…`` in the environment, systemd's credentials, the TOML file, the
predecessor's names, the default. What can be set at all is :mod:`cpimportd.config.settings`' business.
"""
