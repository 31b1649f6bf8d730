"""Why a run could not go on, told as problems of the catalog, whatever was raised."""

import logging

import asyncpg

from cpimportd.books.database.failures import translate
from cpimportd.core.problems import Problem, ProblemError, problem
from cpimportd.core.system import exhausted, unusable

logger = logging.getLogger(__name__)


def problems_from_exception(error: BaseException) -> tuple[Problem, ...]:
    """The problems that an exception, or a group of them, stands for, each once.

    A defect of ours is a problem too, ``internal``; its traceback is logged.
    """
    return tuple(dict.fromkeys(found for leaf in _leaves(error) for found in _problems(leaf)))


def _problems(leaf: BaseException) -> tuple[Problem, ...]:
    if isinstance(leaf, ProblemError):
        return leaf.problems
    if isinstance(leaf, OSError) and leaf.filename:  # a file of ours, no connection
        return (unusable(leaf.filename, leaf),)
    if (found := exhausted(leaf)) is not None:
        return (found,)
    if isinstance(leaf, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
        return (translate(leaf),)
    logger.error("an unexpected error ended the run", exc_info=leaf)
    return (problem("internal", reason=f"{type(leaf).__name__}: {leaf}"),)


def _leaves(error: BaseException) -> list[BaseException]:
    """The exceptions in a group of groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
