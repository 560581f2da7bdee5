"""Writes what CloudFormation needs to take the tables that a deleted stack left behind into a new stack of that name.

Usage: import.py <stack> <folder>, which gets template.json and resources.json; docs/OPERATIONS.md says what to do with
them.
"""

import json
import pathlib
import sys

from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    stack, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    template = yaml_parse((ROOT / "template.yaml").read_text())
    kind = "AWS::DynamoDB::Table"
    tables = {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}
    for table in tables.values():
        # An import that fails must leave them as they were.
        table["DeletionPolicy"] = "Retain"
    plain = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Parameters": {"Stage": template["Parameters"]["Stage"]},
        "Conditions": {"IsProd": template["Conditions"]["IsProd"]},
        "Resources": tables,
    }
    resources = [
        {"ResourceType": kind, "LogicalResourceId": name, "ResourceIdentifier": {"TableName": f"{stack}-{name}"}}
        for name in tables
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in [("template", plain), ("resources", resources)]:
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


main()
