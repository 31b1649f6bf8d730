"""Finds the parts of a workbook's zip by relationships and content types, never by their names.

ECMA-376 part 2: relationships name their targets (clause 6.5), ``[Content_Types].xml`` gives the type of a part
(6.2.3), and names are compared without case (6.2.2.3). The guards and both engines use the parts found here.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote, urlsplit

from cpimportd.core.phrases import phrase
from cpimportd.core.problems import ProblemError, problem
from cpimportd.workbook.markup import MAIN, Element, as_problem, start_tags
from cpimportd.workbook.openfile import Workbook

MANIFEST = "[content_types].xml"
"""The folded name of the part that says what every part is."""

_OFFICE = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/",
    "http://purl.oclc.org/ooxml/officeDocument/relationships/",
)
# What says no more than that a part is XML, or nothing at all: many programs leave it at that.
_TELLS_NOTHING = frozenset({"", "application/xml", "text/xml", "application/octet-stream"})
_CONTENT = {"worksheet": ".worksheet+xml", "sharedStrings": ".sharedstrings+xml", "styles": ".styles+xml"}
_TRUE = frozenset({"1", "true", "on"})
# Where calamine looks by itself, whatever the relationships say.
_WORKBOOK, _STRINGS, _STYLES = "xl/workbook.xml", "xl/sharedstrings.xml", "xl/styles.xml"
_PLAIN_TARGET = re.compile(r"(?:/xl/)?worksheets/[\w.-]+", re.ASCII)
_PLAIN_NAME = re.compile(r"[\w./-]+", re.ASCII)

Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A worksheet: its name in the workbook, whether it is shown, and the zip's name of its part."""

    name: str
    shown: bool
    part: str


@dataclass(frozen=True, slots=True)
class Package:
    """What both engines read of a workbook in XML.

    Attributes:
        workbook: the zip's name of the workbook part.
        sheets: its worksheets, in its order; charts, dialogs and macro sheets are none.
        strings: the zip's name of the shared texts; None if there are none.
        styles: the zip's name of the styles; None if there are none.
        since_1904: it counts its days from 1904.
        plain: calamine, which goes by names, finds the same parts.
    """

    workbook: str
    sheets: tuple[SheetPart, ...]
    strings: str | None
    styles: str | None
    since_1904: bool
    plain: bool

    @property
    def read(self) -> frozenset[str]:
        """The zip's names of all parts that an engine opens."""
        return frozenset(
            {self.workbook, *(sheet.part for sheet in self.sheets), *filter(None, (self.strings, self.styles))}
        )


@dataclass(frozen=True, slots=True)
class _Relation:
    kind: str
    target: str
    part: str | None


def resolve(names: Iterable[str], read: Read, file: str) -> Package | None:
    """Find the parts that make a workbook.

    Args:
        names: the zip's names of all parts.
        read: gives a part's bytes by the zip's name.
        file: the workbook's name, for problems.

    Returns:
        None if the workbook is binary (XLSB).

    Raises:
        ProblemError: ``file-not-workbook``; ``file-damaged`` where a part is missing or two say different things of
            it, so that programs would not agree on what the workbook holds; ``zip-suspicious`` for a DTD.
    """
    return _Resolver(names, read, file).package()


def fold_name(name: str) -> str:
    """The form in which part names are compared: without case, percent-encoding and backslashes."""
    return unquote(name).replace("\\", "/").casefold()


class _Resolver:
    def __init__(self, names: Iterable[str], read: Read, file: str) -> None:
        self._read, self._file = read, file
        self._parts: dict[str, str] = {}
        for name in names:
            if self._parts.setdefault(fold_name(name), name) != name:
                raise self._damaged("one-part-by-name", part=name, other=self._parts[fold_name(name)])
        self._types: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    def package(self) -> Package | None:
        self._read_manifest()
        workbook = self._workbook()
        content = self._content_type(workbook)
        if ".binary." in content or workbook.casefold().endswith(".bin"):
            return None
        if "+xml" in content and not any(word in content for word in ("sheet", "excel")):
            raise self._no_workbook("holds-part", part=workbook, content=content)
        relations = self._relations(workbook)
        tags = self._tags(workbook, {"workbook", "workbookPr", "sheet"})
        if not tags or tags[0].name != "workbook" or tags[0].namespace not in MAIN:
            raise self._no_workbook("is-no-workbook", part=workbook)
        sheets, plain_targets = self._sheets(tags, relations)
        strings, styles = (self._only(kind, relations) for kind in ("sharedStrings", "styles"))
        since = [tag.attributes.get("date1904", "") for tag in tags if tag.name == "workbookPr"]
        return Package(
            workbook,
            sheets,
            strings,
            styles,
            since_1904=any(said.strip().casefold() in _TRUE for said in since),
            plain=plain_targets and self._is_plain(workbook, strings, styles),
        )

    def _is_plain(self, workbook: str, strings: str | None, styles: str | None) -> bool:
        """Whether calamine, which goes by well-known names, would open these parts and no others."""
        there = {name: self._parts.get(name) for name in (_WORKBOOK, _STRINGS, _STYLES)}
        found = {_WORKBOOK: workbook, _STRINGS: strings, _STYLES: styles}
        return there == found and all(_PLAIN_NAME.fullmatch(name) for name in filter(None, there.values()))

    def _read_manifest(self) -> None:
        for tag in self._tags(self._parts[MANIFEST], {"Default", "Override"}):
            content = tag.attributes.get("ContentType", "").strip().casefold()
            if tag.name == "Default":
                self._defaults[tag.attributes.get("Extension", "").casefold()] = content
            else:
                self._types[fold_name(tag.attributes.get("PartName", "")).lstrip("/")] = content

    def _content_type(self, part: str) -> str:
        name = fold_name(part)
        return self._types.get(name, self._defaults.get(name.rpartition(".")[2], ""))

    def _workbook(self) -> str:
        root = self._parts.get("_rels/.rels")
        found = [] if root is None else self._targets("officeDocument", self._relations_in(root, ""))
        if not found and (plain := self._parts.get(_WORKBOOK) or self._parts.get("xl/workbook.bin")):
            return plain
        if len(found) != 1:
            raise self._no_workbook("workbooks-named", count=len(found))
        return found[0]

    def _sheets(self, tags: list[Element], relations: Mapping[str, _Relation]) -> tuple[tuple[SheetPart, ...], bool]:
        """The worksheets, and whether all their targets are written as calamine understands them."""
        sheets, plain = [], True
        for tag in tags:
            if tag.name != "sheet" or tag.namespace not in MAIN:
                continue
            name = tag.attributes.get("name", "")
            place = next(
                (tag.attributes[key] for base in _OFFICE if (key := f"{{{base[:-1]}}}id") in tag.attributes), ""
            )
            relation = relations.get(place)
            if relation is None:
                raise self._damaged("sheet-without-part", name=name)
            if relation.kind != "worksheet":
                continue
            if relation.part is None:
                raise self._damaged("part-of-sheet-missing", part=relation.target, name=name)
            self._require_content("worksheet", relation.part)
            sheets.append(SheetPart(name, tag.attributes.get("state", "visible") == "visible", relation.part))
            plain = plain and _PLAIN_TARGET.fullmatch(relation.target) is not None
        return tuple(sheets), plain and all(_PLAIN_NAME.fullmatch(sheet.part) for sheet in sheets)

    def _only(self, kind: str, relations: Mapping[str, _Relation]) -> str | None:
        """The workbook's only part of a kind, by relationship or, if there is none, by content type."""
        found = self._targets(kind, relations)
        declared = [
            self._parts[name] for name, content in self._types.items()
            if content.endswith(_CONTENT[kind]) and name in self._parts
        ]  # fmt: skip
        if len({*found, *declared}) > 1:
            raise self._damaged("several-parts", kind=kind, parts=sorted({*found, *declared}))
        if not found:
            return declared[0] if declared else self._parts.get(_STRINGS if kind == "sharedStrings" else _STYLES)
        self._require_content(kind, found[0])
        return found[0]

    def _require_content(self, kind: str, part: str) -> None:
        content = self._content_type(part)
        if content not in _TELLS_NOTHING and not content.endswith(_CONTENT[kind]):
            raise self._damaged("types-disagree", part=part, kind=kind, content=content)

    def _targets(self, kind: str, relations: Mapping[str, _Relation]) -> list[str]:
        """The parts that relationships of a kind name; each once."""
        named = [relation for relation in relations.values() if relation.kind == kind]
        missing = [relation.target for relation in named if relation.part is None]
        if missing and kind != "styles":
            raise self._damaged("part-missing", part=missing[0])
        return list(dict.fromkeys(relation.part for relation in named if relation.part is not None))

    def _relations(self, part: str) -> Mapping[str, _Relation]:
        folder, name = posixpath.split(fold_name(part))
        found = self._parts.get(posixpath.join(folder, "_rels", f"{name}.rels"))
        if found is None:
            raise self._damaged("relationships-missing", part=part)
        return self._relations_in(found, folder)

    def _relations_in(self, part: str, folder: str) -> Mapping[str, _Relation]:
        relations: dict[str, _Relation] = {}
        for tag in self._tags(part, {"Relationship"}):
            name, target = tag.attributes.get("Id", ""), tag.attributes.get("Target", "").strip()
            base = next(filter(tag.attributes.get("Type", "").startswith, _OFFICE), None)
            if base is None:
                continue
            inside = tag.attributes.get("TargetMode", "Internal") == "Internal"
            relation = _Relation(
                tag.attributes["Type"][len(base) :], target, self._part(target, folder) if inside else None
            )
            if relations.setdefault(name, relation) != relation:
                raise self._damaged("relationship-twice", part=part, name=name)
        return relations

    def _part(self, target: str, folder: str) -> str | None:
        path = fold_name(urlsplit(target.replace("\\", "/")).path)
        absolute = posixpath.normpath(posixpath.join("/", folder, path))[1:]
        # Some programs omit the slash of an absolute target; the relative target then names no part.
        return self._parts.get(absolute) or self._parts.get(posixpath.normpath(path))

    def _tags(self, part: str, wanted: Collection[str]) -> list[Element]:
        return as_problem(self._file, part, lambda: start_tags(self._read(part), wanted))

    def _damaged(self, code: str, **facts: object) -> ProblemError:
        return ProblemError(problem("file-damaged", file=self._file, reason=phrase(code, **facts)))

    def _no_workbook(self, code: str, **facts: object) -> ProblemError:
        return ProblemError(problem("file-not-workbook", file=self._file, reason=phrase(code, **facts)))


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
