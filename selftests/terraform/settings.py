# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The configuration files of the nodes of a state, read by natxdp and natxdpd themselves."""

import base64
import os
import re
import subprocess
from pathlib import Path

import yaml
from tree import TOP, resources

BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))


def read_by(program, content, tmp_path):
    """What a program understood of its file."""
    file = tmp_path / program
    file.write_text(content)
    words = {"natxdp": ["load", "--print-config", "--config"], "natxdpd": ["-n", "-c"]}[program]
    done = subprocess.run([BUILD / program, *words, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{content}"
    # long lists go on in the next line there, too
    return dict(line.split(" = ", 1) for line in re.sub(r"\n\s+", " ", done.stdout).splitlines())


def decoded(resource):
    return base64.b64decode(resource["values"]["user_data"] or "").decode()


def files_of_nodes(state):
    """By path, of each launch template: what user data writes."""
    templates = [resource["values"] for resource in resources(state)
                 if resource["type"] == "aws_launch_template" and "natxdp.conf" in decoded(resource)]  # fmt: skip
    return [{file["path"]: file["content"] for file in yaml.safe_load(base64.b64decode(values["user_data"]))["write_files"]}
            for values in templates]  # fmt: skip


def settings_of_nodes(state, tmp_path):
    """What each node's natxdp and natxdpd understood."""
    return [(read_by("natxdp", files["/etc/natxdp/natxdp.conf"], tmp_path),
             read_by("natxdpd", files["/etc/natxdp/natxdpd.conf"], tmp_path)) for files in files_of_nodes(state)]  # fmt: skip
