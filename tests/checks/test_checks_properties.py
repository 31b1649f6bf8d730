"""Whatever the files: their order decides nothing, and reading on always ends in a decision."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from cpimportd.checks.integrity import integrity
from cpimportd.checks.units import files_to_parse
from cpimportd.core.model import Document, Kind
from cpimportd.core.problems import problem
from cpimportd.core.workbooks import FetchedFile, Served, Snapshot

ORGANIZATIONS = ("А", "Б", "В")
NAMES = ("a.xlsx", "b.xlsx", "c.xlsx", "d.xlsx", "e.xlsx")


@st.composite
def snapshots(draw, name):
    """A file with a few documents of a small world, so that files often collide; often enough it is wrong."""
    from decimal import Decimal
    from pathlib import Path

    kind = draw(st.sampled_from(Kind))
    rows = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 2)), max_size=4))
    documents = tuple(
        Document(row, f"№{key}", None if kind is Kind.DETAILS else ORGANIZATIONS[key % 3], amount * 100)
        for row, (key, amount) in enumerate(rows, 2)
    )
    total = sum((d.amount for d in documents), Decimal(0))
    title = "Сумма платежа" if kind is Kind.DETAILS else "Сумма"
    content = repr((kind, documents))
    state = draw(st.sampled_from(["right", "right", "right", "broken", "total", "reject"]))
    snapshot = Snapshot(
        FetchedFile(name, Path(name), 1, None, f"bytes {content}"),
        0, content, kind, documents, {title: total}, {title: total},
    )  # fmt: skip
    if state == "broken":
        empty = problem("file-empty", file=name)
        return Snapshot(dataclasses.replace(snapshot.file, sha256="0"), 0, problems=(empty,))
    if state == "total":
        return dataclasses.replace(snapshot, control_totals={title: total + 1})
    if state == "reject":
        return dataclasses.replace(snapshot, problems=(problem("reject", file=name, row=9, cell="", reason="no"),))
    return snapshot


@st.composite
def days(draw):
    """Today's files, read; and some memory, partly of the very same contents."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    files = [dataclasses.replace(draw(snapshots(name)), file_no=no) for no, name in enumerate(names)]
    served = []
    for organization in ORGANIZATIONS:
        for kind in Kind:
            for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2)):
                file = draw(st.sampled_from([*files, None]))
                digest = file.digest if file is not None else "yesterday"
                served.append(Served(kind, organization, name, digest, "", 1, 1))
    known = {f"№{key}": (ORGANIZATIONS[key % 3], 1) for key in draw(st.sets(st.integers(0, 7)))}
    return files, served, known


def unnumbered(snapshot):
    return dataclasses.replace(snapshot, file_no=0)


def by_name(files, verdict):
    names = {s.file_no: s.file.name for s in files}
    units = {
        unit: (frozenset(names[no] for no in v.file_nos), v.problems, v.unchanged, v.held)
        for unit, v in verdict.units.items()
    }
    judged = {names[no]: dataclasses.replace(v, snapshot=unnumbered(v.snapshot)) for no, v in verdict.files.items()}
    return units, judged, verdict.problems


@given(days(), st.randoms(), st.booleans())
def test_the_order_of_files_and_of_memory_decides_nothing(day, random, strict):
    files, served, known = day
    verdict = integrity(files, served, known_expenses=known, strict=strict)
    shuffled = random.sample(files, len(files))
    renumbered = [dataclasses.replace(s, file_no=no) for no, s in enumerate(shuffled)]
    memory = random.sample(served, len(served))
    again = integrity(renumbered, memory, known_expenses=known, strict=strict)
    assert by_name(files, verdict) == by_name(renumbered, again)


@given(days())
def test_every_file_is_judged_and_a_held_one_holds_all_its_organizations(day):
    files, served, known = day
    verdict = integrity(files, served, known_expenses=known)
    assert set(verdict.files) == {s.file_no for s in files}
    for no, file in verdict.files.items():
        named = {u.organization for u, v in verdict.units.items() if no in v.file_nos}
        assert named == set() if file.ignored else set(file.organizations) <= named
        if file.held:
            assert all(v.held for v in verdict.units.values() if no in v.file_nos)


@given(days())
def test_every_served_unit_is_judged(day):
    files, served, known = day
    verdict = integrity(files, served, known_expenses=known)
    assert {(e.organization, e.kind.group) for e in served} <= {(u.organization, u.group) for u in verdict.units}


@given(days(), st.sets(st.integers(0, 4)))
def test_reading_on_ends_and_then_every_unit_can_be_judged(day, unread):
    files, served, known = day
    known = {f"№{key}": (ORGANIZATIONS[key % 3], 1) for key in range(8)}
    contents = {e.digest for e in served}
    today = [
        dataclasses.replace(s, unchanged=True, kind=None, documents=(), control_totals={}, sums={})
        if s.file_no in unread and s.digest in contents and not s.problems
        else s
        for s in files
    ]
    for _ in range(len(files) + 1):
        further = files_to_parse(today, served, known_expenses=known)
        if not further:
            break
        assert all(today[no].unchanged for no in further)
        today = [files[no] if no in further else s for no, s in enumerate(today)]
    assert not further
    accepted = frozenset(f"{o}/{g}" for o in ORGANIZATIONS for g in ("receipts", "expenses"))
    for names in (frozenset(), accepted):
        verdict = integrity(today, served, known_expenses=known, accepted=names)
        for unit in verdict.units.values():
            if not unit.held and not unit.unchanged:
                assert not any(today[no].unchanged for no in unit.file_nos)
