# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tree import Tree, terraform  # noqa: E402


@pytest.fixture(scope="session")
def command():
    return terraform()


@pytest.fixture(scope="session")
def tree(command, tmp_path_factory):
    made = Tree(tmp_path_factory.mktemp("terraform"), command)
    yield made
    made.close()
