# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A copy of the Terraform tree to work in, and terraform in it.

TF names the terraform to run; without it, it is the one on the PATH. The
provider hashicorp/aws is used, and no account: a stand-in that answers from the
provider's schema is enough, and is what these tests are written for.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from states import States

TOP = Path(__file__).resolve().parents[2]
SOURCE = TOP / "terraform"
MODULES = sorted(f"modules/{path.name}" for path in (SOURCE / "modules").iterdir() if path.is_dir())
ENVS = sorted(f"envs/{path.name}" for path in (SOURCE / "envs").iterdir() if path.is_dir())
EXAMPLES = sorted(f"examples/{path.name}" for path in (SOURCE / "examples").iterdir() if path.is_dir())
ROOTS = MODULES + ENVS + EXAMPLES
# The longest single run is the suite of module nat, with 50 plans and applies.
PATIENCE = 280

# Without an account there is nobody to ask for state: see states.py.
BACKEND = 'terraform {\n  backend "http" {\n    address = "%s"\n  }\n}\n'

# What roots without defaults are given. The package's content does not matter.
VALUES = {
    "lambda_packages": '{ arm64 = "package.zip" }',
    "permissions_boundary_arn": '"arn:aws:iam::123456789012:policy/natxdp-boundary"',
    "ami_id": '"ami-0123456789abcdef0"',
    "vpc_id": '"vpc-0123456789abcdef0"',
    "private_cidrs": '["10.0.0.0/17"]',
    "azs": '{ eu-west-1a = { public_subnet_id = "subnet-0a0a0a0a0a0a0a0a1", '
           'route_table_ids = ["rtb-0a0a0a0a0a0a0a0a1"], private_cidrs = ["10.0.0.0/18"] } }',
}

# Facts of AWS that plans depend on.
ANSWERS = """{
  "data.aws_ec2_instance_type": { "maximum_ipv4_addresses_per_interface": 10 },
  "data.aws_subnet": [
    { "match": { "id": "subnet-0a0a0a0a0a0a0a0a1" }, "set": { "cidr_block": "10.0.240.0/24" } },
    { "match": { "id": "subnet-0b0b0b0b0b0b0b0b1" }, "set": { "cidr_block": "10.0.241.0/24" } }
  ]
}
"""


def terraform():
    """The command, or a skip where there is none."""
    command = os.environ.get("TF") or "terraform"
    found = shutil.which(command)
    if found:
        return str(Path(found).absolute())
    if os.environ.get("TF"):
        pytest.fail(f"TF={command}: there is no such program")
    pytest.skip("needs terraform 1.11 or later, which is not on the PATH; or TF=COMMAND")


class Served:
    """The providers of a terraform that can keep them up, which spares every run their start.

    Such a command understands --serve: it prints `export TF_REATTACH_PROVIDERS='...'` and stays.
    Any other refuses the option, and is run as it is.
    """

    def __init__(self, command, directory):
        self.command, self.environment = command, {}
        self.process = subprocess.Popen([command, "--serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, cwd=directory)  # fmt: skip
        found = re.fullmatch(r"export TF_REATTACH_PROVIDERS='(.*)'\n", self.process.stdout.readline())
        plain = shutil.which(os.environ.get("TF_OFFLINE_TERRAFORM", "terraform"))
        if not found or not plain:
            self.stop()
            return
        # what is not attached must fail at once, instead of waiting for a network
        (directory / "mirror").mkdir()
        settings = directory / "terraformrc"
        settings.write_text("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n"
                            f'    path = "{directory / "mirror"}"\n  }}\n}}\n')
        self.command = plain
        self.environment = {"TF_REATTACH_PROVIDERS": found.group(1), "TF_CLI_CONFIG_FILE": str(settings),
                            "CHECKPOINT_DISABLE": "1"}  # fmt: skip

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=30)


def tf(command, *arguments):
    """Runs terraform; returns its exit status and what it printed, in plain text."""
    # A provider's schema fills the heap: collecting it less often takes a quarter off each run.
    environment = dict(os.environ, TF_IN_AUTOMATION="1", TF_INPUT="0", AWS_EC2_METADATA_DISABLED="true", GOGC="400")
    # Colours and borders have no place in a comparison.
    done = subprocess.run([command, *arguments], env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    return done.returncode, re.sub(r"\s+", " ", re.sub(r"[│╷╵]", "", text))


def resources(module):
    """All of them, in a module as `terraform show -json` has it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def variables_of(root):
    text = "".join(path.read_text() for path in root.glob("*.tf"))
    return set(re.findall(r'^variable "([^"]+)"', text, re.M))


class Tree:
    """The Terraform tree, copied, beside the parts of the tree that it reads."""

    def __init__(self, directory, command):
        self.command = command
        self.top = directory
        self.terraform = directory / "terraform"
        ignore = shutil.ignore_patterns(".terraform", "*.tfstate*")
        shutil.copytree(SOURCE, self.terraform, ignore=ignore)
        (directory / "agent").mkdir()
        shutil.copy(TOP / "agent" / "metric_list.h", directory / "agent")
        self.answers = directory / "answers.json"
        self.answers.write_text(ANSWERS)
        os.environ["TF_OFFLINE_DATA"] = str(self.answers)
        self.served = Served(command, directory)
        self.command = self.served.command
        os.environ.update(self.served.environment)
        self.states = States()
        self.ready = set()
        self.look_for_provider()

    def close(self):
        self.served.stop()
        self.states.stop()
        for name in self.served.environment:
            del os.environ[name]

    def look_for_provider(self):
        """Says it once and clearly, instead of in every test with what terraform prints."""
        status, output = self.run("modules/network", "init", "-backend=false", "-no-color")
        if status == 0:
            return
        why = (f"{self.command} cannot get the provider hashicorp/aws from here; set TF to a terraform that "
               f"has it, such as a wrapper with an offline provider ({output[-200:].strip()})")
        if os.environ.get("TF"):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)

    def path(self, root):
        return self.terraform / root

    def run(self, root, *arguments):
        return tf(self.command, f"-chdir={self.path(root)}", *arguments)

    def prepare(self, root):
        """Initialises a root once, without its backend."""
        if root in self.ready:
            return
        status, output = self.run(root, "init", "-backend=false", "-no-color")
        assert status == 0, output
        self.ready.add(root)

    def make_local(self, root):
        """Makes a root one that can be applied: state kept here, values for what has no default."""
        path = self.path(root)
        (path / "backend_override.tf").write_text(BACKEND % self.states.address(root))
        (path / "package.zip").write_bytes(b"PK\5\6" + bytes(18))
        known = variables_of(path)
        lines = [f"{name} = {value}\n" for name, value in VALUES.items() if name in known]
        (path / "terraform.tfvars").write_text("".join(lines))
        status, output = self.run(root, "init", "-reconfigure", "-no-color")
        assert status == 0, output

    def apply(self, root):
        """Applies a root that is local; returns what terraform said, and the state as `show -json` has it."""
        status, output = self.run(root, "apply", "-auto-approve", "-no-color")
        assert status == 0, output[-3000:]
        shown = subprocess.run([self.command, f"-chdir={self.path(root)}", "show", "-json"], stdout=subprocess.PIPE,
                               text=True, timeout=PATIENCE, check=True)  # fmt: skip
        return output, json.loads(shown.stdout)["values"]["root_module"]
