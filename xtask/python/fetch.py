"""Fetches a file and keeps it only if it is the right one: python fetch.py URL SHA256 FILE"""
import hashlib
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

LIMIT = 2**30
SILENCE = 60  # seconds without a byte

url, sha256, file = sys.argv[1:]
file = Path(file)
file.parent.mkdir(parents=True, exist_ok=True)
part = file.with_name(f".fetching-{os.getpid()}-{file.name}")
try:
    digest, size = hashlib.sha256(), 0
    with urllib.request.urlopen(url, timeout=SILENCE) as answer, part.open("wb") as out:
        while block := answer.read(2**20):
            size += len(block)
            if size > LIMIT:
                sys.exit(f"it is larger than {LIMIT} bytes")
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != sha256:
        sys.exit(f"it has SHA-256 {digest.hexdigest()}, expected {sha256}")
    part.replace(file)
except OSError as error:  # of the network and of the disk
    sys.exit(f"{getattr(error, 'reason', error)}")
finally:
    part.unlink(missing_ok=True)
