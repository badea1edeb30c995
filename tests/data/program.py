"""A program that answers for a model: the label is that of the nearest of the centres in a file of JSON.

`program.py CENTRES [WAY]`, where WAY is a way to go wrong. Needs nothing but Python.
"""

import json
import struct
import sys
import time

# Every fourth pixel is enough, and four times as fast.
centres = [centre[::4] for centre in json.load(open(sys.argv[1]))]
way = sys.argv[2] if len(sys.argv) > 2 else "right"
reader, writer = sys.stdin.buffer, sys.stdout.buffer


def say(message):
    writer.write((message if isinstance(message, str) else json.dumps(message)).encode() + b"\n")
    writer.flush()


hello = json.loads(reader.readline())
values = hello["height"] * hello["width"] * hello["channels"]
if way == "noisy":
    print("loading the model", flush=True)
say({"classes": 1 if way == "one" else len(centres), "name": "centres/1"})
for count, line in enumerate(iter(reader.readline, b"")):
    images = json.loads(line)["images"]
    pixels = struct.unpack(f"<{images * values}f", reader.read(4 * images * values))
    labels = []
    for start in range(0, len(pixels), values):
        image = pixels[start : start + values : 4]
        distances = [sum((a - b) ** 2 for a, b in zip(image, centre, strict=True)) for centre in centres]
        labels.append(distances.index(min(distances)))
    if way == "short":
        labels.pop()
    if way == "beyond":
        labels[0] = 10
    if way == "fails":
        say({"error": "out of memory"})
        sys.exit(1)
    if way == "ends" and count == 1:
        sys.exit(7)
    if way == "hangs":
        time.sleep(100)
    say(labels)
