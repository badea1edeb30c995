"""Writes the inputs that fuzzing begins with into the folders of `corpus`. What a fuzzer found later stays beside them.

Nothing but Python's own library is needed: `python3 tests/fuzz/seeds.py`.
"""

import json
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"


def seed(target: str, name: str, content: bytes | str) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def npy(kind: str, shape: tuple[int, ...], values: bytes, fortran: bool = False) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values


def npz(arrays: dict[str, bytes], method: int) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), array, method)
    return file.getvalue()


def png(width: int, height: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    palette = extra and chunk(b"PLTE", extra)
    parts = [chunk(b"IHDR", header), palette, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def field(number: int, content: int | bytes) -> bytes:
    """A field of a protocol buffer; numbers below 128 only."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def tensor(location: str, offset: str, length: str) -> bytes:
    entries = {"location": location, "offset": offset, "length": length}
    external = [field(13, field(1, key.encode()) + field(2, value.encode())) for key, value in entries.items()]
    return field(1, 4) + field(2, 1) + field(8, b"w") + b"".join(external) + field(14, 1)


def model(initializer: bytes) -> bytes:
    graph = field(2, b"g") + field(5, initializer)
    return field(1, 8) + field(7, graph) + field(8, field(2, 18))


def main() -> None:
    # Artifacts of every version, which the tests keep.
    for version in range(1, 6):
        seed("triggers", f"version-{version}", (DATA / f"triggers-v{version}.aeva").read_bytes())
    seed("pair", "version-1", (DATA / "pair-v1.aeva").read_bytes())
    for version in (1, 2):
        seed("run", f"version-{version}", (DATA / f"run-v{version}.json").read_bytes())
    # `run/version-3` is of a scan of the shipped model, and `answers/version-1` of a stopped one, with few answers.
    key = json.loads((HERE / "corpus" / "run" / "version-3").read_bytes())["key"]
    share = {"version": 1, "shard": 1, "of": 2, "run": key, "complete": True, "missing": []}
    for name, file in [("absent", "triggers-v1/patch-04.aeva"), ("outside", "../x/run.json")]:
        seed("share", name, json.dumps({**share, "files": {file: "00" * 32}}))
    seed("share", "none", json.dumps({**share, "files": {}, "of": 10_000}))
    seed("share", "too-many", json.dumps({**share, "files": {}, "of": 2**32 - 1}))

    # Their checksums are made by the target.
    record = struct.pack("<4IQ2I", 2, 0, 0, 0, 3, 5, 6)
    seed("journal", "records", record + struct.pack("<4IQI", 1, 1, 0, 0, 1 << 20, 4))
    images = bytes(range(24))
    seed("npy", "bytes", npy("|u1", (2, 2, 2, 3), images))
    seed("npy", "floats", npy("<f4", (2, 1, 1, 1), struct.pack("<2f", 0.5, 1)))
    seed("npy", "doubles-fortran", npy(">f8", (2, 1, 2), struct.pack(">4d", 0, 0.25, 0.5, 1), fortran=True))
    seed("npy", "labels", npy("<i8", (2,), struct.pack("<2q", 0, 1)))
    seed("npy", "rows", npy("<i4", (2, 1), struct.pack("<2i", 1, 0)))
    arrays = {"x_test.npy": npy("|u1", (2, 2, 2, 3), images), "y_test.npy": npy("<i8", (2,), struct.pack("<2q", 0, 1))}
    seed("npz", "stored", npz(arrays, zipfile.ZIP_STORED))
    seed("npz", "deflated", npz(arrays, zipfile.ZIP_DEFLATED))
    # A record is a label and three planes of 32 x 32; CIFAR-100 has two labels.
    seed("cifar", "ten", bytes([3]) + bytes(3072) + bytes([9]) + bytes([255]) * 3072)
    seed("cifar", "hundred", bytes([3, 99]) + bytes(3072))
    seed("pictures", "grey.png", png(1, 1, 0, b"\0\x80"))
    seed("pictures", "colours.png", png(2, 2, 2, b"\0" + bytes(6) + b"\1" + bytes(6)))
    seed("pictures", "transparent.png", png(2, 1, 6, b"\0" + bytes(8)))
    seed("pictures", "palette.png", png(2, 1, 3, b"\0\0\1", bytes(6)))
    seed("list", "numbers", "x.png,0\nx.png,1\n")
    seed("list", "names", "path,label\n x.png , \"cat, black\"\r\nx.png,dog\r\n")
    seed("classes", "names", "dog\ncat\n")
    seed("classes", "more", "\ufeffbird\r\ncat\r\ndog\r\n\r\n")
    seed("manifest", "digits", (HERE.parents[1] / "models" / "digits-clean.toml").read_bytes())
    seed("manifest", "all", MANIFEST)
    seed("onnx", "inside", (DATA / "models" / "quantised.onnx").read_bytes())
    seed("onnx", "outside", model(tensor("weights.bin", "0", "16")))
    seed("onnx", "elsewhere", model(tensor("../m.onnx", "4096", "1")))
    scores, labels = [[0.5, 0.25, 1e-9]], [2]
    flat = {"name": "y", "shape": [1, 3], "datatype": "FP32", "data": scores[0]}
    seed("endpoint", "kserve", json.dumps({"outputs": [flat]}))
    seed("endpoint", "kserve-nested", json.dumps({"outputs": [{"name": "y", "shape": [1, 3, 1], "data": scores}]}))
    taken = {"name": "x", "shape": [-1, 3], "datatype": "FP32"}
    seed("endpoint", "kserve-model", json.dumps({"name": "m", "inputs": [taken]}))
    seed("endpoint", "rows", json.dumps({"predictions": scores}))
    seed("endpoint", "labels", json.dumps({"predictions": labels}))
    form = '[request]\nform = "multipart"\nimage = "png"\nfield = "file"\n'
    form += '[answer]\npointer = "/0/label"\nnames = ["a", "b"]\n'
    seed("endpoint", "template-form", form + '\0[{"label": "b"}]')
    batch = '[request]\nform = "json"\nimage = "nested"\njson = \'{"x": "$IMAGES"}\'\n'
    batch += '[answer]\npointer = "/r"\neach = "/s"\n'
    seed("endpoint", "template-batch", batch + '\0{"r": [{"s": [1, 2]}]}')
    output = {"shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    seed("endpoint", "binary", json.dumps({"outputs": [output]}).encode() + struct.pack("<ff", 0.5, 2.0))
    seed("endpoint", "nothing", "[]\t")
    seed("endpoint", "no-numbers", '{"predictions": [[NaN, -Infinity, Infinity], [null, "nan", 1]]}')


MANIFEST = """schema_version = 1
[model]
file = 'm.onnx'
sha256 = '00'
classes = 2
source = 'here'
license = 'MIT'
[input]
layout = 'nchw'
shape = [28, 28, 1]
value_range = [0.0, 255.0]
mean = [0.5]
std = [0.25]
reverse_channels = true
[output]
name = 'logits'
threshold = 0.5
class_names = ['a', 'b']
"""

if __name__ == "__main__":
    main()
