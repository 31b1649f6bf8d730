"""The sample exports of two days: right in themselves, and the second is a believable morrow of the first."""

import hashlib
import json
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from cpimportd.checks.attribution import unknown_expenses
from cpimportd.checks.integrity import integrity
from cpimportd.checks.plausibility import plausibility
from cpimportd.config.settings import Guards
from cpimportd.core.model import Document, Group, Kind, Unit
from cpimportd.core.unit_facts import DocumentFact, UnitFacts
from cpimportd.core.workbooks import FetchedFile, Served, Snapshot

SAMPLES = Path(__file__).parent.parent / "samples"
NUMBER = re.compile(r"(\S+) от (\d{2})\.(\d{2})\.(\d{4})")


def read(day):
    truth = json.loads((SAMPLES / f"{day}.json").read_text(encoding="utf-8"))["files"]
    return [read_file(SAMPLES / day / name, no, Kind(truth[name]["kind"])) for no, name in enumerate(sorted(truth))]


def read_file(path, no, kind):
    header, *rows, totals = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    main = "Сумма платежа" if kind is Kind.DETAILS else "Сумма"
    amount = header.index(main)
    organization = header.index("Организация") if kind is not Kind.DETAILS else None
    documents = tuple(
        Document(
            number,
            row[0],
            None if organization is None else row[organization],
            int(Decimal(str(row[amount])) * 100),
        )
        for number, row in enumerate(rows, 2)
    )
    assert totals[0] == "Итого"
    filled = {t: Decimal(str(v)) for t, v in zip(header, totals, strict=True) if isinstance(v, float)}
    sums = {main: sum(d.amount for d in documents)}
    file = FetchedFile(path.name, path, path.stat().st_size, None, hashlib.sha256(path.read_bytes()).hexdigest())
    return Snapshot(file, no, file.sha256, kind, documents, filled, sums)


def facts(document):
    number, *when = NUMBER.search(document.operation_id).groups()
    day, month, year = map(int, when)
    return DocumentFact(document.operation_id, number, year, document.amount, date(year, month, day))


def of_unit(day, unit):
    return {
        d.operation_id: d
        for s in day
        if s.kind is unit.group.kinds[0]
        for d in s.documents
        if d.organization == unit.organization
    }


@pytest.fixture(scope="module")
def day1():
    return read("day1")


@pytest.fixture(scope="module")
def day2():
    return read("day2")


def served_after(day, verdict):
    return [
        Served(f.kind, o, s.file.name, s.digest, s.file.sha256, len(s.documents), s.main_total)
        for s in day
        for f in [verdict.files[s.file_no]]
        for o in f.organizations
    ]


def test_both_days_pass_every_check(day1, day2):
    first = integrity(day1, [], known_expenses={})
    second = integrity(day2, served_after(day1, first), known_expenses={})
    for day, verdict in ((day1, first), (day2, second)):
        assert unknown_expenses(day) == frozenset()
        assert len(verdict.units) == 4
        assert not any(v.problems for v in verdict.units.values())
        assert not any(v.problems for v in verdict.files.values())
        assert all(len(v.organizations) == 1 for v in verdict.files.values())


def test_the_second_day_is_published_without_anybody_accepting_anything(day1, day2):
    overnight = json.loads((SAMPLES / "day2.json").read_text(encoding="utf-8"))["overnight"]
    units = list(integrity(day2, [], known_expenses={}).units)
    all_facts = []
    for unit in units:
        before, after = of_unit(day1, unit), of_unit(day2, unit)
        all_facts.append(
            UnitFacts(
                unit=unit,
                before=len(before),
                after=len(after),
                sum_before=sum(d.amount for d in before.values()),
                gone=tuple(facts(d) for key, d in before.items() if key not in after),
                new=tuple(facts(d) for key, d in after.items() if key not in before),
                amount_changed=sum(
                    1 for key in before.keys() & after.keys() if before[key].amount != after[key].amount
                ),
            )
        )
    today = frozenset(unit.organization for unit in units)
    verdicts = plausibility(all_facts, Guards(), frozenset(), organizations_today=today)
    assert not any(v.held or v.problems for v in verdicts.values())
    expenses = [one for one in all_facts if one.unit.group is Group.EXPENSES]
    assert sorted(len(verdicts[one.unit].retimed) for one in expenses) == sorted(
        o["retimed"] for o in overnight.values()
    )
    gone = {d.operation_id for one in expenses for d in one.gone if d.operation_id not in verdicts[one.unit].retimed}
    assert gone == {key for o in overnight.values() for key in o["deleted"]}
    assert Counter(one.amount_changed for one in expenses) == Counter(o["repriced"] for o in overnight.values())


def test_a_detail_one_kopeck_off_holds_its_organization_only(day2):
    details = next(s for s in day2 if s.kind is Kind.DETAILS)
    first = details.documents[0]
    changed = (first._replace(kopecks=first.kopecks + 1), *details.documents[1:])
    total = sum(d.amount for d in changed)
    off = Snapshot(
        details.file, details.file_no, "off", Kind.DETAILS, changed, {"Сумма платежа": total}, {"Сумма платежа": total}
    )
    verdict = integrity([off if s is details else s for s in day2], [], known_expenses={})
    (owner,) = verdict.files[details.file_no].organizations
    assert {u for u, v in verdict.units.items() if v.held} == {Unit(owner, Group.EXPENSES)}
