# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What every test of the aws ring gets: a stand-in with a world, and drivers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import account  # noqa: E402
import fleet  # noqa: E402
from driver import Driver  # noqa: E402
from function import Function  # noqa: E402
from standin import StandIn  # noqa: E402


@pytest.fixture
def standin():
    with StandIn() as server:
        server.world.load(account.world())
        yield server
        assert server.problems == []


@pytest.fixture
def start(standin):
    """start(**options) starts a driver; see driver.Driver."""
    drivers = []

    def starter(**options):
        driver = Driver(standin, **options)
        drivers.append(driver)
        return driver

    yield starter
    for driver in drivers:
        driver.stop()


@pytest.fixture
def nodes(standin):
    """The world is a NAT of two nodes; what its documents do on them."""
    standin.world.load(fleet.world())
    return fleet.Nodes(standin)


@pytest.fixture
def function(standin, nodes):
    """function(name, **environment) starts a Lambda function."""
    started = []

    def starter(name, **changes):
        started.append(Function(name, standin, fleet.environment(**changes)))
        return started[-1]

    yield starter
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that is its own authority: (file, key file)."""
    directory = tmp_path_factory.mktemp("tls")
    files = (str(directory / "certificate.pem"), str(directory / "key.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=stand-in", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]],
                   check=True, capture_output=True, timeout=60,
                   env={**os.environ, "OPENSSL_CONF": "/etc/ssl/openssl.cnf"})
    return files
