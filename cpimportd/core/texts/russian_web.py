"""In Russian: the interface over HTTP."""

from cpimportd.core.texts.explanation import Text

WEB = {
    "web-not-installed": Text(
        "Для веб-интерфейса не хватает пакета",
        "Установите дополнение web: в папке исходного кода, программой pip из виртуального окружения cpimportd, "
        "pip install -c constraints.txt '.[web]'",
    ),
    "web-open": Text(
        "Веб-интерфейс не запускается по адресу {value}: не задан токен",
        "Задайте web.token — в файле учётных данных с этим именем или в переменной CPIMPORTD_WEB__TOKEN (создаёт его "
        "`openssl rand -hex 32`). На адресе loopback web.open_on_loopback = true впускает всех, кто работает на этой "
        "машине.",
    ),
    "web-address": Text(
        "Адрес {value} занят или недоступен",
        "Задайте в web.listen свободный адрес этой машины.",
    ),
    "web-unauthorized": Text(
        "В запросе нет верного токена",
        "Передайте заголовок `Authorization: Bearer ТОКЕН` с тем токеном, который задан в web.token.",
    ),
    "web-host": Text(
        "Запрос обращён к узлу, которого здесь нет: {value}",
        "Обращайтесь по IP-адресу или добавьте имя в web.hosts.",
    ),
    "web-foreign": Text(
        "Странице чужого сайта это не позволено",
        "Пользуйтесь страницей этого сервера или программой, которая не является браузером.",
    ),
    "web-request": Text(
        "Запрос составлен неправильно",
        "Что ожидается, описано в /openapi.json.",
    ),
    "web-not-found": Text(
        "Здесь нет {value}",
        "Что здесь есть, описано в /openapi.json.",
    ),
    "web-too-many": Text(
        "Слишком много наблюдателей: больше {value}",
        "Закройте другие окна этой страницы; и без хода загрузки она показывает всё остальное.",
    ),
}
