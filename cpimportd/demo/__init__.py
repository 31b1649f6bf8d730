"""A demo that needs nothing but pip: generated exports, a loopback FTP server, an embedded PostgreSQL."""
