"""EnvironmentFile= in a drop-in: what the unit is given by it, root's verbs see too, read by systemd's own rules."""

from cpimportd.config.unit import systemd
from tests.support.systemd.machine import UNIT

FILE = r"""# The predecessor's, word for word
CREDIT_PORTFOLIO_IMPORT_HOUR=7
CREDIT_PORTFOLIO_FTP_USER="robot"
export CREDIT_PORTFOLIO_IMPORT_MINUTE=59
TRIED_PLAIN=two words # no comment
TRIED_SINGLE='single # $1 \n "double"'
TRIED_DOUBLE="double \"quoted\" \$1 \n \\ 'single'"
TRIED_PARTS="one" two 'three'
TRIED_QUOTE=it's
TRIED_BLANKS =  around   
TRIED_LINES='over
two lines'
TRIED_CONTINUED=a\
b
TRIED_EMPTY=
TRIED_VARIABLE=$HOME ${HOME}
TRIED_ESCAPE=a\b\"c
; TRIED_COMMENT=1
TRIED_TWICE=first
TRIED_TWICE=last
TRIED_LAST='open
"""  # noqa: W291 - a blank at the end of a line is a case


def test_an_environment_file_is_read_alike_by_systemd_and_by_roots_verbs(machine, database):
    machine.configure(database)
    machine.write("srv/backend.env", FILE)
    machine.drop_in("[Service]\nEnvironmentFile=/srv/backend.env\nEnvironment=CPIMPORTD_RETRY__WITHIN=7min\n")
    machine.systemctl("start", UNIT)
    pid = machine.show("MainPID")["MainPID"]
    given = dict(
        entry.split("=", 1) for entry in machine.box.run("cat", f"/proc/{pid}/environ").stdout.split("\0") if entry
    )
    tried = {name: value for name, value in given.items() if name.startswith(("TRIED_", "CREDIT_"))}
    assert {name: found.value for name, found in systemd(FILE).items()} == tried
    shown = machine.box.run("cpimportd", "config", "show", "--set", "--json").stdout
    assert '"*-*-* 07:00:00"' in shown
    assert "/srv/backend.env, line 2: CREDIT_PORTFOLIO_IMPORT_HOUR" in shown
    assert "Environment= of cpimportd.service: CPIMPORTD_RETRY__WITHIN" in shown
    assert "line 3: CREDIT_PORTFOLIO_FTP_USER" in shown


def test_a_file_beside_the_configuration_is_read_by_the_daemon_and_by_root(machine, database):
    machine.configure(database)
    machine.write("etc/cpimportd/.env", "export CREDIT_PORTFOLIO_IMPORT_HOUR=7  # as the backend has it\n")
    machine.systemctl("start", UNIT)
    shown = machine.box.run("cpimportd", "config", "show", "--set").stdout
    assert "/etc/cpimportd/.env, line 1: CREDIT_PORTFOLIO_IMPORT_HOUR" in " ".join(shown.split())
    assert "07:00" in machine.box.run("cpimportd", "next").stdout
