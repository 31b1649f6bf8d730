"""In Russian: alerts, heartbeats and the reconciliation."""

from cpimportd.catalog.explanation import Text

ALERTS = {
    "alert-unsent": Text(
        "Оповещения не отправлены",
        "Они остаются в очереди и уйдут при следующей загрузке. Проверьте адреса: `cpimportd alerts --test`; затем "
        "отправьте их: `cpimportd alerts --send`.",
    ),
    "alert-untold": Text(
        "База данных недоступна, и оповещение об этом не отправлено",
        "Следующая загрузка попробует ещё раз; проверьте адреса: `cpimportd alerts --test`.",
    ),
    "alerts-not-installed": Text(
        "Для оповещений нужен пакет, который не установлен",
        "Установите его: pip install 'cpimportd[alerts]'",
    ),
    "heartbeat-unsent": Text(
        "Не удалось сообщить о загрузке по адресу alerts.heartbeat_url",
        "На загрузку это не влияет. Проверьте alerts.heartbeat_url и доступ к этому серверу отсюда.",
    ),
    "books-apart": Text(
        "{organization}: суммы в базе не равны Итого файлов, по которым она заполнена",
        "Посмотрите, кто писал в эти таблицы, затем выполните `cpimportd run`: загрузка возвращает то, что в файлах.",
    ),
    "books-moved": Text(
        "{organization}: суммы в базе не те, которые оставила загрузка",
        "Посмотрите, кто писал в эти таблицы, затем выполните `cpimportd run`: загрузка возвращает то, что в файлах.",
    ),
    "journal-gap": Text(
        "{organization}: сумма перед загрузкой не равна сумме после предыдущей",
        "Между этими загрузками в таблицы писал кто-то другой; `cpimportd show` покажет, что исправила более поздняя.",
    ),
    "journal-open": Text(
        "{organization}: начало, движения и конец загрузки не сходятся",
        "Не полагайтесь на эту сумму: сверьте её с 1С и сообщите о дефекте.",
    ),
}
