"""Workbooks written by chance, with what a spreadsheet program would show in each of their cells.

Each way to write a cell stands beside its meaning; a seed decides which are taken, and how rows and parts are written.
"""

import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from html import escape
from pathlib import Path

from cpimportd.core.model import Cell, CellError

TRANSITIONAL = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
)
STRICT = (
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"

ZERO = datetime.fromisoformat("1899-12-30")
NUMBER, MOMENT, SPAN = "number", "moment", "span"
FORMATS = {
    "General": NUMBER, "@": NUMBER, "0.00": NUMBER, '#,##0.00"d"': NUMBER, "[Red]0.00": NUMBER, "#,##0\\d": NUMBER,
    "0;d": NUMBER, "_d0": NUMBER, "*d0": NUMBER, "[$₽-419]#,##0.00": NUMBER, "0.00E+00": NUMBER, "# ?/?": NUMBER,
    'General;[Red]"dd.mm"': NUMBER, "[Magenta]0": NUMBER, '"ммм"0': NUMBER,
    "dd.mm.yyyy": MOMENT, "[$-419]d mmmm yyyy": MOMENT, "h:mm": MOMENT, "yyyy-mm-dd hh:mm:ss": MOMENT, "dd.mm.yyyy;@": MOMENT,
    "[Red]dd.mm": MOMENT, 'd" день "mmmm': MOMENT, "mm:ss.0": MOMENT, "[$-F800]dddd\\,\\ mmmm": MOMENT, "h AM/PM": MOMENT,
    "DD/MM/YY": MOMENT, 'yyyy"г."': MOMENT,
    "[h]:mm": SPAN, "[mm]:ss": SPAN, "[ss]": SPAN, "[Blue][h]:mm": SPAN, '[hh]"ч"': SPAN,
}  # fmt: skip
BUILT_IN = {0: NUMBER, 1: NUMBER, 4: NUMBER, 14: MOMENT, 20: MOMENT, 22: MOMENT, 45: MOMENT, 46: SPAN, 49: NUMBER}

# As a ``t`` element writes it, and what it says.
TEXTS: Mapping[str, str] = {
    "<t>ЛОТОС ООО</t>": "ЛОТОС ООО",
    "<t>Оплата_x000D_\nпо договору</t>": "Оплата\r\nпо договору",
    '<t xml:space="preserve"> c пробелами  </t>': " c пробелами  ",
    "<t>  без пробелов \n</t>": "без пробелов",
    "<t>\u00a0неразрывный\u00a0</t>": "\u00a0неразрывный\u00a0",
    "<t>_x005F_x000D_</t>": "_x000D_",
    "<t>a_x0009_b_x000a_c</t>": "a\tb\nc",
    "<t>_x00AB_кавычки_x00bb_</t>": "«кавычки»",
    "<t>_x_ _x12_ x000D_ _x000G_</t>": "_x_ _x12_ x000D_ _x000G_",
    "<t>a&amp;b &lt;c&gt; &quot;d&quot; &#1046;</t>": 'a&b <c> "d" Ж',
    "<t><![CDATA[a<b]]>c</t>": "a<bc",
    "<t>a<!-- not this -->b</t>": "ab",
    "<t>a\r\nb\rc</t>": "a\nb\nc",
    "<t>a&#13;b</t>": "a\rb",
    "<t>000123</t>": "000123",
    "<t>1E5</t>": "1E5",
    "<t>#REF!</t>": "#REF!",
    "<t>=1+1</t>": "=1+1",
    "<r><t>два </t></r><r><rPr><b/></rPr><t>слова</t></r>": "дваслова",
    '<r><t xml:space="preserve">два </t></r><r><t>слова</t></r>': "два слова",
    "<r><t>_x00</t></r><r><t>0D_</t></r>": "_x000D_",
    '<t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/>': "東京",
    "<t/>": "",
    "": "",
    "<t> </t>": "",
    '<t xml:space="preserve"> </t>': " ",
    "<t>😀 🙂</t>": "😀 🙂",
}
# What only the second engine decodes.
FAR_TEXTS: Mapping[str, str] = {
    "<t>_x041B__x041e_ТОС</t>": "ЛОТОС",
    "<t>_xD83D__xDE00_</t>": "😀",
    "<t>_xD83D_ _xFFFE_</t>": "_xD83D_ _xFFFE_",
    "<t>_x005F_x0410_</t>": "_x0410_",
}
NUMBERS = ["0", "1", "-1", "44500", "44500.5", "1E2", "1e-7", "0.1", "-0", "123456789.12", "65991.78", "7", "60", "59",
           "2958465", "2958466", "1.75", "0.25", "+5", ".5", "5.", "007", "45000.123456", "1e8", "0.999999999"]  # fmt: skip


@dataclass
class Generated:
    """A workbook's parts, and its filled cells by row and column, both from 1."""

    parts: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    for_second_engine: bool = False

    def write(self, path: Path) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in self.parts.items():
                archive.writestr(name, text)
        return path


class Generator:
    """Writes one workbook by chance; ``odd`` adds what calamine does not read."""

    def __init__(self, seed: int, *, odd: bool) -> None:
        self.chance = random.Random(seed)
        self.odd = odd
        self.made = Generated(for_second_engine=False)
        self.main, self.office = self.chance.choice([TRANSITIONAL, TRANSITIONAL, STRICT])
        self.prefix = self.chance.choice(["", "x:", "ss:"]) if odd else ""
        self.since_1904 = self.chance.random() < 0.3
        self.codes = list(FORMATS)
        self.chance.shuffle(self.codes)
        self.styles = [(200 + at, FORMATS[code]) for at, code in enumerate(self.codes)] + list(BUILT_IN.items())
        self.chance.shuffle(self.styles)
        self.strings: list[str] = []
        self.blank = self.chance.choice(["", "\n\t\t"])

    def make(self) -> Generated:
        rows = self.rows()
        merged = self.chance.choice(
            ["", f'<{self.prefix}mergeCells><{self.prefix}mergeCell ref="A1:C2"/></{self.prefix}mergeCells>']
        )
        dimension = self.chance.choice(
            ["", f'<{self.prefix}dimension ref="{self.chance.choice(["A1", "AL9", "C3:D4"])}"/>']
        )
        sheet = f"{dimension}<{self.prefix}sheetData>{rows}</{self.prefix}sheetData>{merged}"
        self.made.for_second_engine = self.made.for_second_engine or bool(self.prefix)
        strings = "".join(f"<si>{text}</si>" for text in self.strings)
        self.made.parts = {
            "[Content_Types].xml": self.manifest(),
            "_rels/.rels": self.relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{self.main}" xmlns:r="{self.office}"><workbookPr date1904='
            f'"{str(self.since_1904).lower()}"/><sheets><sheet name="Лист_1" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": self.relations(
                ("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")
            ),
            "xl/worksheets/sheet1.xml": f"<{self.prefix}worksheet xmlns{':' if self.prefix else ''}{self.prefix[:-1]}"
            f'="{self.main}">{sheet}</{self.prefix}worksheet>',
            "xl/sharedStrings.xml": f'<sst xmlns="{self.main}">{strings}</sst>',
            "xl/styles.xml": self.style_sheet(),
        }
        return self.made

    def manifest(self) -> str:
        parts = {
            "workbook": "sheet.main",
            "worksheets/sheet1": "worksheet",
            "sharedStrings": "sharedStrings",
            "styles": "styles",
        }
        overrides = "".join(
            f'<Override PartName="/xl/{part}.xml" ContentType="{TYPES}.{kind}+xml"/>' for part, kind in parts.items()
        )
        return f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'

    def relations(self, *targets: tuple[str, str]) -> str:
        inside = "".join(
            f'<Relationship Id="rId{at}" Type="{self.office}/{kind}" Target="{target}"/>'
            for at, (kind, target) in enumerate(targets, 1)
        )
        return f'<Relationships xmlns="{PACKAGE}/relationships">{inside}</Relationships>'

    def style_sheet(self) -> str:
        codes = "".join(
            f'<numFmt numFmtId="{200 + at}" formatCode="{escape(code)}"/>' for at, code in enumerate(self.codes)
        )
        formats = "".join(f'<xf numFmtId="{number}" fontId="0"/>' for number, _ in self.styles)
        return (
            f'<styleSheet xmlns="{self.main}"><numFmts>{codes}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
            f'<cellXfs>{formats}</cellXfs><dxfs><dxf><numFmt numFmtId="200" formatCode="yyyy"/></dxf></dxfs></styleSheet>'
        )

    def rows(self) -> str:
        written, row = [], 0
        for _ in range(self.chance.randint(1, 12)):
            numbered = self.chance.random() < 0.8
            row += self.chance.choice([1, 1, 1, 2, 9]) if numbered else 1
            attributes = f' r="{row}"' if numbered else ""
            attributes += self.chance.choice(["", ' spans="1:9"', ' ht="25" customHeight="true"'])
            cells = self.row(row)
            written.append(
                f"<{self.prefix}row{attributes}>{self.blank}{cells}</{self.prefix}row>{self.blank}"
                if cells or self.chance.random() < 0.5
                else f"<{self.prefix}row{attributes}/>"
            )
        return "".join(written)

    def row(self, row: int) -> str:
        written, column = [], 0
        for _ in range(self.chance.choice([0, 1, 3, 6, 9])):
            addressed = self.chance.random() < 0.8
            column += self.chance.choice([1, 1, 1, 2, 5]) if addressed else 1
            address = f' r="{_letters(column)}{row}"' if addressed else ""
            make = self.chance.choice(self.makers())
            attributes, inside, meaning = make()
            if meaning is not None and meaning != "":
                self.made.cells[row, column] = meaning
            # Elements take the prefix here, so that a maker need not know of it.
            inside = (
                inside.replace("<v>", f"<{self.prefix}v>").replace("</v>", f"</{self.prefix}v>")
                if self.prefix
                else inside
            )
            written.append(
                f"<{self.prefix}c{address}{attributes}>{inside}</{self.prefix}c>{self.blank}"
                if inside
                else f"<{self.prefix}c{address}{attributes}/>{self.blank}"
            )
        return "".join(written)

    def makers(self) -> list[Callable[[], tuple[str, str, Cell]]]:
        usual = [self.shared, self.shared, self.number, self.number, self.boolean, self.moment, self.empty]
        if not self.prefix:
            usual += [self.inline, self.formula_text]
        return [*usual, self.error] if self.odd else usual

    def text(self) -> tuple[str, str]:
        texts = TEXTS if not self.odd or self.chance.random() < 0.8 else FAR_TEXTS
        written = self.chance.choice(list(texts))
        self.made.for_second_engine = self.made.for_second_engine or texts is FAR_TEXTS
        return written, texts[written]

    def shared(self) -> tuple[str, str, Cell]:
        written, meaning = self.text()
        self.strings.append(written)
        return ' t="s"', f"<v>{len(self.strings) - 1}</v>", meaning

    def inline(self) -> tuple[str, str, Cell]:
        written, meaning = self.text()
        return ' t="inlineStr"', f"<is>{written}</is>", meaning

    def formula_text(self) -> tuple[str, str, Cell]:
        written, meaning = self.chance.choice(
            [
                ("007", "007"),
                (" a ", " a "),
                ("a_x000D_\nb", "a\r\nb"),
                ("1E5", "1E5"),
                ("&amp;", "&"),
                ("_x005F_x0041_", "_x0041_"),
            ]
        )
        return ' t="str"', f"<f>A1&amp;B2</f><v>{written}</v>", meaning

    def number(self) -> tuple[str, str, Cell]:
        style = self.chance.randrange(len(self.styles))
        # What has no meaning as a date is tried by itself.
        written = self.chance.choice([n for n in NUMBERS if n != "-1" or self.styles[style][1] != MOMENT])
        formula = self.chance.choice(["", "", "<f>1+1</f>"]) if not self.prefix else ""
        kind = self.chance.choice(["", ' t="n"'])
        if self.chance.random() < 0.2:
            return kind, f"{formula}<v>{written}</v>", float(written)
        return f'{kind} s="{style}"', f"{formula}<v>{written}</v>", self.meaning(float(written), self.styles[style][1])

    def meaning(self, number: float, kind: str) -> Cell:
        """What Excel shows of a number, to the millisecond; beyond its calendar it shows none, and the number stays."""
        if kind == NUMBER or (kind == MOMENT and number + 1462 * self.since_1904 >= 2_958_466):
            return number
        if kind == SPAN:
            return timedelta(milliseconds=round(number * 86_400_000))
        days = number + 1462 * self.since_1904
        moment = ZERO + timedelta(milliseconds=round((days + (days < 60)) * 86_400_000))
        if number < 1:
            return moment.time()
        return moment.date() if number == int(number) else moment

    def boolean(self) -> tuple[str, str, Cell]:
        written = self.chance.choice(["0", "1", "true", "false"])
        return ' t="b"', f"<v>{written}</v>", written in {"1", "true"}

    def moment(self) -> tuple[str, str, Cell]:
        written, meaning = self.chance.choice(
            [
                ("2022-01-02", date(2022, 1, 2)),
                ("2022-01-02T03:04:05", datetime.fromisoformat("2022-01-02T03:04:05")),
                ("2022-01-02T03:04:05.125", datetime.fromisoformat("2022-01-02T03:04:05.125")),
                ("03:04:05", time(3, 4, 5)),
            ]
        )
        return ' t="d"', f"<v>{written}</v>", meaning

    def empty(self) -> tuple[str, str, Cell]:
        attributes = self.chance.choice(["", ' s="3"', ' s="3" t="e"', ' t="n"', ' t="s"'])
        return attributes, self.chance.choice(["", "<v></v>"]) if attributes.endswith(('"e"', '"n"')) else "", None

    def error(self) -> tuple[str, str, Cell]:
        self.made.for_second_engine = True
        written = self.chance.choice(["#REF!", "#N/A", "#DIV/0!", "#SPILL!", "#GETTING_DATA"])
        return ' t="e"', f"<v>{written}</v>", CellError(written)


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
