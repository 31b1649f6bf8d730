// Every word of the page, in both languages; what the server says comes in the language that was asked for.

const KEY = "cpimportd.language";

const EN = {
  subtitle: "the credit portfolio’s import from 1C", skip: "Skip to content", language: "Language", leave: "Forget the token",
  login_title: "Sign in", enter: "Show the books", token: "Token",
  login_why: "The server asks for its token: web.token of its configuration. It stays in this window and goes with it.",
  login_wrong: "This is not the token.",
  figures: "The books", receipts: "Receipts", expenses: "Expenses", principal: "Principal paid", interest: "Interest paid",
  other: "Other payments", contracts: "Active contracts", documents: { one: "{n} document", other: "{n} documents" },
  held_title: "Held", held_aside: "Nothing new of these is in the books, until what is named here is corrected.",
  held_since: "since {since}", way_out: "What to do:", details: "In the words of the import:", show_run: "Show run {run}",
  days: "The last 30 days", no_run_that_day: "{day}: no import", that_day: "{day}: {runs}, the last {status}",
  months: "Principal and interest by month", organization: "Organization", period: "Months", everybody: "All",
  as_table: "As a table", month: "Month", undated: "without a date", no_months: "No payments in this time.",
  chart_label: "Principal and interest by month: left and right arrow keys go from month to month",
  files: "Workbooks", workbook: "Workbook", kind: "Holds", whose: "Of", uploaded: "Uploaded", good: "Last right",
  state: "State", never: "never", unknown: "unknown", stale_mark: "not uploaded anew", no_files: "No workbook was read yet.",
  files_more: { one: "{n} more workbook.", other: "{n} more workbooks." }, show_all: "Show all of them",
  kind_receipts: "receipts", kind_expenses: "expenses", kind_details: "expense details",
  kind_principal: "of these: principal", kind_interest: "of these: interest", kind_other: "of these: other",
  light_green: "All is well", light_yellow: "Needs attention", light_red: "Something is wrong",
  "why_all-well": "The last import went through, and nothing is held.",
  "why_daemon-not-running": "The daemon does not run: nothing is imported by itself.",
  "why_daemon-permission": "The daemon runs as another user; what it does cannot be seen from here.",
  "why_daemon-silent": "The daemon does not answer.",
  "why_last-failed": "The last import failed; the books are those of the day before.",
  "why_no-run": "Nothing was imported yet.",
  "why_held-files": { one: "{n} workbook is held, and nobody knows whose it is.", other: "{n} workbooks are held, and nobody knows whose they are." },
  "why_schedule-failed": { one: "The last job of a schedule was not done.", other: "The last jobs of {n} schedules were not done." },
  why_held: { one: "{n} unit is held.", other: "{n} units are held." },
  why_stale: { one: "{n} workbook was not uploaded anew.", other: "{n} workbooks were not uploaded anew." },
  why_waiting: { one: "A schedule waits, and tries again.", other: "{n} schedules wait, and try again." },
  "why_run-waiting": "The import waits for something that keeps it.",
  why_refused: "A new configuration of the daemon was refused; it goes on by the old one, and a restart may fail.",
  waits: "waits for {what}", wait_next: "next try {at}", wait_until: "gives up {at}",
  wait_source: "the FTP server", wait_folder: "the folder of workbooks", wait_upload: "an upload to end",
  "wait_other-half": "the other half of an upload", wait_database: "the database", wait_lock: "a lock in the database",
  wait_commit: "the database’s word whether the import was committed", wait_upgrade: "another upgrade of the schema",
  wait_backup: "the backup of the books", wait_reader: "the reader of a workbook", wait_cluster: "the cluster",
  wait_cache: "the cache", wait_views: "a materialized view", wait_alerts: "alerts to be sent", wait_daemon: "the daemon",
  why_slotless: { one: "A schedule has no slot any more.", other: "{n} schedules have no slot any more." },
  next_slot: "Next import {when}, {away}", no_slot: "No import is scheduled.",
  trigger: "Import now", asked: "Asked.", queued: "One more import follows this one.",
  running: "Importing: {stage}", of_files: "{done} of {files} workbooks", began: "began {away}",
  stage_fetching: "fetching workbooks", stage_reading: "reading workbooks", stage_checking: "checking",
  stage_publishing: "publishing", stage_committing: "committing", "stage_telling readers": "telling readers",
  "stage_asking the database whether it published": "it broke off; the database is asked whether it was published",
  runs: { one: "{n} import", other: "{n} imports" }, seconds: { one: "{n} second", other: "{n} seconds" },
  status_published: "published", status_unchanged: "nothing new", status_partial: "partly held", status_held: "held",
  status_failed: "failed", status_abandoned: "broken off", status_running: "under way", status_ignored: "left out",
  status_read: "read", "status_dry-run": "dry run", status_rejected: "rejected", status_undone: "undone",
  run: "Import {run}", close: "Close", began_at: "Began", took: "Took", by: "Started by", by_schedule: "schedule {name}",
  by_hand: "hand", host: "On", same_day: "Imports of this day", loading: "One moment …",
  problems: "What was noticed", no_problems: "Nothing.", place_row: "row {row}", place_column: "column «{column}»",
  place_value: "«{value}»", units: "From yesterday’s sum to today’s", unit: "Unit", opening: "Before", added: "Added",
  removed: "Removed", changed: "Changed", closing: "After", rows: "Rows", total: "Control total",
  diff: "What changed", diff_added: "added", diff_removed: "removed", diff_changed: "changed", diff_retimed: "re-timed",
  diff_rekeyed: "re-keyed", more: "Show more", no_diff: "No document came, went or changed.", nothing: "nothing", was: "was {name}",
  lines: { one: "{n} detail line differs", other: "{n} detail lines differ" }, source: "{file}, row {row}",
  server_away: "The server does not answer.", server_away_out: "Look whether cpimportd web still runs; this page tries again.",
  no_database: "The books cannot be read", as_of: "As of {moment}; times are those of {zone}.", mixed: "Sums are over {currencies}.",
};

const RU = {
  subtitle: "загрузка кредитного портфеля из 1С", skip: "К содержанию", language: "Язык", leave: "Забыть токен",
  login_title: "Вход", enter: "Показать данные", token: "Токен",
  login_why: "Серверу нужен его токен: web.token из его настроек. Он остаётся в этом окне и исчезает вместе с ним.",
  login_wrong: "Это не тот токен.",
  figures: "Данные в базе", receipts: "Поступления", expenses: "Списания", principal: "Погашено основного долга",
  interest: "Уплачено процентов", other: "Прочие платежи", contracts: "Действующие договоры", documents: { one: "{n} документ", few: "{n} документа", many: "{n} документов", other: "{n} документа" },
  held_title: "Задержано", held_aside: "Новых данных по этим блокам в базе нет, пока названное не исправят.",
  held_since: "с {since}", way_out: "Что делать:", details: "Словами загрузки:", show_run: "Показать загрузку {run}",
  days: "Последние 30 дней", no_run_that_day: "{day}: загрузок не было", that_day: "{day}: {runs}, последняя: {status}",
  months: "Основной долг и проценты по месяцам", organization: "Организация", period: "Месяцев", everybody: "Все",
  as_table: "Таблицей", month: "Месяц", undated: "без даты", no_months: "За это время платежей нет.",
  chart_label: "Основной долг и проценты по месяцам: стрелки влево и вправо переходят от месяца к месяцу",
  files: "Файлы выгрузки", workbook: "Файл", kind: "Что в нём", whose: "Чьё", uploaded: "Выгружен", good: "Был исправен",
  state: "Состояние", never: "никогда", unknown: "неизвестно", stale_mark: "давно не обновлялся", no_files: "Пока не прочитан ни один файл.",
  files_more: { one: "Ещё {n} файл.", few: "Ещё {n} файла.", many: "Ещё {n} файлов.", other: "Ещё {n} файла." }, show_all: "Показать все",
  kind_receipts: "поступления", kind_expenses: "списания", kind_details: "расшифровка списаний",
  kind_principal: "из них: основной долг", kind_interest: "из них: проценты", kind_other: "из них: прочее",
  light_green: "Всё в порядке", light_yellow: "Стоит посмотреть", light_red: "Есть неисправность",
  "why_all-well": "Последняя загрузка прошла, ничего не задержано.",
  "why_daemon-not-running": "Служба не запущена: сама собой загрузка не начнётся.",
  "why_daemon-permission": "Служба работает от имени другого пользователя; отсюда не видно, что она делает.",
  "why_daemon-silent": "Служба не отвечает.",
  "why_last-failed": "Последняя загрузка не удалась; в базе прежние данные.",
  "why_no-run": "Загрузок ещё не было.",
  "why_held-files": { one: "Задержан {n} файл, и неизвестно, чей он.", few: "Задержано {n} файла, и неизвестно, чьи они.", many: "Задержано {n} файлов, и неизвестно, чьи они.", other: "Задержано {n} файла, и неизвестно, чьи они." },
  "why_schedule-failed": { one: "Последнее задание одного из расписаний не выполнено.", few: "Не выполнены последние задания {n} расписаний.", many: "Не выполнены последние задания {n} расписаний.", other: "Не выполнены последние задания {n} расписания." },
  why_held: { one: "Задержан {n} блок.", few: "Задержано {n} блока.", many: "Задержано {n} блоков.", other: "Задержано {n} блока." },
  why_stale: { one: "{n} файл давно не обновлялся.", few: "{n} файла давно не обновлялись.", many: "{n} файлов давно не обновлялись.", other: "{n} файла давно не обновлялись." },
  why_waiting: { one: "Одно расписание ждёт и попробует снова.", few: "{n} расписания ждут и попробуют снова.", many: "{n} расписаний ждут и попробуют снова.", other: "{n} расписания ждут и попробуют снова." },
  "why_run-waiting": "Загрузка ждёт: ей что-то мешает.",
  why_refused: "Новые настройки службы отклонены; она работает по прежним, а перезапуск может не удаться.",
  waits: "ожидание: {what}", wait_next: "следующая попытка в {at}", wait_until: "ждёт до {at}",
  wait_source: "FTP-сервер", wait_folder: "папка с файлами", wait_upload: "окончание выгрузки",
  "wait_other-half": "вторая половина выгрузки", wait_database: "база данных", wait_lock: "блокировка в базе данных",
  wait_commit: "ответ базы, записана ли загрузка", wait_upgrade: "другое обновление схемы",
  wait_backup: "резервная копия данных", wait_reader: "чтение файла", wait_cluster: "кластер",
  wait_cache: "кэш", wait_views: "материализованное представление", wait_alerts: "отправка оповещений", wait_daemon: "служба",
  why_slotless: { one: "У одного расписания больше нет сроков.", few: "У {n} расписаний больше нет сроков.", many: "У {n} расписаний больше нет сроков.", other: "У {n} расписания больше нет сроков." },
  next_slot: "Следующая загрузка: {when}, {away}", no_slot: "По расписанию загрузок нет.",
  trigger: "Загрузить сейчас", asked: "Запрос принят.", queued: "После этой загрузки будет ещё одна.",
  running: "Идёт загрузка: {stage}", of_files: "{done} из {files} файлов", began: "началась {away}",
  stage_fetching: "получение файлов", stage_reading: "чтение файлов", stage_checking: "проверка",
  stage_publishing: "запись в базу", stage_committing: "фиксация", "stage_telling readers": "оповещение",
  "stage_asking the database whether it published": "оборвалась; у базы узнают, записана ли она",
  runs: { one: "{n} загрузка", few: "{n} загрузки", many: "{n} загрузок", other: "{n} загрузки" },
  seconds: { one: "{n} секунда", few: "{n} секунды", many: "{n} секунд", other: "{n} секунды" },
  status_published: "записана", status_unchanged: "ничего нового", status_partial: "частично задержана", status_held: "задержано",
  status_failed: "не удалась", status_abandoned: "оборвана", status_running: "идёт", status_ignored: "не взят",
  status_read: "прочитан", "status_dry-run": "пробная", status_rejected: "отклонён", status_undone: "отменено",
  m_published: "записан", m_unchanged: "без изменений", m_held: "задержан", m_ignored: "не взят", m_read: "прочитан",
  m_rejected: "отклонён", m_undone: "отменён",
  run: "Загрузка {run}", close: "Закрыть", began_at: "Начата", took: "Длилась", by: "Запущена", by_schedule: "по расписанию {name}",
  by_hand: "вручную", host: "На машине", same_day: "Загрузки этого дня", loading: "Минуту …",
  problems: "Что замечено", no_problems: "Ничего.", place_row: "строка {row}", place_column: "колонка «{column}»",
  place_value: "«{value}»", units: "От вчерашней суммы к сегодняшней", unit: "Блок", opening: "Было", added: "Добавлено",
  removed: "Удалено", changed: "Изменено", closing: "Стало", rows: "Строк", total: "Итого в файле",
  diff: "Что изменилось", diff_added: "добавлен", diff_removed: "удалён", diff_changed: "изменён", diff_retimed: "другое время",
  diff_rekeyed: "переименован", more: "Показать ещё", no_diff: "Ни один документ не появился, не исчез и не изменился.", nothing: "пусто", was: "был {name}",
  lines: { one: "отличается {n} строка расшифровки", few: "отличаются {n} строки расшифровки", many: "отличаются {n} строк расшифровки", other: "отличаются {n} строки расшифровки" },
  source: "{file}, строка {row}",
  server_away: "Сервер не отвечает.", server_away_out: "Проверьте, работает ли cpimportd web; страница пробует снова.",
  no_database: "Данные не удаётся прочитать", as_of: "По состоянию на {moment}; время — {zone}.", mixed: "Суммы сложены по валютам: {currencies}.",
};

const TEXTS = { en: EN, ru: RU };
let chosen = localStorage.getItem(KEY) ?? (navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en");
if (!(chosen in TEXTS)) chosen = "en";

export const words = TEXTS;
export const language = () => chosen;
export const languages = Object.keys(TEXTS);

export function choose(name) {
  chosen = name;
  localStorage.setItem(KEY, name);
}

/** The state of a workbook or unit; of an import Russian says it in another form. */
export const stateOf = (name) => TEXTS[chosen][`m_${name}`] ?? t(`status_${name}`);

const put = (text, facts) => text.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");

/** A text of the dictionary with facts in its places; one that is not there is its own name. */
export const t = (key, facts = {}) => put(TEXTS[chosen][key] ?? key.replace(/^[a-z]+_/, ""), facts);

/** A text that depends on a number. */
export function plural(key, number, facts = {}) {
  const forms = TEXTS[chosen][key];
  return put(forms[new Intl.PluralRules(chosen).select(number)] ?? forms.other, { n: number, ...facts });
}

/** Put the dictionary's words into what stands in the page from the start. */
export function speak() {
  document.documentElement.lang = chosen;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = t(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", t(one.dataset.label));
  for (const one of document.querySelectorAll("[data-language]")) {
    one.setAttribute("aria-pressed", String(one.dataset.language === chosen));
  }
}
