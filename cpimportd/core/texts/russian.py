"""The catalog in Russian: one entry for each problem, gathered from the pages beside this one, and the ends of runs.

Words: загрузка is a run, выгрузка 1C's export, блок a unit, задержан held, подтвердить accept, запуск a slot, служба
the daemon. Keys, commands and the names of units stay as they are typed.
"""

from cpimportd.core.problems import ProblemKind
from cpimportd.core.report import RunStatus
from cpimportd.core.texts.consequences import Consequence
from cpimportd.core.texts.explanation import Explanation, Text, fields_of, quote
from cpimportd.core.texts.russian_alerts import ALERTS
from cpimportd.core.texts.russian_books import BOOKS
from cpimportd.core.texts.russian_checks import CHECKS
from cpimportd.core.texts.russian_daemon import DAEMON
from cpimportd.core.texts.russian_setup import SETUP
from cpimportd.core.texts.russian_source import SOURCE
from cpimportd.core.texts.russian_web import WEB
from cpimportd.core.texts.russian_workbook import WORKBOOK

TEXTS = {**SETUP, **SOURCE, **WORKBOOK, **CHECKS, **BOOKS, **DAEMON, **WEB, **ALERTS}
"""By code; ``{placeholders}`` are fields of the journal."""

CONSEQUENCES = {
    Consequence.RUN_FAILS: "Загрузка прервана и ничего не записала: в базе осталось то, что было до неё.",
    Consequence.RUN_STANDS_BACK: "Эта загрузка ничего не делает и другой не мешает (код завершения 4).",
    Consequence.SLOT_IS_DONE: "Второй раз ничего не делается (код завершения 5). Это не ошибка.",
    Consequence.RUN_CUT_SHORT: "Загрузка оборвана на ходу. Если это случилось до COMMIT, она не записала ничего, если "
    "после — записала всё; что именно произошло, покажет `cpimportd history`.",
    Consequence.COMMIT_UNKNOWN: "В базе либо всё, что эта загрузка должна была записать, либо ничего из этого; части "
    "быть не может.",
    Consequence.CONFIGURATION_REFUSED: "С такими настройками загрузка не выполняется. Команда и служба при запуске "
    "сразу завершаются (код завершения 2); уже работающая служба остаётся при прежних настройках.",
    Consequence.COMMAND_REFUSED: "Команда сразу завершилась и ничего не сделала (код завершения 2).",
    Consequence.COMMAND_FAILS: "Команда завершилась без результата; данные в базе не изменились.",
    Consequence.DAEMON_STANDS_BACK: "Эта служба не запускается, а другая продолжает работать (код завершения 4).",
    Consequence.WORK_GIVEN_UP: "То, что выполнялось, прервано. Загрузка в таком случае ничего не записывает, если "
    "только она не сообщила, что уже записала.",
    Consequence.HELD: "Всё, что от этого зависит, задержано: поступления организации или её списания вместе с "
    "расшифровкой. По ним в базе остаются прежние данные; остальное записывается, если не задано guards.strict. "
    "Обойти эту проверку нельзя.",
    Consequence.HELD_UNTIL_ACCEPTED: "Блок (поступления организации или её списания вместе с расшифровкой) "
    "задержан: по нему в базе остаются прежние данные, пока кто-нибудь не подтвердит его по "
    "имени. Остальное записывается, если не задано guards.strict.",
    Consequence.WARNING: "Это предупреждение: само по себе оно не прерывает загрузку и ничего не задерживает.",
}
MAY_PASS = "Может пройти само собой: следующая попытка может удаться без чьего-либо вмешательства."  # noqa: S105 - no password

_RUN = "`cpimportd show {run}`"
STATUSES = {
    RunStatus.PUBLISHED: Explanation(
        "Загрузка завершена: всё записано в базу",
        "Всё, что было в файлах, прошло проверки и записано в базу одной транзакцией. Что не изменилось, не "
        "перезаписывалось.",
        f"Ничего. Отчёт показывает {_RUN}.",
    ),
    RunStatus.UNCHANGED: Explanation(
        "Загрузка завершена: ничего нового нет",
        "В файлах на сервере то же, что уже есть в базе, поэтому ничего не записано.",
        "Ничего. Если новые данные должны были быть, проверьте, выполнилась ли выгрузка из 1С.",
    ),
    RunStatus.PARTIAL: Explanation(
        "Загрузка завершена частично: кое-что задержано",
        "Что прошло проверки, записано в базу. Что не прошло, задержано, и по нему в базе остаются прежние данные. "
        "Следующие строки журнала называют каждый задержанный блок и причину (код завершения 3).",
        f"Поступите, как советуют следующие строки журнала; весь отчёт показывает {_RUN}.",
    ),
    RunStatus.HELD: Explanation(
        "Загрузка ничего не записала: всё новое задержано",
        "Ничто из нового не прошло проверки, поэтому в базе остались прежние данные. Следующие строки журнала называют "
        "каждый задержанный блок и причину (код завершения 3).",
        f"Поступите, как советуют следующие строки журнала; весь отчёт показывает {_RUN}.",
    ),
    RunStatus.FAILED: Explanation(
        "Загрузка не удалась или уступила другой",
        "Ничего не записано, если только сама строка не говорит о потерянном COMMIT. Слова «did nothing» в ней "
        "значат, что идёт другая загрузка или всё уже сделано; это не ошибка.",
        "Поступите, как советуют следующие строки журнала.",
    ),
    RunStatus.DRY_RUN: Explanation(
        "Пробная загрузка завершена: в базу ничего не записано",
        "Она проверила всё так же, как настоящая; следующие строки журнала говорят, что было бы записано и что "
        "задержано.",
        "Ничего. Записывает данные команда `cpimportd run`.",
    ),
}


def text_of(kind: ProblemKind) -> Text:
    """A problem's sentence and way out in Russian, with fields of the journal in place of the placeholders.

    Raises:
        KeyError: nobody has translated this problem yet.
        ValueError: the translation names a fact that the line need not carry.
    """
    fields = fields_of(kind)
    text = TEXTS[kind.code]
    return Text(quote(text.sentence, fields), quote(text.way_out, fields))
