"""Part names as the package declares them: some 1C releases write ``xl/SharedStrings.xml`` and declare another case.

Names of parts are compared without case (ECMA-376 part 2, 6.2.2.3), which openpyxl does not do and calamine does.
"""

import posixpath
import re
import zipfile
from io import BytesIO

from cpimportd.workbook.held import Workbook
from cpimportd.workbook.package import fold_name

_WELL_KNOWN = ("[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels")
_DECLARED = re.compile(r"""\bPartName\s*=\s*["']/([^"']+)["']""")
_TARGET = re.compile(r"""\bTarget\s*=\s*["']([^"']+)["']""")


def with_declared_names(workbook: Workbook) -> BytesIO:
    """A copy of a workbook's zip, in memory, whose parts are named as its manifest and relationships name them.

    Args:
        workbook: a zip that the guards let pass.
    """
    copy = BytesIO()
    with (
        workbook.open("rb") as handle,
        zipfile.ZipFile(handle) as package,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        found = {fold_name(name): name for name in package.namelist() if not name.endswith("/")}
        for plain, written in _declared(package, found).items():
            if plain in found:
                with package.open(found.pop(plain)) as source, target.open(written, "w") as part:
                    while piece := source.read(1024 * 1024):
                        part.write(piece)
        for name in found.values():
            target.writestr(name.replace("\\", "/"), package.read(name))
    copy.seek(0)
    return copy


def _declared(package: zipfile.ZipFile, found: dict[str, str]) -> dict[str, str]:
    """Every part name that the package declares, by its form without case."""
    manifest, _, relations = (_text(package, found.get(fold_name(name))) for name in _WELL_KNOWN)
    targets = [posixpath.normpath(posixpath.join("/xl", target))[1:] for target in _TARGET.findall(relations)]
    return {fold_name(name): name for name in (*_WELL_KNOWN, *_DECLARED.findall(manifest), *targets)}


def _text(package: zipfile.ZipFile, name: str | None) -> str:
    return "" if name is None else package.read(name).decode("utf-8-sig", errors="replace")
