"""TRUST: decides, from what was read and what the books say, what may be published and what is held.

Pure functions from frozen values to decisions. :func:`integrity` judges today's files by themselves: do they add up, is
every document there once, do expenses and details match, did every organization's file come. Nobody can override
what it finds, but for organizations that are closed for good. :func:`plausibility` compares with the books: is a
unit so different from yesterday's that a human should look. He can accept that by the unit's name.
"""
