#!/usr/bin/env python3
"""Judges a FHIR bundle with an implementation that is not ours.

    python3 -m venv /tmp/judge && /tmp/judge/bin/pip install fhir.resources==8.3.0
    /tmp/judge/bin/python scripts/fhir-judge.py crates/obhut-interop/testdata/copy.fhir.json

Every entry is read by its own model; R4B stands for R4, from which it does not differ in anything used here. Ends with 1 if one is refused.
"""

import json
import sys

from fhir.resources.R4B import get_fhir_model_class

bad = 0
with open(sys.argv[1], encoding="utf-8") as file:
    entries = json.load(file)["entry"]
for number, entry in enumerate(entries):
    resource = entry["resource"]
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except Exception as refused:  # whatever the judge says, it is said
        bad += 1
        print(f"entry {number}, {resource['resourceType']}: {refused}")
print(f"{len(entries)} entries, {bad} refused")
sys.exit(1 if bad else 0)
