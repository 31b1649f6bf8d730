"""TRUST: decides from the snapshot and the books what may be published and what is held.

Pure functions from frozen values to decisions. :func:`integrity` judges today's files alone: whether they add up, every
document is there once, expenses and details match, and every organization's file came. Nobody can override its
findings, except for organizations that are closed for good. :func:`plausibility` compares with the books: whether a
unit differs so much from yesterday's that a human should check it. He can accept the unit by its name.
"""
