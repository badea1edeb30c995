"""Checks a bill of materials against the official schema of CycloneDX 1.5, which cyclonedx-python-lib carries."""

import importlib.util
import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator
from referencing import Registry, Resource


def main() -> None:
    bill = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Found, not imported: the library needs packages that the schemas do not.
    package = Path(importlib.util.find_spec("cyclonedx").origin).parent / "schema" / "_res"
    schemas = {
        name: json.loads((package / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8"))
        for name in ("bom-1.5", "spdx", "jsf-0.82")
    }
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()]
    errors = list(Draft7Validator(schemas["bom-1.5"], registry=Registry().with_resources(resources)).iter_errors(bill))
    for error in errors[:10]:
        print(f"{error.json_path}: {error.message}", file=sys.stderr)
    assert not errors, "the bill of materials is not as its schema has it"
    references = [bill["metadata"]["component"]["bom-ref"], *(part["bom-ref"] for part in bill["components"])]
    assert len(set(references)) == len(references), "a reference names one component"
    named = {name for entry in bill["dependencies"] for name in [entry["ref"], *entry.get("dependsOn", [])]}
    assert named == set(references), "every component is in the graph"
    third_party = [part for part in bill["components"] if "purl" in part]
    assert third_party and all(part["hashes"] for part in third_party), "everything from elsewhere has a digest"
    print(f"the bill of materials has {len(references)} components, as CycloneDX 1.5 has them")


if __name__ == "__main__":
    main()
