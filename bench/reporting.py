"""The page: results as tables in Markdown, every aim beside its figure."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench import figures
from bench.contenders import Ours, dlt, floor, pandas, polars, predecessor
from bench.figures import AIMS, FIRST, OURS, Results, median, percentile, ratio
from bench.parts import PARTS
from bench.texts import CLAIMS, HEAD, NOTES

TITLES = {
    c.name: c.title for c in (Ours(), floor(), predecessor(), pandas("openpyxl"), pandas("calamine"), dlt(), polars())
}

Table = Sequence[Sequence[str]]


def page(machine: Mapping[str, Any], results: Results) -> str:
    """The whole page.

    Args:
        machine: as :func:`bench.machine.describe` gives it.
        results: of the parts, as far as they were measured.
    """
    sections = [HEAD.format(minutes=round(sum(part.minutes for part in PARTS.values())))]
    sections += ["## Aims", table(aims(results)), "## The machine", table(machine_rows(machine))]
    for name, part in PARTS.items():
        if name in results:
            found = results[name]
            sections += [f"## {part.title}", *SECTIONS.get(name, race_section)(found), *skipped(found)]
            sections += [NOTES[name]] if name in NOTES else []
            sections += [f"*`--only {name}`, measured {found['at']}, load before it {found['load']}.*"]
    return "\n\n".join(section.strip("\n") for section in sections) + "\n"


def aims(results: Results) -> Table:
    rows = [("aim", "limit", "measured", "")]
    for aim in AIMS:
        found = aim.found(results)
        sign = "≥" if aim.at_least else "≤"
        limit = f"{sign} {aim.form.format(aim.limit)}" if aim.limit else aim.form.format(0)
        told = (
            ("not measured", "")
            if found is None
            else (aim.form.format(found), "met" if aim.met(found) else "**not met**")
        )
        rows.append((aim.text, limit, *told))
    for row in results.get("daemon", {}).get("rows", ()):
        if row["aim"] is not None:
            verdict = "met" if row["figure"] <= row["aim"] else "**not met**"
            form = f"{{:g}} {row['unit']}".format
            rows.append((f"daemon: {row['what']}", f"≤ {form(row['aim'])}", form(row["figure"]), verdict))
    return rows


def machine_rows(machine: Mapping[str, Any]) -> Table:
    rows = [("", ""), *((key, str(machine[key])) for key in ("processor", "cores", "memory", "kernel", "python"))]
    settings = ", ".join(f"{name} = {value}" for name, value in machine["settings"].items())
    rows.append(("PostgreSQL", f"{machine['postgresql']}, its own defaults but for {settings}"))
    return [*rows, *((f"environment `{name}`", versions) for name, versions in machine["peers"].items())]


def race_section(part: Mapping[str, Any]) -> Iterable[str]:
    """Medians of every contender's steps, with their range and what they are to our first import."""
    memory = any(max(found[FIRST]["peak"]) > 0 for found in part["samples"].values())
    head = ["", "rows", "step", "median", "least to most", "CPU", "PostgreSQL's CPU", f"÷ our {FIRST}"]
    rows = [[*head, *(["peak of all its processes", "PostgreSQL's peak"] if memory else [])]]
    for name, steps in part["samples"].items():
        for step, found in steps.items():
            seconds = found["seconds"]
            rows.append([
                TITLES.get(name, f"{TITLES[OURS]}, {name}"), f"{part['rows'][name]:,}", step, f"{median(part, name, step):.2f} s",
                f"{min(seconds):.2f} to {max(seconds):.2f}", f"{median(part, name, step, 'cpu'):.1f} s",
                f"{median(part, name, step, 'server_cpu'):.1f} s", _beside_ours(part, name, step),
                *([f"{median(part, name, step, figure):.0f} MB" for figure in ("peak", "server_peak")] if memory else []),
            ])  # fmt: skip
    yield table(rows)
    yield _rounds(part)


def _rounds(part: Mapping[str, Any]) -> str:
    return f"{part['rounds']} rounds, contestants in turn." if part["rounds"] > 1 else "One round."


def _beside_ours(part: Mapping[str, Any], name: str, step: str) -> str:
    ours = OURS if OURS in part["samples"] else figures.smallest(part)
    return f"{ratio(part, (name, step), (ours, FIRST)):.2f}"


def readers_section(part: Mapping[str, Any]) -> Iterable[str]:
    rows = [("the summary query", "questions", "median", "p95", "p99", "longest")]
    looks = {
        "at rest": "rest_ms",
        "beside a process that only computes": "busy_ms",
        "during publications": "publication_ms",
    }
    for title, key in looks.items():
        values = part[key]
        shares = (f"{percentile(values, share):.1f} ms" for share in (0.5, 0.95, 0.99, 1.0))
        rows.append((title, str(len(values)), *shares))
    yield table(rows)
    yield (
        f"Readers refused for want of a lock within 1 ms: {part['refused']}; longest wait for a lock that was seen: "
        f"{part['longest_wait_ms']:.1f} ms. The books have {part['rows']:,} rows."
    )


def wal_section(part: Mapping[str, Any]) -> Iterable[str]:
    rows = [("", "documents", "lines", "a run", "by hand", "a run, per document", "by hand, per document", "÷")]
    for images, rounds in part["changed"].items():
        written = [statistics.median(found[who] for found in rounds) for who in ("run", "hand")]
        each = [f"{written_by / rounds[0]['documents']:,.0f} B" for written_by in written]
        whole = [f"{written_by / 1000:,.0f} kB" for written_by in written]
        factor = f"{figures.wal_per_document(part, images):.2f}"
        counts = (str(rounds[0]["documents"]), str(rounds[0]["lines"]))
        rows.append((f"full_page_writes {images}", *counts, *whole, *each, factor))
    yield table(rows)
    yield _rounds(part)
    same = part["unchanged"]
    yield (
        f"The same day again: {same['tuples']} tuples written to the books, {same['records']} records of the log touch "
        f"them; {same['bytes'] / 1000:,.0f} kB in all (the run's own row)."
    )


def start_section(part: Mapping[str, Any]) -> Iterable[str]:
    rows = [("", "times", "median", "longest", "modules", "large libraries among them")]
    for name, seconds in part["seconds"].items():
        loaded = part["loaded"][name]
        told = (f"{statistics.median(seconds):.3f} s", f"{max(seconds):.3f} s", str(loaded["modules"]))
        rows.append((f"`cpimportd {name}`", str(len(seconds)), *told, ", ".join(loaded["libraries"]) or "none"))
    yield table(rows)


def daemon_section(part: Mapping[str, Any]) -> Iterable[str]:
    rows = [("", "measured", "aim", "")]
    for row in part["rows"]:
        aim = "" if row["aim"] is None else f"{row['aim']:g} {row['unit']}"
        rows.append((row["what"], f"{row['figure']:g} {row['unit']}", aim, row["more"]))
    yield table(rows)


def claims_section(part: Mapping[str, Any]) -> Iterable[str]:
    """What was found in each one's tables, one question a row."""
    answers = part["answers"]
    rows = [("", *(TITLES[name].partition(", ")[0] for name in answers))]
    rows += [(question, *(answer(found) for found in answers.values())) for question, answer in CLAIMS]
    yield table(rows)
    if part["dlt_usual_names"]:
        yield f"dlt with its usual naming: {part['dlt_usual_names']}"


def skipped(part: Mapping[str, Any]) -> Iterable[str]:
    return [f"Not taking part: {TITLES[name]}: {reason}" for name, reason in part.get("skipped", {}).items()]


def table(rows: Table) -> str:
    """Rows as Markdown, the first is the head."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    lines.insert(1, " | ".join("---" for _ in rows[0]))
    return "\n".join(f"| {line} |" for line in lines)


SECTIONS = {
    "readers": readers_section,
    "wal": wal_section,
    "start": start_section,
    "daemon": daemon_section,
    "claims": claims_section,
}
