"""`python -m aeva`: runs the program."""

import os
import subprocess
import sys

from ._program import environment, program


def main() -> int:
    command = [program(), *sys.argv[1:]]
    if sys.platform == "win32":
        return subprocess.run(command, env=environment()).returncode
    os.execve(command[0], command, environment())
    return 2


if __name__ == "__main__":
    sys.exit(main())
