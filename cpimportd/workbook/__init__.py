"""READ: the cells of a workbook from an untrusted file.

``sandbox`` belongs to the parent process; ``confine``, ``guards`` and ``cells`` run in the child that it starts.
"""
