#!/usr/bin/env python3
"""Prints the software bill of materials of the command `gauntlet`: CycloneDX 1.6 as JSON, checked against its schema.

    target/tools/bin/python ci/sbom.py > gauntlet.cdx.json     (ci/install-tools.sh cyclonedx)

What cargo links into the program, by its own metadata; nothing is guessed. The same sources give the same bytes.
"""

import json
import subprocess
import sys
import tomllib
from uuid import UUID

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

metadata = json.loads(
    subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-musl"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = next(package["id"] for package in packages.values() if package["name"] == "tls-gauntlet")
# cargo tree knows which of the optional dependencies the command has switched on; metadata alone does not.
tree = subprocess.run(
    ["cargo", "tree", "--locked", "--package", "tls-gauntlet", "--edges", "normal,build", "--prefix", "none"]
    + ["--target", "x86_64-unknown-linux-musl", "--format", "{p}"],
    check=True,
    stdout=subprocess.PIPE,
    text=True,
).stdout
used = {tuple(line.split()[:2]) for line in tree.splitlines() if line}
with open("Cargo.lock", "rb") as lock:
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in tomllib.load(lock)["package"]}

licences = LicenseFactory()
components = {}
for ident, package in packages.items():
    name, version = package["name"], package["version"]
    if (name, "v" + version) not in used:
        continue
    checksum = checksums.get((name, version))
    components[ident] = Component(
        type=ComponentType.APPLICATION if ident == root else ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=f"{name}@{version}",
        purl=PackageURL("cargo", None, name, version),
        licenses=[licences.make_from_string((package["license"] or "NOASSERTION").replace("/", " OR "))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )

bom = Bom(serial_number=UUID(int=0))
bom.metadata.timestamp = None
bom.metadata.component = components[root]
for ident, component in components.items():
    if ident != root:
        bom.components.add(component)
for ident, component in components.items():
    below = [components[below] for below in nodes[ident]["dependencies"] if below in components]
    bom.register_dependency(component, below)

text = JsonV1Dot6(bom).output_as_string(indent=2)
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if problem:
    sys.exit(f"sbom.py: what was made is no CycloneDX 1.6: {problem}")
print(text)
