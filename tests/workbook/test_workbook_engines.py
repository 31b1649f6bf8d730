"""Both engines give one meaning to a cell: that which a spreadsheet program shows."""

import pytest

from cpimportd.workbook import xlsx
from cpimportd.workbook.cells import open_cells
from cpimportd.workbook.guards import inspect
from tests.support.workbook.generated import Generator


def filled(sheets):
    """The filled cells of the only sheet, by row and column from 1, each with its type: 1 is neither 1.0 nor True."""
    (sheet,) = sheets
    return {
        (row, column): (type(cell), repr(cell))
        for row, cells in sheet.rows()
        for column, cell in enumerate(cells, 1)
        if cell is not None
    }


def meant(cells):
    return {place: (type(cell), repr(cell)) for place, cell in cells.items()}


@pytest.mark.parametrize("seed", range(300))
def test_both_engines_show_what_a_spreadsheet_program_shows(tmp_path, limits, seed):
    made = Generator(seed, odd=False).make()
    path = made.write(tmp_path / "a.xlsx")
    contents = inspect(path, limits, "a")
    opened = open_cells(path, contents, "a")
    assert opened.engine == "calamine"
    assert filled(opened.sheets) == meant(made.cells)
    assert filled(xlsx.sheets(path, contents.package, "a")) == meant(made.cells)


@pytest.mark.parametrize("seed", range(1000, 1200))
def test_what_calamine_does_not_show_is_left_to_the_second_engine(tmp_path, limits, seed):
    made = Generator(seed, odd=True).make()
    path = made.write(tmp_path / "a.xlsx")
    opened = open_cells(path, inspect(path, limits, "a"), "a")
    assert opened.engine == "expat" or not made.for_second_engine
    assert filled(opened.sheets) == meant(made.cells)


@pytest.mark.parametrize("seed", range(8))
def test_numbers_that_show_dates_are_rounded_alike(tmp_path, limits, seed):
    generator = Generator(seed, odd=False)
    made = generator.make()
    day = 86_400_000
    numbers = [
        generator.chance.choice(
            [
                generator.chance.uniform(0, 60),
                generator.chance.uniform(0, 2_958_000),
                generator.chance.randrange(50_000) + generator.chance.randrange(day) / day,
                generator.chance.randrange(50_000) + (generator.chance.randrange(day) + 0.5) / day,
            ]
        )
        for _ in range(1_000)
    ]
    styles = range(len(generator.styles))
    rows = "".join(f'<row><c s="{generator.chance.choice(styles)}"><v>{number!r}</v></c></row>' for number in numbers)
    sheet = f'<worksheet xmlns="{generator.main}"><sheetData>{rows}</sheetData></worksheet>'
    made.parts["xl/worksheets/sheet1.xml"] = sheet
    path = made.write(tmp_path / "a.xlsx")
    contents = inspect(path, limits, "a")
    opened = open_cells(path, contents, "a")
    assert opened.engine == "calamine"
    assert filled(opened.sheets) == filled(xlsx.sheets(path, contents.package, "a"))
