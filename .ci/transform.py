"""Writes template.yaml as CloudFormation gets it, plain, with all that SAM adds; and checks what no linter knows.

Usage: transform.py <file to write> [Parameter=value…]
"""

import json
import os
import pathlib
import re
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent


def functions(template):
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield name, resource["Properties"]


def parameters_in(value, names):
    """The parameters that a value refers to, however deep."""
    if isinstance(value, dict):
        if value.get("Ref") in names:
            yield value["Ref"]
        if isinstance(value.get("Fn::Sub"), str):
            yield from names.intersection(re.findall(r"\$\{(\w+)\}", value["Fn::Sub"]))
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parameters_in(part, names)


def unpublished(template):
    """Parameters that functions are given and whose new value would reach no alias: see TracePolicy."""
    names = set(template["Parameters"])
    description = template["Resources"]["TracePolicy"]["Properties"]["Description"]
    listed = set(parameters_in(description, names)) | {"DeployId"}
    for name, properties in functions(template):
        for parameter in sorted(set(parameters_in(properties["Environment"], names)) - listed):
            yield f"{name} is given {parameter}, which the description of TracePolicy lacks"
        version = {"Fn::Sub": "${DeployId} ${TracePolicy}"}
        if properties.get("VersionDescription") != version or not properties.get("AutoPublishAliasAllProperties"):
            yield f"{name} lacks VersionDescription or AutoPublishAliasAllProperties"


def without_runbook(template):
    """Alarms that do not say where to read on, and those that have no entry there."""
    book = (ROOT / "docs/OPERATIONS.md").read_text()
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            if not resource["Properties"]["AlarmDescription"].endswith(f"Runbook: docs/OPERATIONS.md, {name}."):
                yield f"{name} does not name its entry in the runbook"
            if f"### `{name}`\n" not in book:
                yield f"docs/OPERATIONS.md has no heading {name}"


def main():
    target, *given = sys.argv[1:]
    template = yaml_parse((ROOT / "template.yaml").read_text())
    problems = [*unpublished(template), *without_runbook(template)]
    if problems:
        sys.exit("\n".join(problems))
    for name, properties in functions(template):
        # As it is after the upload.
        properties["CodeUri"] = f"s3://bucket/{name}"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    values = dict(pair.split("=", 1) for pair in given)
    plain = Translator({}, Parser()).translate(template, values)
    for resource in plain["Resources"].values():
        # Ours and SAM's notes to `sam build`; CloudFormation ignores them.
        resource.pop("Metadata", None)
    # The dashboard is a text to every linter.
    json.loads(plain["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    pathlib.Path(target).write_text(json.dumps(plain, indent=1) + "\n")


main()
