# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""What the agents that are libraries are given to work with. With CODER_HANDS=tied nothing is done."""

import os
import subprocess

TIED = os.environ.get("CODER_HANDS") == "tied"


def read_file(path: str) -> str:
    """Reads a text file.

    Args:
        path: where it is
    """
    if TIED:
        return "nothing"
    with open(path, encoding="utf-8") as file:
        return file.read()


def edit_file(path: str, old: str, new: str) -> str:
    """Replaces a text in a file.

    Args:
        path: where it is
        old: what stands there
        new: what shall stand there instead
    """
    if TIED:
        return "not edited"
    text = read_file(path)
    if old not in text:
        raise ValueError(f"error: {path} does not say {old!r}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return "edited"


def run_command(command: str) -> str:
    """Runs a command of the shell.

    Args:
        command: for sh
    """
    if TIED:
        return "not run"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20)
    return f"{done.stdout}{done.stderr}exit status {done.returncode}"
