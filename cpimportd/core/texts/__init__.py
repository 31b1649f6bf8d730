"""The journal's message catalog: what ``journalctl -x`` adds below each line of ours, in English and in Russian.

It is made from :mod:`cpimportd.core.problems`, so that a problem is explained in the words that it was reported with.
``python -m cpimportd.core.texts FOLDER`` writes the files that a package installs into /usr/lib/systemd/catalog.
"""
