"""``python -m cpimportd.core.texts.po``: updates the translations from the texts, and compiles them.

New texts come into ``ru.po`` untranslated, changed texts are marked fuzzy there. Translate them, remove the mark, and
run the command again. It also makes the page's ``words.js``.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from cpimportd.core.catalog import CATALOG
from cpimportd.core.texts import english, page
from cpimportd.core.texts.explanation import fits_journal
from cpimportd.core.texts.journald import ALL_SUCH, WHAT_TO_DO
from cpimportd.core.texts.translation import counts
from cpimportd.core.wordings import PHRASES, WORDS

FOLDER: Final = Path(__file__).parent
PAGE: Final = FOLDER.parents[1] / "web" / "static" / "words.js"
_WIDTH: Final = 110


class Source(NamedTuple):
    """A text to be translated, what it belongs to, and its form for several things, if it has two."""

    context: str
    text: str
    plural: str | None = None


def sources() -> Iterator[Source]:
    """Every text that has a translation, in the order of the catalogue."""
    for kind in CATALOG.values():
        short = english.text_of(kind)
        for whole, part in ((kind.sentence, short.sentence), (kind.way_out, short.way_out)):
            yield Source(kind.code, whole)
            if not fits_journal(whole, kind):
                yield Source(f"journal {kind.code}", part)
    yield from (Source(f"phrase {code}", text) for code, text in PHRASES.items())
    yield from (Source("word", text) for text in WORDS)
    yield from (Source("place", text) for text in ("row {row}", "column {column}"))
    yield from (Source("consequence", text) for text in (*english.CONSEQUENCES.values(), english.MAY_PASS))
    yield from (Source(f"run {status}", text) for status, texts in english.STATUSES.items() for text in texts)
    yield from (Source("journal", text) for text in (WHAT_TO_DO, ALL_SUCH))
    yield from (source for source in _said() if source.context != "word")
    for key, text in page.WORDS.items():
        yield Source(f"page {key}", *text) if isinstance(text, tuple) else Source(f"page {key}", text)


def _said() -> Iterator[Source]:
    """What modules hand to ``say(context, text)``, each once, in the order of the files."""
    keywords = {"say": ((1, "c"), 2)}
    found = extract_from_dir(FOLDER.parents[1] / "notify", keywords=keywords, comment_tags=())
    yield from dict.fromkeys(Source(str(context), str(text)) for _, _, text, _, context in found)


def template(translations: Catalog) -> Catalog:
    """The texts as a catalogue without translations, for that of a language to be brought up to date."""
    found = Catalog(fuzzy=False, creation_date=translations.creation_date)
    for source in sources():
        plural = source.text if counts(source.text) else source.plural
        found.add(source.text if plural is None else (source.text, plural), context=source.context)
    return found


def read(file: Path) -> Catalog:
    """A catalogue of translations."""
    with file.open("rb") as stream:
        return read_po(stream, locale=file.stem)


def forms_of(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The forms of a text: several where it names a number of things."""
    return (text,) if isinstance(text, str) else tuple(text)


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue in the form that gettext reads; what is fuzzy is not in it."""
    stream = BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def written(catalogue: Catalog) -> bytes:
    """A catalogue in the form that people edit."""
    stream = BytesIO()
    write_po(stream, catalogue, width=_WIDTH, ignore_obsolete=True)
    return stream.getvalue()


def main() -> int:
    """Bring the catalogue up to date; exit code 1 where something is left to translate."""
    file = FOLDER / "ru.po"
    catalogue = read(file)
    catalogue.update(template(catalogue))
    file.write_bytes(written(catalogue))
    file.with_suffix(".mo").write_bytes(compiled(catalogue))
    PAGE.write_text(page.render(), encoding="utf-8")
    left = [one for one in catalogue if one.id and (one.fuzzy or not all(forms_of(one.string or "")))]
    sys.stdout.write(f"{file}: {len(catalogue)} texts, {len(left)} to translate\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
