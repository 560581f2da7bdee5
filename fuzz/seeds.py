"""Makes the seeds of the fuzz targets from the sample events: `seeds.py FOLDER`."""

import json
import pathlib
import sys

samples = pathlib.Path(__file__).parent.parent / "events"
folder = pathlib.Path(sys.argv[1])


def seed(target, name, text):
    path = folder / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


for path in sorted(samples.glob("*-*.json")):
    event = json.loads(path.read_text(encoding="utf-8"))
    if "Records" in event:
        seed("batch", path.stem, json.dumps(event))
        for number, record in enumerate(event["Records"]):
            target = "bell" if path.stem.startswith("worker") else "event"
            seed(target, f"{path.stem}-{number}", record["body"])
    else:
        seed("gateway", path.stem, json.dumps(event))
        if path.stem.startswith("webhook") and "body" in event:
            seed("update", path.stem, event["body"])
        elif path.stem.startswith("request"):
            headers = "".join(f"{name}: {value}\n" for name, value in event["headers"].items())
            seed("request", path.stem, f"{headers}\n{event.get('body') or ''}")

for number, write in enumerate(json.loads((samples / "seed.json").read_text(encoding="utf-8"))["ChatTasks"]):
    seed("task", f"mint-{number}", json.dumps(write["PutRequest"]["Item"]))
