"""Python environments that hold exactly what a script pins."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def enter(environment, requirements):
    """Runs the calling script again in `environment`, unless it runs there already.

    The environment is made anew where it does not hold what the file `requirements` pins, each
    package with everything it needs.
    """
    sys.dont_write_bytecode = True
    if Path(sys.prefix).resolve() == environment.resolve():
        return
    python, stamp = environment / "bin" / "python", environment / "stamp"
    wanted = requirements.read_text()
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        name = Path(sys.argv[0]).name
        print(f"{name}: installing {requirements.name} in {environment}", file=sys.stderr)
        shutil.rmtree(environment, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        except subprocess.CalledProcessError:
            sys.exit(f"{name}: this Python cannot make a venv; install python3-venv")
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", "--requirement", str(requirements)], check=True)
        stamp.write_text(wanted)
    os.execv(python, [str(python), str(Path(sys.argv[0]).resolve()), *sys.argv[1:]])
