"""Replays every sample of `events/` with `cargo lambda invoke` and compares the answers with `events/expected.json`.

Usage: replay.py <port of cargo lambda watch> <file of NAME=value lines that the functions run with>
"""

import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import boto3

EVENTS = pathlib.Path(__file__).resolve().parent.parent / "events"
NO_SAMPLES = {"expected.json", "seed.json"}
# The first call of a function may wait for its build.
TIMEOUT_SECONDS = 300
# How long a bell may take to have its task done.
DONE_SECONDS = 30


def client(env):
    return boto3.client(
        "dynamodb",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )


def seed(dynamodb, env):
    """Writes the records that the samples refer to."""
    prefix = env.get("TABLE_PREFIX", "")
    records = json.loads((EVENTS / "seed.json").read_text())
    answer = dynamodb.batch_write_item(RequestItems={prefix + table: items for table, items in records.items()})
    assert not answer["UnprocessedItems"], answer


class CloudFormation(http.server.BaseHTTPRequestHandler):
    """Waits where CloudFormation would, for the answer of a custom resource."""

    status = None

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        CloudFormation.status = json.loads(body)["Status"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def answered_elsewhere(function, file, port, waiting):
    """As `invoke`, for an event that is answered at its `ResponseURL`: the same answer must come there."""
    event = json.loads((EVENTS / file).read_text())
    event["ResponseURL"] = f"http://127.0.0.1:{waiting.server_port}/"
    CloudFormation.status = None
    with tempfile.NamedTemporaryFile("w", suffix=".json") as copy:
        json.dump(event, copy)
        copy.flush()
        answer, failure = invoke(function, copy.name, port)
    if not failure and CloudFormation.status != answer["Status"]:
        failure = f"CloudFormation was told {CloudFormation.status}, the caller {answer['Status']}"
    return answer, failure


def invoke(function, file, port):
    command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", port]
    command += [function, "--data-file", str(EVENTS / file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {TIMEOUT_SECONDS} s"
    if done.returncode != 0:
        return None, done.stderr.strip() or done.stdout.strip()
    return json.loads(done.stdout), None


def undone(case, dynamodb, env):
    """What a batch should have done to a request and did not; its answer alone tells only that nothing is handed back."""
    if "done" not in case:
        return None
    key = {"requestId": {"S": case["done"]}}
    give_up = time.monotonic() + DONE_SECONDS
    # A bell that finds the chat's lease held leaves word with its holder, which may be the local stack's own worker.
    while True:
        item = dynamodb.get_item(TableName=env.get("TABLE_PREFIX", "") + "InviteRequests", Key=key, ConsistentRead=True).get("Item", {})
        status = item.get("status", {}).get("S")
        if status == "DONE":
            return None
        if time.monotonic() > give_up:
            return f"request {case['done']} is {status}, expected DONE"
        time.sleep(0.2)


def mismatch(case, answer):
    """What is wrong with the answer; nothing if it is as expected. More fields in a body than expected are right."""
    if "answer" in case:
        is_expected = case["answer"].items() <= answer.items()
        return None if is_expected else f"{answer}, expected {case['answer']}"
    if "batchItemFailures" in case:
        failed = sorted(failure["itemIdentifier"] for failure in answer.get("batchItemFailures", []))
        expected = sorted(case["batchItemFailures"])
        return None if failed == expected else f"batchItemFailures {failed}, expected {expected}"
    body = json.loads(answer.get("body") or "null")
    if answer.get("statusCode") != case["statusCode"]:
        return f"status {answer.get('statusCode')} with {body}, expected {case['statusCode']}"
    missing = object()
    wrong = {name: body.get(name) for name, value in case["body"].items() if body.get(name, missing) != value}
    return f"{wrong} in {body}, expected {case['body']}" if wrong else None


def unlisted(cases):
    """Samples that are not in expected.json or the README, and entries without a sample."""
    files = {path.name for path in EVENTS.glob("*.json")} - NO_SAMPLES
    listed = {case["file"] for case in cases}
    readme = (EVENTS / "README.md").read_text()
    for file in sorted(files ^ listed):
        yield f"{file}: in only one of events/ and events/expected.json"
    for file in sorted(files):
        if f"| `{file.removesuffix('.json')}` |" not in readme:
            yield f"{file}: not in events/README.md"


def main():
    port, env_file = sys.argv[1:]
    lines = pathlib.Path(env_file).read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line)
    cases = json.loads((EVENTS / "expected.json").read_text())
    problems = list(unlisted(cases))
    dynamodb = client(env)
    seed(dynamodb, env)
    waiting = http.server.HTTPServer(("127.0.0.1", 0), CloudFormation)
    threading.Thread(target=waiting.serve_forever, daemon=True).start()
    for case in cases:
        if "ResponseURL" in json.loads((EVENTS / case["file"]).read_text()):
            answer, failure = answered_elsewhere(case["function"], case["file"], port, waiting)
        else:
            answer, failure = invoke(case["function"], case["file"], port)
        problem = failure or mismatch(case, answer) or undone(case, dynamodb, env)
        if problem:
            problems.append(f"{case['file']} -> {case['function']}: {problem}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(cases)} samples replayed, all answered as expected")


main()
