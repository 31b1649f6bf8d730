"""Texts of problems in English and in Russian, for alerts, the dashboard, workbooks and ``journalctl -x``.

The English is in :mod:`cpimportd.core.catalog`, ``wordings``, ``english``, ``page`` and in the code that uses it. The
Russian is in ``ru.po``, which ``python -m cpimportd.core.texts.po`` updates and compiles.
``python -m cpimportd.core.texts FOLDER`` writes the journal's message catalog, which a package installs into
/usr/lib/systemd/catalog.
"""
