import json
import subprocess
import sys

import pytest

from forecast.cli import doctor
from forecast.cli.shared import Shared
from tests.yahoo_server import loopback_yahoo

NOWHERE = "http://127.0.0.1:9"      # nobody listens on the port of `discard`


@pytest.fixture
def shared(tmp_path) -> Shared:
    return Shared(workspace=tmp_path)


def test_a_new_folder_can_be_written_and_stays_as_it_was(shared, tmp_path):
    finding = doctor.check_workspace(Shared(workspace=tmp_path / "a" / "b"))
    assert finding.state == doctor.OK and not list(tmp_path.iterdir())


def test_a_workspace_that_cannot_be_written_is_broken(tmp_path):
    (tmp_path / "file").write_text("")
    finding = doctor.check_workspace(Shared(workspace=tmp_path / "file"))
    assert finding.state == doctor.BROKEN and "--workspace" in finding.advice


def test_bad_settings_are_broken_and_good_ones_name_the_watchlist(shared, tmp_path):
    (tmp_path / "forecast.toml").write_text("lookbak = 3\n")
    assert "lookbak" in doctor.check_settings(Shared(workspace=tmp_path)).found
    assert doctor.check_settings(Shared(workspace=tmp_path)).state == doctor.BROKEN
    (tmp_path / "forecast.toml").write_text('watchlist = ["TSLA"]\n')
    assert "TSLA" in doctor.check_settings(Shared(workspace=tmp_path)).found


def test_yahoo_answers_or_what_can_be_done_without_is_said(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", NOWHERE)
    doctor.check_network(shared)        # what was asked before, through another proxy, is not remembered
    with loopback_yahoo(tmp_path) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SSL_CERT_FILE", server.environment["REQUESTS_CA_BUNDLE"])
        finding = doctor.check_network(shared)
        assert finding.state == doctor.OK, finding.found
    finding = doctor.check_network(shared)
    assert finding.state == doctor.NOTE and "cannot be reached" in finding.found and "DEMO" in finding.advice


def test_offline_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    assert doctor.check_network(Shared(workspace=tmp_path, offline=True)).found == "not asked, because of --offline"


def test_without_cron_nothing_is_broken_but_the_nights(shared, monkeypatch):
    monkeypatch.setenv("PATH", "")
    finding = doctor.check_cron(shared)
    assert finding.state == doctor.NOTE and "cannot be run" in finding.found and "apt install cron" in finding.advice


def test_a_broken_set_up_is_told_line_by_line_and_ends_with_1(environment, tmp_path):
    (tmp_path / "file").write_text("")
    broken = environment | {"PATH": "", "HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE, "FORECAST_HOME": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, "-m", "forecast", "doctor", "--json"], env=broken, capture_output=True, text=True)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, done.stderr) == (1, "")
    assert [name for name, check in checks.items() if check["state"] == "BROKEN"] == ["workspace"]
    assert [name for name in ("network", "cron") if checks[name]["state"] == "note"] == ["network", "cron"]
    assert "starts in" in checks["TensorFlow"]["found"]
    assert all(check["advice"] for check in checks.values() if check["state"] != "ok")
