"""Metrics for Prometheus: the name, labels and meaning of each, and their text format."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from cpimportd import __version__
from cpimportd.books.reports.health import Figures
from cpimportd.core.model import ENDED

_FLOAT: Final = "A float by nature: to the kopeck are the books alone."

Labelled = Iterable[tuple[tuple[str, ...], float]]


class ImportCollector(Collector):
    """Collects the figures of one moment; create a new one for each scrape.

    Args:
        department: whose books.
        figures: of the database.
        daemon: its status document; None if it does not run, or cannot be asked.
    """

    def __init__(self, department: int, figures: Figures, daemon: Mapping[str, Any] | None) -> None:
        self._department = str(department)
        self._figures = figures
        self._daemon = daemon

    def collect(self) -> Iterator[Metric]:
        """All metrics, in the order of the page."""
        yield InfoMetricFamily("cpimportd", "The program.", value={"version": __version__})
        yield from self._runs()
        yield self._of_schedules()
        yield from self._held()
        yield from self._untold()
        yield from self._books()
        yield from self._of_daemon()

    def _runs(self) -> Iterator[Metric]:
        health = self._figures.health
        if health.last_success is not None:
            yield self._gauge(
                "cpimportd_last_success_timestamp_seconds",
                "When an import last ended well: published, or nothing new; with units held if others were not.",
                [((), health.last_success.timestamp())],
            )
        last = health.last_run
        if last is not None:
            yield self._gauge(
                "cpimportd_last_run_timestamp_seconds",
                "When the last import ended, well or not.",
                [((), last.finished_at.timestamp())],
            )
            yield self._gauge(
                "cpimportd_last_run_duration_seconds",
                "How long the last import took.",
                [((), last.seconds)],
            )
            yield self._gauge(
                "cpimportd_last_run_stage_duration_seconds",
                "How long each stage of the last import took.",
                [((stage,), float(seconds)) for stage, seconds in last.stages.items()],
                "stage",
            )
            yield self._gauge(
                "cpimportd_last_run_status",
                "How the last import ended: 1 for that status, 0 for the others.",
                [((status,), float(status == last.status)) for status in ENDED],
                "status",
            )
        yield self._counter(
            "cpimportd_runs",
            "Runs that ended, by how.",
            [((status,), health.runs.get(status, 0)) for status in ENDED],
            "status",
        )
        yield self._gauge(
            "cpimportd_file_modified_timestamp_seconds",
            "When 1C last uploaded a workbook, by the server's clock.",
            [((file.name, file.kind or ""), file.modified.timestamp()) for file in health.files if file.modified],
            "file",
            "kind",
        )

    def _of_schedules(self) -> Metric:
        latest: dict[str, float] = {}
        for one in self._figures.health.successes or ():
            if one.schedule is not None:
                latest[one.schedule] = max(one.at.timestamp(), latest.get(one.schedule, 0.0))
        return self._gauge(
            "cpimportd_schedule_last_success_timestamp_seconds",
            "When a schedule's own imports last ended well; one that never did has none.",
            [((name,), at) for name, at in sorted(latest.items())],
            "schedule",
        )

    def _held(self) -> Iterator[Metric]:
        held = self._figures.health.held
        yield self._gauge("cpimportd_held_units", "Units of which nothing new is published.", [((), float(len(held)))])
        yield self._gauge(
            "cpimportd_held_unit",
            "1 for each held unit and each code of why; journalctl -x explains the codes.",
            [((one.unit.organization, one.unit.group.value, code), 1.0) for one in held for code in one.codes],
            "organization",
            "kind",
            "code",
        )

        yield self._gauge(
            "cpimportd_held_file",
            "1 for each held workbook of which nobody knows whose it is, so that no unit tells of it, and each code.",
            [((file.name, code), 1.0) for file in self._figures.health.held_files for code in file.held_for],
            "file",
            "code",
        )

    def _untold(self) -> Iterator[Metric]:
        yield self._gauge(
            "cpimportd_outstanding_since_timestamp_seconds",
            "Since when a run's change waits for cache or views; absent where they are up to date.",
            [((one.target,), one.since.timestamp()) for one in self._figures.health.outstanding],
            "target",
        )

    def _books(self) -> Iterator[Metric]:
        books = sorted(self._figures.books.items())
        yield self._gauge(
            "cpimportd_books_rows",
            "Rows in the books: documents, or lines of details.",
            [((organization, kind.value), float(rows)) for (organization, kind), (rows, _) in books],
            "organization",
            "kind",
        )
        yield self._gauge(
            "cpimportd_books_amount",
            f"Their sum in the documents' own currencies. {_FLOAT}",
            [((organization, kind.value), float(total)) for (organization, kind), (_, total) in books],
            "organization",
            "kind",
        )
        yield self._gauge(
            "cpimportd_books_paid_amount",
            f"What the detail lines pay: principal, interest or other. {_FLOAT}",
            [
                ((one.organization, purpose), float(getattr(one, purpose)))
                for one in self._figures.payments
                for purpose in ("principal", "interest", "other")
            ],
            "organization",
            "purpose",
        )

    def _of_daemon(self) -> Iterator[Metric]:
        if self._daemon is None:
            return
        schedules = self._daemon["schedules"]
        started = datetime.fromisoformat(self._daemon["since"]).timestamp()
        yield self._gauge("cpimportd_daemon_start_timestamp_seconds", "When the daemon started.", [((), started)])
        yield self._gauge(
            "cpimportd_next_slot_timestamp_seconds",
            "When a schedule is due next.",
            [
                ((one["name"],), datetime.fromisoformat(one["next"]).timestamp())
                for one in schedules
                if one["next"] is not None
            ],
            "schedule",
        )
        for name, text in (
            ("misfired", "Slots that were missed and not made up for, since the daemon's start."),
            ("coalesced", "Slots that were missed, or still waited, and another one stands for, since then."),
        ):
            values = [((one["name"],), float(one.get(name, 0))) for one in schedules]
            yield self._counter(f"cpimportd_{name}_slots", text, values, "schedule")

    def _gauge(self, name: str, text: str, values: Labelled, *labels: str) -> Metric:
        family = GaugeMetricFamily(name, text, labels=("department", *labels))
        for found, value in values:
            family.add_metric((self._department, *found), value)
        return family

    def _counter(self, name: str, text: str, values: Labelled, *labels: str) -> Metric:
        family = CounterMetricFamily(name, text, labels=("department", *labels))
        for found, value in values:
            family.add_metric((self._department, *found), value)
        return family


def registry_of(department: int, figures: Figures, daemon: Mapping[str, Any] | None) -> CollectorRegistry:
    """A registry that holds the figures of one moment, and nothing of this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ImportCollector(department, figures, daemon))
    return registry


def text_of(registry: CollectorRegistry) -> str:
    """The text format (https://prometheus.io/docs/instrumenting/exposition_formats/), in UTF-8 once it is encoded."""
    return generate_latest(registry).decode("utf-8")
