"""A workbook's texts: ``_x000D_`` is a character that XML cannot hold (ECMA-376 part 1, 22.9.2.19)."""

import re

from cpimportd.workbook.markup import Target, local_names, parser_for

_NAMES = local_names({"si", "is", "t", "rPh"})
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_ESCAPED = re.compile(r"_x([Dd][89ABab][0-9A-Fa-f]{2})__x([Dd][C-Fc-f][0-9A-Fa-f]{2})_|_x([0-9A-Fa-f]{4})_")
_XML_BLANKS = " \t\r\n"


def decoded(text: str) -> str:
    """The text that is meant: ``_x0041_`` is A, and ``_x005F_x0041_`` is ``_x0041_`` itself.

    Half of a UTF-16 pair, which is no character, and U+FFFE and U+FFFF stay as they are written.
    """
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    high, low, single = match.groups()
    if single is None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    code = int(single, 16)
    return match[0] if 0xD800 <= code <= 0xDFFF or code >= 0xFFFE else chr(code)


def text_of(content: str, *, preserved: bool) -> str:
    """The text of a ``t`` element: blanks at its ends count only where ``xml:space`` says ``preserve``."""
    return decoded(content if preserved else content.strip(_XML_BLANKS))


class TextCollector(Target):
    """The ``t`` elements of a shared or inline text, less those of phonetic runs, each decoded by itself."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._texts: list[str] = []
        self._pieces: list[str] = []
        self._phonetic = self._preserved = self._inside = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a text, or one of its pieces."""
        local = _NAMES.get(name)
        if local in {"si", "is"}:
            self._begin()
        elif local == "rPh":
            self._phonetic = True
        elif local == "t" and not self._phonetic:
            self._pieces, self._inside = [], True
            self._preserved = attributes.get(_SPACE) == "preserve"

    def data(self, text: str) -> None:
        """Take what is a part of the text."""
        if self._inside:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        """Decode the piece that ends."""
        local = _NAMES.get(name)
        if local == "rPh":
            self._phonetic = False
        elif local == "t" and self._inside:
            self._inside = False
            self._texts.append(text_of("".join(self._pieces), preserved=self._preserved))

    def text(self) -> str:
        """The whole text that ended last."""
        return "".join(self._texts)


class _SharedTexts(TextCollector):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def end(self, name: str) -> None:
        super().end(name)
        if _NAMES.get(name) == "si":
            self.found.append(self.text())


def shared_texts(content: bytes) -> list[str]:
    """The shared texts of a workbook, in their order; hints of how to pronounce them are no part of them.

    Raises:
        ParseError: it is no XML.
    """
    target = _SharedTexts()
    parser = parser_for(target)
    parser.feed(content)
    parser.close()
    return target.found
