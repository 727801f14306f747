# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""An agent of openai-agents. Usage: openai_agents_coder.py MODEL PROMPT whole|streamed

The library speaks /v1/responses unless it is told otherwise.
"""

import asyncio
import base64
import sys

import coder_tools
from agents import Agent, Runner, ToolOutputImage, function_tool

model, prompt, manner = sys.argv[1:4]


@function_tool
def view_image(path: str) -> ToolOutputImage:
    """Shows a picture.

    Args:
        path: where it is
    """
    with open(path, "rb") as file:
        return ToolOutputImage(image_url="data:image/png;base64," + base64.b64encode(file.read()).decode())


tools = [function_tool(coder_tools.read_file), function_tool(coder_tools.edit_file), function_tool(coder_tools.run_command), view_image]
agent = Agent(name="coder", instructions="Be brief.", tools=tools, model=model)


async def main() -> None:
    if manner == "whole":
        print((await Runner.run(agent, prompt)).final_output)
        return
    result = Runner.run_streamed(agent, prompt)
    async for _ in result.stream_events():
        pass
    print(result.final_output)


asyncio.run(main())
