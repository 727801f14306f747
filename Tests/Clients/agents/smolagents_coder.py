# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The routerd authors
"""An agent of smolagents. Usage: smolagents_coder.py URL MODEL PROMPT [PICTURE...]"""

import sys

import coder_tools
import PIL.Image
from smolagents import OpenAIModel, ToolCallingAgent, tool

url, model, prompt = sys.argv[1:4]
tools = [tool(coder_tools.read_file), tool(coder_tools.edit_file), tool(coder_tools.run_command)]
agent = ToolCallingAgent(tools=tools, model=OpenAIModel(model, api_base=url, api_key="unused"), max_steps=2 if coder_tools.TIED else 10)
print(agent.run(prompt, images=[PIL.Image.open(picture) for picture in sys.argv[4:]] or None))
