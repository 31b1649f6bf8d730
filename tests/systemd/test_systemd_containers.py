"""The container image, built over a Debian of ours and started with a PID 1 of its own, and the compose file read as Compose reads it."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from cpimportd.config.load import load
from tests.support.database import in_memory
from tests.support.systemd.box import why_not
from tests.support.systemd.debian import NEXT_SUITE, REPOSITORY, build_root
from tests.systemd.test_systemd_releases import CERTIFICATES, source

COMPOSE = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
CONTAINERFILE = (REPOSITORY / "Containerfile").read_text(encoding="utf-8")
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "cpimportd"]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The file system of a container made of the image: its root."""
    if reason := why_not():
        pytest.skip(reason)
    if not shutil.which("buildah"):
        pytest.skip("the image cannot be built: apt-get install buildah")
    folder = tmp_path_factory.mktemp("image")
    cache = Path(os.environ.get("CPIMPORTD_TEST_BOX", "/var/tmp/cpimportd-test-box"))
    base = folder / "base"
    subprocess.run(["cp", "--archive", "--reflink=auto", build_root(cache, NEXT_SUITE), base], check=True)
    if CERTIFICATES.is_file() and "PIP_CERT" in os.environ:
        shutil.copy(CERTIFICATES, base / "srv/certificates.crt")
        (base / "etc/pip.conf").write_text("[global]\ncert = /srv/certificates.crt\n")
    subprocess.run(["tar", "-C", base, "-cf", folder / "base.tar", "."], check=True)

    # Its layers in memory, as those of a box are.
    store = Path(tempfile.mkdtemp(prefix="cpimportd-image-", dir=in_memory()))

    def buildah(*arguments):
        command = ["buildah", "--storage-driver", "overlay", "--root", store / "storage", "--runroot", store / "run"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    scratch = buildah("from", "scratch")
    buildah("add", "--quiet", scratch, folder / "base.tar", "/")
    buildah("commit", "--quiet", scratch, "localhost/base")
    context = source(folder / "context")
    for name in ("Containerfile", ".containerignore"):
        shutil.copy(REPOSITORY / name, context)
    buildah("build", "--isolation", "chroot", "--build-arg", "BASE=localhost/base", "--tag", "cpimportd", context)
    made = buildah("from", "--pull-never", "cpimportd")
    yield Path(buildah("mount", made))
    buildah("umount", made)
    subprocess.run(["umount", "--quiet", store / "storage/overlay"], check=False)  # buildah binds it to itself
    shutil.rmtree(store)


def entrypoint(root, *arguments, **environment):
    """Start a container: the image's ENTRYPOINT as PID 1, as the image's user, with what the image's ENV says."""
    variables = re.findall(r"([A-Z_]+)=(\S+)", re.search(r"(?ms)^ENV (.*?[^\\])$", CONTAINERFILE)[1])
    uid = re.search(r"--uid (\d+)", CONTAINERFILE)[1]
    words = re.search(r"(?m)^ENTRYPOINT (\[.*\])$", CONTAINERFILE)[1]
    command = [*yaml.safe_load(words), *arguments]
    return [
        "unshare", "--pid", "--fork", "--kill-child", "--mount", f"--root={root}", "--mount-proc",
        "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs",
        "env", "-i", *(f"{name}={value}" for name, value in [*variables, *environment.items()]), *command,
    ]  # fmt: skip


def test_the_image_says_its_version_and_has_no_installer_left_open(image):
    done = subprocess.run(entrypoint(image, "--version"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "cpimportd,"), done.stderr
    assert not (image / "srv/cpimportd").exists()
    assert oct((image / "var/lib/cpimportd").stat().st_mode & 0o777) == "0o700"


def test_pid_1_of_the_container_runs_the_daemon_reaps_orphans_and_passes_a_stop_on(image, database, postgres_server):
    socket = image / "run/postgresql/.s.PGSQL.5432"
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.touch()
    subprocess.run(["mount", "--bind", postgres_server.folder / socket.name, socket], check=True)
    try:
        url = f"{database.partition('?')[0]}?host=/run/postgresql"
        started = entrypoint(image, "daemon", CPIMPORTD_DATABASE__URL=url, CPIMPORTD_SOURCE__URL="file:///srv")
        with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as container:
            said = []
            for line in container.stdout:
                said.append(line)
                if "Next import" in line or "next" in line.lower():
                    break
            (first,) = children(container.pid)
            assert command_line(first)[0] == "/usr/bin/tini", said
            subprocess.run(
                ["nsenter", f"--target={first}", "--pid", "sh", "-c", "(sleep 0.2; exit 7) & exit 0"], check=True
            )
            time.sleep(0.6)
            assert [pid for pid in children(first) if state(pid) == "Z"] == []
            os.kill(first, 15)
            assert container.wait(timeout=100) == 0, "".join(said)
    finally:
        subprocess.run(["umount", socket], check=True)


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("name", OURS)
def test_compose_gives_our_containers_keys_that_there_are_and_verbs_that_there_are(name, monkeypatch, tmp_path):
    from cpimportd.cli import cli

    service = COMPOSE["services"][name]
    monkeypatch.chdir(tmp_path)
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value if "$" not in value else "a-long-random-word-of-thirty-two-")
    if name == "ftp":
        assert service["entrypoint"][2:] == ["python", "-m", "cpimportd.demo"]
        return
    assert load(None).notes == ()
    command, at = cli, []
    for word in service["command"]:
        at.append(word)
        command = command.commands[word]
    assert at == service["command"]


def test_compose_waits_for_what_there_is_and_names_the_demo_server_as_it_listens():
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
    listen = dict(zip(services["ftp"]["command"][::2], services["ftp"]["command"][1::2], strict=True))
    url = services["daemon"]["environment"]["CPIMPORTD_SOURCE__URL"]
    password = services["ftp"]["environment"]["CPIMPORTD_DEMO_PASSWORD"]
    assert url == f"ftp://{listen['--user']}:{password}@ftp:{listen['--listen'].rpartition(':')[2]}/"
    assert (
        services["postgres"]["environment"]["POSTGRES_DB"]
        in services["daemon"]["environment"]["CPIMPORTD_DATABASE__URL"]
    )
