#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""make-sbom.py SBOM PACKAGE...: the bill of materials of debs and rpms, as SPDX 2.3.

What a package brings along (`bundled()` of an rpm) is contained in it, what it
asks for it depends on. The same packages make the same file.
"""

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

LICENSE = "GPL-2.0-only OR BSD-2-Clause"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def spdx_id(*parts):
    return "SPDXRef-" + "-".join(re.sub(r"[^A-Za-z0-9.]", "-", part) for part in parts)


def read_deb(path):
    """Version, what it brings along by version, what it asks for."""
    fields = output("dpkg-deb", "-f", path, "Version", "Depends")
    found = dict(line.split(": ", 1) for line in fields.splitlines())
    return found["Version"], {}, sorted(part.split()[0] for part in found["Depends"].split(", "))


def read_rpm(path):
    version = output("rpm", "-qp", "--qf", "%{VERSION}-%{RELEASE}", path)
    bundled = dict(re.findall(r"^bundled\((.+)\) = (\S+)$", output("rpm", "-qp", "--provides", path), re.M))
    needs = set(re.findall(r"^(\S+?\.so\.\d+)\(", output("rpm", "-qp", "--requires", path), re.M))
    return version, bundled, sorted(needs)


class Document:
    def __init__(self, name):
        made = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), datetime.timezone.utc)
        self.packages = {}
        self.relations = []
        self.top = {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": name,
            "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: make-sbom.py"]},
        }

    def add(self, name, version, licence, **more):
        key = spdx_id("Package", *more.pop("where", ()), name)
        self.packages[key] = {
            "SPDXID": key, "name": name, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": licence, "copyrightText": "NOASSERTION",
            **({"versionInfo": version} if version else {}), **more,
        }  # fmt: skip
        return key

    def relate(self, one, how, other):
        self.relations.append({"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other})

    def add_file(self, path):
        version, bundled, needs = (read_deb if path.suffix == ".deb" else read_rpm)(str(path))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        own = self.add("natxdp", version, LICENSE, where=(path.suffix[1:],), packageFileName=path.name,
                       checksums=[{"algorithm": "SHA256", "checksumValue": digest}])  # fmt: skip
        self.relate("SPDXRef-DOCUMENT", "DESCRIBES", own)
        for name, found in sorted(bundled.items()):
            self.relate(own, "CONTAINS", self.add(name, found, "NOASSERTION", where=(path.suffix[1:], "bundled")))
        for name in needs:
            self.relate(own, "DEPENDS_ON", self.add(name, "", "NOASSERTION", where=(path.suffix[1:], "system")))

    def text(self):
        body = {**self.top, "packages": list(self.packages.values()), "relationships": self.relations}
        digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
        body["documentNamespace"] = f"https://natxdp.invalid/spdx/{self.top['name']}-{digest[:32]}"
        return json.dumps(body, indent=1) + "\n"


def main():
    sbom, *files = map(Path, sys.argv[1:])
    document = Document(sbom.name.removesuffix(".spdx.json"))
    for path in files:
        document.add_file(path)
    sbom.write_text(document.text())


main()
