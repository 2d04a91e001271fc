"""Runs the C+py floor: serve.py FOLDER_OF_THE_MODULE PORT MODULE:ATTRIBUTE."""

import pkgutil
import sys

folder, port, target = sys.argv[1:]
sys.path.insert(0, folder)
import floor_python  # noqa: E402

floor_python.serve(int(port), pkgutil.resolve_name(target))
