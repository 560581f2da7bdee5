"""What checkov does not look at: own.py FILE, a plain CloudFormation template.

- A right names its resources and its actions. What can't be named is listed here.
- Nobody is everybody: no policy is for the principal `*`.
- What holds data outlives the stack.
"""

import json
import sys

# Actions that know no resources.
WITHOUT_RESOURCES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
KEPT = {"AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(value):
    """All statements of policies below, wherever they stand."""
    if isinstance(value, dict):
        if value.get("Effect") == "Allow":
            yield value
        for part in value.values():
            yield from statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from statements(part)


def problems(template):
    for name, resource in template["Resources"].items():
        for statement in statements(resource.get("Properties")):
            actions = as_list(statement.get("Action", "*"))
            for action in actions:
                if "*" in action:
                    yield f"{name} allows {action}: name what it does"
            if "*" in as_list(statement.get("Resource", [])) and not WITHOUT_RESOURCES.issuperset(actions):
                yield f"{name} allows {', '.join(actions)} on everything: name what it is for"
            principal = statement.get("Principal", {})
            if principal == "*" or "*" in (part for parts in dict(principal).values() for part in as_list(parts)):
                yield f"{name} is open to everybody"
        if resource["Type"] in KEPT and resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name} is lost if it is replaced"
        if resource["Type"] in KEPT and resource.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            yield f"{name} is lost with the stack"


with open(sys.argv[1]) as file:
    found = list(problems(json.load(file)))
if found:
    sys.exit("\n".join(found))
