# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""An agent of pydantic-ai. Usage: pydantic_ai_coder.py MODEL PROMPT

MODEL has the dialect in front of it: openai is /v1/responses, openai-chat /v1/chat/completions.
"""

import sys

import coder_tools
from pydantic_ai import Agent, BinaryContent, ModelRetry

model, prompt = sys.argv[1:3]
agent = Agent(model, instructions="Be brief.")


@agent.tool_plain
def read_file(path: str) -> str:
    """Reads a text file."""
    try:
        return coder_tools.read_file(path)
    except OSError as error:
        raise ModelRetry(str(error)) from error


@agent.tool_plain
def view_image(path: str) -> BinaryContent:
    """Shows a picture."""
    with open(path, "rb") as file:
        return BinaryContent(file.read(), media_type="image/png")


agent.tool_plain(coder_tools.edit_file)
agent.tool_plain(coder_tools.run_command)
print(agent.run_sync(prompt).output)
