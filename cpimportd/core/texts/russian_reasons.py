"""In Russian: what makes a cell a reject, as ``documents`` says it in English."""

import re
from typing import Final

_REASONS: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"is empty, and the document's name holds no date instead", "пусто, и в названии документа тоже нет даты"),
        (r"is empty, and the account is «(.*)», not 51, which holds roubles",
         "пусто, а счёт учёта — «{0}», не 51, на котором рубли"),
        (r"is empty", "пусто"),
        (r"is no number", "не число"),
        (r"is no finite number", "не конечное число"),
        (r"is too large", "слишком большое число"),
        (r"has more than (\d+) decimals", "знаков после запятой больше {0}"),
        (r"has more digits than a number in a workbook keeps",
         "в числе больше цифр, чем хранит ячейка с числом; выгрузите его текстом"),
        (r"is no date between (\d+) and (\d+)", "не дата между {0} и {1} годом"),
        (r"is no date", "не дата"),
        (r"is an error value", "ошибка вычисления в ячейке"),
        (r"is neither «Да» nor «Нет»", "не «Да» и не «Нет»"),
        (r"is no currency that is known", "неизвестная валюта"),
        (r"has (\d+) characters, (\d+) fit", "знаков {0}, а помещается {1}"),
        (r"holds a NUL character, which PostgreSQL cannot store", "содержит недопустимый символ"),
        (r"holds half of a UTF-16 pair, which PostgreSQL cannot store", "содержит половину символа"),
        (r"its texts have (\d+) bytes, (\d+) fit", "тексты строки занимают {0} байт, а помещается {1}"),
    )
)  # fmt: skip


def russian_reason(message: str) -> str:
    """Why a cell is a reject; in English where nobody has translated that.

    Args:
        message: the problem's sentence: «value» and the reason, or the reason alone.
    """
    for pattern, text in _REASONS:
        if match := re.fullmatch(rf"(?:«.*» )?(?:{pattern.pattern})", message, re.DOTALL):
            return text.format(*match.groups())
    return message
