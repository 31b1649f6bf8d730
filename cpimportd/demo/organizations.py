"""The organizations of the generated holding: each has its own conventions, as every 1C database does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cpimportd.core.model import Kind

RECEIPT_TITLES = (
    "Поступление на расчетный счет", "Организация", "Вид операции", "Банковский счет", "Подразделение", "Счет учета",
    "Номер входящего документа", "Дата входящего документа", "Плательщик", "Счет плательщика", "Счет расчетов",
    "Субконто Кт1", "Субконто Кт2", "Субконто Кт3", "Подразделение Кт", "Статья доходов", "(не используется) Работник",
    "Назначение платежа", "Комментарий", "Договор", "Валюта", "Документ основание", "Ручная корректировка",
    "(Не используется) Порядок отражения аванса", "Без закрывающих документов", "Данные автозаполнения",
    "Изменения автозаполнения", "(Не используется) Услуга", "Отражение в УСН", "Налог", "Код валютной операции",
    "Сумма", "Комиссия", "Номер чека ККМ",
)  # fmt: skip
EXPENSE_TITLES = (
    "Списание с расчетного счета", "Вид операции", "Налог", "Вид обязательства", "Организация", "Банковский счет",
    "Подразделение", "Счет учета", "Вх. номер", "Вх. дата", "Получатель", "Счет получателя", "Счет дебета",
    "Субконто Дт1", "Субконто Дт2", "Субконто Дт3", "Подразделение Дт", "Статья расходов", "(не используется) Работник",
    "Назначение платежа", "Комментарий", "Документ-основание", "Договор", "Ручная корректировка",
    "Не подтверждено выпиской банка", "Налоговый период", "Ведомость", "Налогоплательщик", "Без закрывающих документов",
    "Основание", "Данные автозаполнения", "Изменения автозаполнения", "Номер чека НПД", "Сотрудник",
    "Исполнительный лист", "Код валютной операции", "Сумма", "Номер чека ККМ",
)  # fmt: skip
DETAIL_TITLES = (
    "Списание с расчетного счета", "Договор", "Погашение задолженности", "Документ расчетов", "Ставка НДС",
    "Статья расходов", "Счет расчетов", "Счет авансов", "Счет на оплату", "Вид платежа по кредитам займам",
    "Порядок отражения дохода", "Сумма платежа", "Сумма НДС",
)  # fmt: skip
RATE_TITLES = ("Курс расчетов", "Кратность", "Сумма расчетов")

_LATIN_NAMES = {
    Kind.RECEIPTS: "{} - Postuplenie(kredity) XLSX.xlsx",
    Kind.EXPENSES: "{} - spisanie kredity XLSX.xlsx",
    Kind.DETAILS: "{} - Spisanie(rasshifrovka) XLSX.xlsx",
}
_CYRILLIC_NAMES = {
    Kind.RECEIPTS: "{} Поступление кредиты.xlsx",
    Kind.EXPENSES: "{} Списание кредиты.xlsx",
    Kind.DETAILS: "{} Списание (расшифровка).xlsx",
}


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization and the habits of its 1C.

    Attributes:
        name: as in the column ``Организация``.
        file_stem: what its files' names begin with.
        prefix: of its documents' numbers; the letters are Cyrillic.
        contracts: the texts of ``Договор``.
        file_names: the pattern of a file's name for each kind.
        text_amounts: the thousands separator of amounts that are text; empty where amounts are doubles.
        rates: whether the details have the columns of the settlement rate.
        title_rows: texts above the header.
        capital_shared_strings: whether its 1C names the part ``xl/SharedStrings.xml``.
        left_out: optional columns that its files lack.
    """

    name: str
    file_stem: str
    prefix: str
    contracts: tuple[str, ...]
    file_names: Mapping[Kind, str] = field(default_factory=lambda: _LATIN_NAMES)
    text_amounts: str = ""
    rates: bool = True
    title_rows: tuple[str, ...] = ()
    capital_shared_strings: bool = False
    left_out: frozenset[str] = frozenset()

    @property
    def bank_accounts(self) -> tuple[str, ...]:
        """The texts of ``Банковский счет``: names, not numbers."""
        return (f"ПРИМЕРБАНК основной {self.name} (руб.)", f"УСЛОВНЫЙ {self.name} руб")

    def file_name(self, kind: Kind) -> str:
        """What this organization calls its file of a kind."""
        return self.file_names[kind].format(self.file_stem)

    def titles(self, kind: Kind) -> tuple[str, ...]:
        """The header of this organization's file of a kind."""
        every = {
            Kind.RECEIPTS: RECEIPT_TITLES,
            Kind.EXPENSES: EXPENSE_TITLES,
            Kind.DETAILS: (*DETAIL_TITLES, *RATE_TITLES) if self.rates else DETAIL_TITLES,
        }
        return tuple(title for title in every[kind] if title not in self.left_out)


_KNOWN = (
    Organization(
        "ЛОТОС ООО",
        "Lotos",
        "0Л0Л",
        (
            "Договор N PM775W67VXJJ0C6LA7JF9D от 29.08.2020",
            "Договор займа № 03/2020-ДЗ от 25.03.2020г.",
            "Договор займа № 1/2021 от 19.07.2021г.",
            "Основной договор",
        ),
    ),
    Organization(
        'ООО "СЕВЕРНАЯ"',
        "Severnaya",
        "0С00",
        ("N6UNT06XKS8CBK2C5WX71S5 от 25.12.2020", "Договор займа № 3/2022 от 04.07.2022г.", "Основной договор"),
        rates=False,
        left_out=frozenset({"Валюта", "Подразделение"}),
    ),
    Organization(
        "МОСТ ООО",
        "MOST",
        "МС00",
        ("9055HC77QW2M от 20.02.2021", "Договор займа № 08/2021-ДЗ от 10.06.2021г."),
        text_amounts="\u00a0",
    ),
    Organization(
        'ООО "ГОРИЗОНТ"',
        "Горизонт",
        "0Г00",
        ("Договор N 9055F2K81 от 23.09.2021", "Договор займа № 7/2020 от 28.07.2020г.", "Основной договор"),
        file_names=_CYRILLIC_NAMES,
        title_rows=("Выгрузка для кредитного портфеля", "Период: с 01.01.2020"),
    ),
    Organization(
        "ЗАРЯ АО",
        "zarya",
        "0З0З",
        ("N9055E4410 от 22.08.2022", "Договор займа № 12/2023 от 01.02.2023г."),
        capital_shared_strings=True,
    ),
)


def organizations(count: int) -> tuple[Organization, ...]:
    """The first organizations of the holding, at least one; past the five with names of their own they are numbered.

    Raises:
        ValueError: fewer than one.
    """
    if count < 1:
        raise ValueError("a holding has at least one organization")
    numbered = (
        Organization(
            f"ДОЧЕРНЯЯ {n} ООО", f"Dochernyaya{n}", f"Д{n:03d}", (f"Договор займа № {n}/2020 от 15.01.2020г.",)
        )
        for n in range(len(_KNOWN) + 1, count + 1)
    )
    return (*_KNOWN[:count], *numbered)
