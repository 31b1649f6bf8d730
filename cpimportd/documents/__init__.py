"""UNDERSTAND: the cells of a workbook become typed rows, or rejects that say why. Pure: no I/O."""
