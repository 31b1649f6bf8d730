"""READ: what a workbook holds, cell by cell, from a file that nobody vouches for.

``sandbox`` belongs to the parent process; ``confine``, ``guards`` and ``cells`` run in the child that it starts.
"""
