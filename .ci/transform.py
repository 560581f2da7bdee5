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

# What AWS takes is more; what is left is for functions that are still to come.
RESOURCES_MAX = 400  # of 500
BYTES_MAX = 1_000_000  # of a template in S3
RESOURCE_POLICY_MAX_BYTES = 10_000  # of 20 KB, of one function
STACK_NAME = "s" * 40


def functions(template):
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield name, resource["Properties"]


def names_in(value, names):
    """Those of `names` that a value refers to, however deep."""
    if isinstance(value, dict):
        if value.get("Ref") in names:
            yield value["Ref"]
        if isinstance(value.get("Fn::Sub"), str):
            yield from names.intersection(re.findall(r"\$\{(\w+)\}", value["Fn::Sub"]))
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names_in(part, names)


def carried(template, policy, names):
    """The parameters whose new value makes another policy: those of its description, and of the policy named there."""
    description = template["Resources"][policy]["Properties"]["Description"]
    yield from names_in(description, names)
    policies = {name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::ManagedPolicy"}
    for before in names_in(description, policies):
        yield from carried(template, before, names)


def unpublished(template):
    """Parameters that functions are given and whose new value would reach no alias: see ParametersA."""
    names = set(template["Parameters"])
    listed = set(carried(template, "ParametersB", names)) | {"DeployId"}
    for name, properties in functions(template):
        for parameter in sorted(set(names_in(properties["Environment"], names)) - listed):
            yield f"{name} is given {parameter}, which neither ParametersA nor ParametersB describes"
        version = {"Fn::Sub": "${DeployId} ${ParametersB}"}
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


def resource_policies(plain):
    """The bytes of each function's resource policy: a statement for each route and schedule, as Lambda writes it."""
    sizes = {}
    for name, resource in plain["Resources"].items():
        if resource["Type"] != "AWS::Lambda::Permission":
            continue
        properties = resource["Properties"]
        function = properties["FunctionName"]
        while isinstance(function, dict):
            (function,) = function.values()
        statement = {
            # CloudFormation appends 13 characters to both names.
            "Sid": f"{STACK_NAME}-{name}-ABCDEFGHIJKL",
            "Effect": "Allow",
            "Principal": {"Service": properties["Principal"]},
            "Action": properties["Action"],
            "Resource": f"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:{STACK_NAME}-{function}-ABCDEFGHIJKL:live",
            "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws-us-gov:{json.dumps(properties.get('SourceArn'))}"}},
        }
        function = function.removesuffix("Aliaslive").removesuffix(".Alias")
        sizes[function] = sizes.get(function, 0) + len(json.dumps(statement))
    return sizes


def beyond_budget(plain, text):
    """What grows towards an end that AWS sets."""
    count = len(plain["Resources"])
    if count >= RESOURCES_MAX:
        yield f"{count} resources after the transform, {RESOURCES_MAX} are too many"
    if len(text.encode()) >= BYTES_MAX:
        yield f"{len(text.encode())} bytes after the transform, {BYTES_MAX} are too many"
    for function, size in resource_policies(plain).items():
        if size > RESOURCE_POLICY_MAX_BYTES:
            yield f"the resource policy of {function} has {size} bytes: give it fewer routes"


def stop_at(problems):
    problems = list(problems)
    if problems:
        sys.exit("\n".join(problems))


def main():
    target, *given = sys.argv[1:]
    template = yaml_parse((ROOT / "template.yaml").read_text())
    stop_at([*unpublished(template), *without_runbook(template)])
    for name, properties in functions(template):
        # As it is after the upload.
        properties["CodeUri"] = f"s3://bucket/{name}"
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    values = dict(pair.split("=", 1) for pair in given)
    plain = Translator({}, Parser()).translate(template, values)
    for resource in plain["Resources"].values():
        # Ours and SAM's notes to `sam build`; CloudFormation ignores them. The linter's own stay.
        notes = resource.pop("Metadata", {})
        if "cfn-lint" in notes:
            resource["Metadata"] = {"cfn-lint": notes["cfn-lint"]}
    # The dashboard is a text to every linter.
    json.loads(plain["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    text = json.dumps(plain, indent=1) + "\n"
    stop_at(beyond_budget(plain, text))
    pathlib.Path(target).write_text(text)
    largest = max(resource_policies(plain).values())
    print(
        f"{len(plain['Resources'])} resources and {len(text.encode())} bytes after the transform, "
        f"{largest} bytes in the largest resource policy"
    )


main()
