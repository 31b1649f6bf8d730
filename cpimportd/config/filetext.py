"""Reads the text of a configuration file or a credential, and reports errors in its TOML."""

import codecs
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cpimportd.core.phrases import Phrase, UnfitError, phrase

KeyParts = tuple[str, ...]

LARGEST: Final = 1024**2
"""Bytes of the longest file that is read: a device or a dump in its place shall not fill the memory."""

# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_CYRILLIC: Final = (("cp1251", "Windows-1251 (cp1251)"), ("cp866", "DOS (cp866)"), ("koi8-r", "KOI8-R"))
_USUAL_LETTERS: Final = frozenset("оеаинтсрвлкмдпу")
_AT_LINE: Final = re.compile(r"(?P<reason>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", re.DOTALL)
_STRING: Final = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")


def read_bytes(path: Path) -> bytes:
    """A small file, whole.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than :data:`LARGEST`; its text says so in words.
    """
    with path.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UnfitError("file-too-long", limit=LARGEST // 1024)
    return content


def decoded(content: bytes) -> str:
    """The text, in UTF-8 with or without a byte order mark.

    Raises:
        ValueError: it is in another encoding, which the error names with the line where it shows and the way out.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None) or _without_bom(content)
    if encoding:
        raise UnfitError("other-encoding", encoding=encoding, code=encoding.lower())
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        guess = _cyrillic(content)
        if guess is None:
            raise UnfitError("line-no-utf8", line=line) from None
        raise UnfitError("line-other-encoding", line=line, encoding=guess[1], code=guess[0]) from None


def _without_bom(content: bytes) -> str | None:
    """UTF-16 without its mark: of ASCII, every other byte is NUL."""
    begin = content[:200]
    for first, name in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        zeros = begin[first::2]
        if len(begin) >= 4 and zeros.count(0) * 4 > len(zeros) * 3 and not begin[1 - first :: 2].count(0):
            return name
    return None


def _cyrillic(content: bytes) -> tuple[str, str] | None:
    """In which of the old encodings the text is most like Russian."""
    best, found = 0, None
    for encoding, name in _CYRILLIC:
        text = content.decode(encoding, "replace")
        likely = sum(character in _USUAL_LETTERS for character in text)
        if likely > best:
            best, found = likely, (encoding, name)
    return found


def parsed(text: str) -> dict[str, Any]:
    """The TOML document.

    Raises:
        ValueError: invalid TOML; the error names the line (for a duplicate key both lines) and the remedy.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnfitError(_reason(str(error), text)) from None
    except RecursionError:
        raise UnfitError("brackets-too-deep") from None
    except ValueError:  # Python's own limit of digits
        raise UnfitError("number-too-long") from None


def _reason(said: str, text: str) -> Phrase:
    """The reason of tomllib, with the key and both lines of a duplicate, and with hints for common mistakes."""
    found = _AT_LINE.fullmatch(said)
    if found is None:
        return phrase("said", said=said)
    number, reason = int(found["line"] or text.count("\n") + 1), found["reason"]
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    if re.match(r"Cannot (overwrite|declare|mutate)|Duplicate|Can't", reason):
        return _duplicate_reason(text, number) or phrase("at-line", line=number, said=reason)
    if reason == "Invalid value":
        return phrase("at-line", line=number, said=phrase("toml-value"))
    if reason.startswith("Unescaped '\\'"):
        return phrase("at-line", line=number, said=phrase("toml-backslash"))
    if line.lstrip().startswith("[") and "]" not in line:
        return phrase("at-line", line=number, said=phrase("toml-section"))
    return phrase("at-line", line=number, said=reason)


def _duplicate_reason(text: str, number: int) -> Phrase | None:
    """The duplicate key of a line, with its first line; None if there is none."""
    stand = list(places(text))
    here = [path for line, path in stand if line == number]
    for path in here:
        for line, other in stand:
            if line >= number and (line, here.count(path)) == (number, 1):
                break
            shorter = min(len(path), len(other))
            if other == path or (other[:shorter] == path[:shorter] and shorter == len(path)):
                key = ".".join(path)
                code = "key-twice-there" if line == number else "key-twice"
                return phrase(code, key=key, line=line, again=number)
    return None


def places(text: str) -> Iterator[tuple[int, KeyParts]]:
    """Every key and section with its line, as far as a look at single lines can tell; also those of inline tables."""
    section: KeyParts = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+((?:[^\]\"']|\"[^\"]*\"|'[^']*')+)\]", line):
            section = parts(header[1])
            yield number, section
        elif entry := re.match(r"\s*((?:[^#=\[\"']|\"[^\"]*\"|'[^']*')+?)\s*=", line):
            path = (*section, *parts(entry[1]))
            yield number, path
            inline = _STRING.sub("''", line[entry.end() :])
            if inline.lstrip().startswith("{"):
                yield from ((number, (*path, name)) for name in re.findall(r"[{,]\s*([A-Za-z0-9_-]+)\s*=", inline))


def parts(text: str) -> KeyParts:
    """A dotted key, taken apart."""
    found = re.findall(r"\"([^\"]*)\"|'([^']*)'|([^.\s\"']+)", text)
    return tuple("".join(groups) for groups in found)
