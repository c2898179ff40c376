#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""zip.py ZIP FILE...: packs files, by their last names, so that equal files give equal zips."""

import os
import sys
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can name


def main():
    target, *files = sys.argv[1:]
    with zipfile.ZipFile(target + ".tmp", "w") as packed:
        for path in sorted(files, key=os.path.basename):
            info = zipfile.ZipInfo(os.path.basename(path), EPOCH)
            info.create_system = 3  # Unix
            info.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            with open(path, "rb") as source:
                packed.writestr(info, source.read(), zipfile.ZIP_DEFLATED, 9)
    os.replace(target + ".tmp", target)


if __name__ == "__main__":
    main()
