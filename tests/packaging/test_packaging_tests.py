"""The tests' own house: what is shared lies in tests/support, and no folder of tests leans on another."""

import ast
from pathlib import Path

from tests.support.parallel import LEAST_SECONDS, ByFile, Order

TESTS = Path(__file__).parents[1]
SUPPORT = TESTS / "support"


def imports_of(file: Path) -> set[str]:
    """Every module of the tests that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{each.name}" for each in node.names}
    return {name for name in found if name.startswith((".", "tests."))}


def test_a_folder_imports_from_support_and_from_itself_alone():
    wrong = [
        f"{file.relative_to(TESTS)} imports {name}"
        for file in TESTS.rglob("*.py")
        for name in imports_of(file)
        if not name.startswith(("tests.support.", f"tests.{file.relative_to(TESTS).parts[0]}."))
    ]
    assert wrong == []


def test_what_is_no_test_lies_in_support():
    files = [file for file in TESTS.rglob("*.py") if SUPPORT not in file.parents]
    assert [str(file) for file in files if file.name != "conftest.py" and not file.name.startswith("test_")] == []
    assert [str(file) for file in SUPPORT.rglob("*.py") if file.name.startswith(("test_", "conftest"))] == []


def test_no_two_test_files_have_one_name():
    """A name alone says which file a report means, and each file is a group of its own when tests run in parallel."""
    names = [file.name for file in TESTS.rglob("test_*.py")]
    assert len(names) == len(set(names))


def test_a_file_goes_to_one_process_and_so_do_those_that_share_a_package():
    group = ByFile._split_scope
    assert group(None, "tests/books/test_a.py::test_b[x::y]") == group(None, "tests/books/test_a.py::Class::test_c")
    assert group(None, "tests/books/test_a.py::test_b") != group(None, "tests/books/test_b.py::test_b")
    assert group(None, "tests/systemd/test_a.py::test_b") == group(None, "tests/systemd/test_c.py::test_d")
    assert group(None, "tests/systemd/test_a.py::test_b") != group(
        None, "tests/systemd/test_systemd_containers.py::test_b"
    )
    one, other = (f"tests/systemd/test_systemd_releases.py::test_b[{suite}]" for suite in ("bookworm", "trixie"))
    assert group(None, one) != group(None, other)


def test_the_dearest_files_begin_first():
    order = Order()
    dearest = max(order._files, key=order._files.__getitem__)
    assert order.seconds(f"{dearest}::test_a") >= LEAST_SECONDS > order.seconds("tests/core/test_new.py::test_a")
    assert [file for file in order._files if not (TESTS.parent / file).is_file()] == []
