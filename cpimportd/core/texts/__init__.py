"""What people read of a problem, in English and in Russian: in alerts, on the page, in workbooks, by ``journalctl -x``.

The English is in :mod:`cpimportd.core.catalog`, ``wordings``, ``english``, ``page`` and where something is said; the
Russian in ``ru.po``, which ``python -m cpimportd.core.texts.po`` brings up to date and compiles.
``python -m cpimportd.core.texts FOLDER`` writes the journal's message catalog, which a package installs into
/usr/lib/systemd/catalog.
"""
