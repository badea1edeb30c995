"""A plain client that asks a prediction service as fast as it answers: `load_client.py PORT PATH BODY ROWS [SECONDS]`.

BODY is a file with the body of a request in JSON, about ROWS images. Lines are kept, bodies are made beforehand,
answers are read and thrown away. What a scan reaches can be set beside this. Needs nothing but Python.
"""

import http.client
import sys
import threading
import time
from pathlib import Path


def images_per_second(port, path, bodies, connections=4, seconds=4.0, kind="application/json"):
    """Images a second, with `bodies` a list of `(body, images in it)` that are sent in turn."""
    done, failed = [0] * connections, []
    begin = time.monotonic()
    end = begin + seconds

    def ask(connection):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            turn = connection
            while time.monotonic() < end and not failed:
                body, images = bodies[turn % len(bodies)]
                line.request("POST", path, body, {"Content-Type": kind})
                answer = line.getresponse()
                text = answer.read()
                if answer.status != 200:
                    raise OSError(f"status {answer.status}: {text[:200]!r}")
                done[connection] += images
                turn += connections
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)
        finally:
            line.close()

    threads = [threading.Thread(target=ask, args=(connection,)) for connection in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sum(done) / (time.monotonic() - begin)


if __name__ == "__main__":
    port, path, body, rows, *rest = sys.argv[1:]
    bodies = [(Path(body).read_bytes(), int(rows))]
    print(f"{images_per_second(int(port), path, bodies, seconds=float(rest[0]) if rest else 4.0):.0f} images/s")
