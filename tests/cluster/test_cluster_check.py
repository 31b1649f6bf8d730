"""`check` says in one line whether the cluster can read, and the configuration refuses what cannot be one."""

import pytest
import trustme

from cpimportd.cli.checkup.checkup import checkup
from cpimportd.cli.checkup.line import CheckLine
from cpimportd.config.load import load
from cpimportd.core.problems import ProblemError
from cpimportd.workbook.cluster.task import reader_identity
from tests.cluster.conftest import Scheduler
from tests.support.cluster import on_worker


@pytest.fixture
def check(workplace):
    async def check(address: str) -> list[CheckLine]:
        config = workplace.config()
        config.write_text(
            config.read_text()
            + f'[engine]\nexecutor = "dask"\ndask_scheduler = "{address}"\nscheduler_timeout = "3s"\n'
        )
        return [line for line in await checkup(config) if line.name == "reading"]

    return check


@pytest.mark.asyncio
async def test_a_cluster_that_answers_is_told_with_its_workers(check, cluster):
    (line,) = await check(cluster)
    assert line.status == "OK"
    assert line.text == f"the Dask cluster at {cluster} answers: 2 workers, 2 workbooks at once"


@pytest.mark.asyncio
async def test_a_cluster_that_is_away_is_told_with_its_address(check):
    (line,) = await check("tcp://127.0.0.1:1")
    assert (line.status, line.code) == ("FAILED", "cluster-unreachable")
    assert "engine.dask_scheduler" in line.way_out


@pytest.mark.asyncio
async def test_each_other_reader_of_the_workers_is_told(check, cluster, on_workers):
    on_workers(on_worker.forget)
    (line,) = await check(cluster)
    assert (line.status, line.code) == ("FAILED", "cluster-versions")
    assert "cpimportd" in line.text
    assert reader_identity() in line.text


@pytest.mark.asyncio
async def test_a_scheduler_without_workers_is_a_warning(check, scheduler):
    (line,) = await check(scheduler.address)
    assert (line.status, line.code) == ("WARNING", "cluster-empty")


@pytest.mark.asyncio
async def test_a_line_is_encrypted_by_dasks_own_configuration_and_another_authority_is_refused(
    check, tmp_path, monkeypatch
):
    for name in ("ours", "theirs"):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / f"{name}-ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
    words = ("--tls-ca-file", f"{tmp_path}/ours-ca.pem", "--tls-cert", f"{tmp_path}/ours.pem")
    begun = Scheduler(tmp_path, "--protocol", "tls", *words, "--tls-key", f"{tmp_path}/ours.pem")
    codes = []
    try:
        for name in ("ours", "theirs"):
            monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", f"{tmp_path}/{name}-ca.pem")
            monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT", f"{tmp_path}/{name}.pem")
            monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY", f"{tmp_path}/{name}.pem")
            assert begun.address.startswith("tls://")
            (line,) = await check(begun.address)
            codes.append(line.code)
    finally:
        begun.kill()
    assert codes == ["cluster-empty", "cluster-unreachable"]


@pytest.mark.asyncio
async def test_who_reads_here_is_told_how_many_at_once(workplace):
    (line,) = [line for line in await checkup(workplace.config()) if line.name == "reading"]
    assert (line.status, line.text) == (
        "OK",
        "on this machine, 2 workbooks at once; a sample workbook of our own is read right",
    )


@pytest.mark.parametrize(
    "address", ["", "scheduler:8786", "http://scheduler:8786", "tcp://user:word@host:8786", "tcp://h"]
)
def test_what_is_no_address_of_a_scheduler_is_refused(tmp_path, address):
    path = tmp_path / "cpimportd.toml"
    path.write_text(f'[engine]\ndask_scheduler = "{address}"\n')
    with pytest.raises(ProblemError) as caught:
        load(path, {})
    (found,) = caught.value.problems
    assert "engine.dask_scheduler" in found.message
    assert "tls://host:port" in found.message


def test_a_cluster_without_an_address_is_refused(tmp_path):
    path = tmp_path / "cpimportd.toml"
    path.write_text('[engine]\nexecutor = "dask"\n')
    with pytest.raises(ProblemError) as caught:
        load(path, {})
    (found,) = caught.value.problems
    assert "engine.dask_scheduler" in found.message


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "tls://scheduler.example.org:8786", "tcp://[::1]:8786"])
def test_addresses_of_schedulers(tmp_path, address):
    path = tmp_path / "cpimportd.toml"
    path.write_text(f'[engine]\nexecutor = "dask"\ndask_scheduler = "{address}"\n')
    assert load(path, {}).settings.engine.dask_scheduler == address
