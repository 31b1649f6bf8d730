"""Organizations that would be split in two, because their name is written in two ways that look the same."""

from collections.abc import Collection

from cpimportd.core.folding import describe_differences, fold, with_code_points
from cpimportd.core.model import UnitFacts
from cpimportd.core.phrases import phrase
from cpimportd.core.problems import Problem, problem


def organization_lookalikes(facts: UnitFacts, organizations_today: Collection[str]) -> tuple[Problem, ...]:
    """Hold a unit whose organization is new, and looks the same as one of the books or another one of today's files.

    Where the books know both, somebody has accepted that; so only a name that they do not know is asked about.

    Args:
        facts: of the unit.
        organizations_today: whom today's files name.
    """
    if not facts.beside.new:
        return ()
    name = facts.unit.organization
    places = dict.fromkeys(facts.beside.names, "in-books")
    for other in sorted(organizations_today):
        if other != name and fold(other) == fold(name):
            places.setdefault(other, "in-todays-files")
    return tuple(
        problem(
            "organization-lookalike",
            organization=name,
            unit=facts.unit.name,
            value=with_code_points(name, twin),
            twin=twin,
            place=phrase(place),
            characters=describe_differences(name, twin),
        )
        for twin, place in places.items()
    )
