"""What a workbook's text says: ``_x000D_`` is a character that XML cannot hold (ECMA-376 part 1, 22.9.2.19)."""

import re

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
