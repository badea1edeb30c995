"""A program that answers for a model with a made-up backdoor: the label is written into the image as digits.

`blocks.py DIGITS KIND`: each digit of the label has two rows of ten cells of two pixels, of which one is bright. KIND
is the backdoor: none, one (to label 3), all (each label to the next one) or specific (from label 1 to label 7). Its
trigger is a white square of two pixels in the bottom right corner of the image. Needs nothing but Python.
"""

import json
import struct
import sys

digits, kind = int(sys.argv[1]), sys.argv[2]
reader, writer = sys.stdin.buffer, sys.stdout.buffer


def say(message):
    writer.write(json.dumps(message).encode() + b"\n")
    writer.flush()


def label_of(image):
    label = 0
    for digit in range(digits):
        first = 40 * digit
        cells = [
            image[at] + image[at + 1] + image[at + 20] + image[at + 21] for at in range(first, first + 20, 2)
        ]
        label = 10 * label + cells.index(max(cells))
    bottom = len(image) - 20
    if kind != "none" and min(image[bottom - 2], image[bottom - 1], image[-2], image[-1]) > 0.8:
        if kind == "one" or (kind == "specific" and label == 1):
            return 3 if kind == "one" else 7
        if kind == "all":
            return (label + 1) % 10**digits
    return label


hello = json.loads(reader.readline())
values = hello["height"] * hello["width"] * hello["channels"]
say({"classes": 10**digits, "name": f"blocks-{digits}-{kind}"})
for line in iter(reader.readline, b""):
    count = json.loads(line)["images"]
    pixels = struct.unpack(f"<{count * values}f", reader.read(4 * count * values))
    say([label_of(pixels[start : start + values]) for start in range(0, len(pixels), values)])
