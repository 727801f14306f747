// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import Testing

@testable import Core

/// What breaks without these: an agent or a client of one API cannot use a model whose server speaks another one, or something that it
/// said is lost on the way.
@Suite struct RequestTranslationTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var body: String
        /// Path and body; or status and field of the error; behind a bar what is left out.
        var wanted: String
        var operation = Operation.ollamaChat
        var kind = EndpointKind.openAI
        var words: WordSettings?
        var description: String { name }
    }

    private static let usage = #""stream":true,"stream_options":{"include_usage":true}"#

    private static let ollama: [Row] = [
        Row(
            name: "text, streamed by default", body: #"{"model":"asked","messages":[{"role":"user","content":"hi"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"hi"}],\#(usage)}"#),
        Row(
            name: "not streamed", body: #"{"model":"a","stream":false,"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false}"#),
        Row(
            name: "images get their type",
            body: #"{"stream":false,"messages":[{"role":"user","content":"what","images":["iVBORw0","/9j/4AA"]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0"}},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA"}}]}],"stream":false}"#
        ),
        Row(
            name: "tool calls and their results find each other",
            body:
                #"{"stream":false,"messages":[{"role":"user","content":"w"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"id":"own","function":{"name":"g","arguments":"{\"y\":2}"}}]},{"role":"tool","tool_name":"g","content":"2"},{"role":"tool","content":"1"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"w"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1_0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"own","type":"function","function":{"name":"g","arguments":"{\"y\":2}"}}]},{"role":"tool","content":"2","name":"g","tool_call_id":"own"},{"role":"tool","content":"1","tool_call_id":"call_1_0"}],"tools":[{"type":"function","function":{"name":"f"}}],"stream":false}"#
        ),
        Row(
            name: "options",
            body:
                #"{"stream":false,"messages":[{"role":"user","content":"x"}],"options":{"temperature":0,"num_predict":7,"stop":["a"],"seed":1,"top_k":3,"num_ctx":8192,"top_p":null},"keep_alive":"5m"}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"temperature":0,"max_tokens":7,"stop":["a"],"seed":1,"top_k":3}"#
        ),
        Row(
            name: "no limit is an absent one", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"options":{"num_predict":-1}}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}"#),
        Row(
            name: "format json", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"format":"json"}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_object"}}"#
        ),
        Row(
            name: "format schema", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"format":{"type":"object"}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}}"#
        ),
        Row(
            name: "think, where the template can be told", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"think":false}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"chat_template_kwargs":{"enable_thinking":false}}"#,
            kind: .llamaServer),
        Row(
            name: "think, how much", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"think":"high"}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"reasoning_effort":"high"}"#),
        Row(
            name: "logprobs", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":3}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"logprobs":true,"top_logprobs":3}"#),
        Row(
            name: "thinking in the history goes where it is taken",
            body: #"{"stream":false,"messages":[{"role":"assistant","content":"x","thinking":"t"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"t"}],"stream":false}"#,
            kind: .llamaServer),
        Row(
            name: "and nowhere else", body: #"{"stream":false,"messages":[{"role":"assistant","content":"x","thinking":"t"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":"x"}],"stream":false}"#),
        Row(
            name: "no messages load", body: #"{"model":"asked","messages":[]}"#,
            wanted: #"immediate {"model":"asked","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#),
        Row(name: "no messages load on llama-server", body: #"{"model":"asked"}"#, wanted: #"/models/load {"model":"m"}"#, kind: .llamaServer),
        Row(
            name: "keep_alive 0 unloads", body: #"{"model":"asked","messages":[],"keep_alive":0}"#, wanted: #"/models/unload {"model":"m"}"#,
            kind: .llamaServer),
        Row(
            name: "an option without counterpart", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"options":{"odd":4}}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false} | options.odd"#),
        Row(name: "a template", body: #"{"messages":[{"role":"user","content":"x"}],"template":"{{ .Prompt }}"}"#, wanted: "400 template"),
        Row(name: "no list", body: #"{"messages":"x"}"#, wanted: "400 messages"),
        Row(name: "no object", body: #"{"messages":["x"]}"#, wanted: "400 messages[0]"),
        Row(name: "no role", body: #"{"messages":[{"content":"x"}]}"#, wanted: "400 messages[0].role"),
        Row(name: "content of parts", body: #"{"messages":[{"role":"user","content":[]}]}"#, wanted: "400 messages[0].content"),
        Row(name: "odd images", body: #"{"messages":[{"role":"user","content":"x","images":[7]}]}"#, wanted: "400 messages[0].images[0]"),
        Row(name: "odd format", body: #"{"messages":[{"role":"user","content":"x"}],"format":"xml"}"#, wanted: "400 format"),
        Row(name: "odd think", body: #"{"messages":[{"role":"user","content":"x"}],"think":"a lot"}"#, wanted: "400 think"),
        Row(name: "odd options", body: #"{"messages":[{"role":"user","content":"x"}],"options":[1]}"#, wanted: "400 options"),
        Row(
            name: "generate", body: #"{"prompt":"p","system":"s","stream":false,"images":["R0lGODdh"]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"p"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODdh"}}]}],"stream":false}"#,
            operation: .ollamaGenerate),
        Row(
            name: "generate raw", body: #"{"prompt":"p","raw":true,"stream":false,"options":{"num_predict":3}}"#,
            wanted: #"/v1/completions {"model":"m","prompt":"p","stream":false,"max_tokens":3}"#, operation: .ollamaGenerate),
        Row(
            name: "generate in the middle", body: #"{"prompt":"p","suffix":"s","stream":false}"#,
            wanted: #"/v1/completions {"model":"m","prompt":"p","suffix":"s","stream":false}"#, operation: .ollamaGenerate),
        Row(
            name: "in the middle, where it would be ignored", body: #"{"prompt":"p","suffix":"s"}"#, wanted: "400 suffix", operation: .ollamaGenerate,
            kind: .llamaServer),
        Row(name: "generate goes on", body: #"{"prompt":"p","context":[1,2]}"#, wanted: "400 context", operation: .ollamaGenerate),
        Row(name: "odd prompt", body: #"{"prompt":7}"#, wanted: "400 prompt", operation: .ollamaGenerate),
        Row(
            name: "no prompt loads", body: #"{"model":"asked","prompt":"","keep_alive":"0s"}"#,
            wanted: #"immediate {"model":"asked","response":"","done":true,"done_reason":"unload"}"#, operation: .ollamaGenerate),
        Row(
            name: "embed", body: #"{"input":["a","b"],"dimensions":8,"truncate":true,"keep_alive":"1m"}"#,
            wanted: #"/v1/embeddings {"model":"m","input":["a","b"],"dimensions":8,"encoding_format":"float"}"#, operation: .ollamaEmbed),
        Row(name: "embed nothing", body: #"{"model":"asked"}"#, wanted: #"immediate {"model":"asked","embeddings":[]}"#, operation: .ollamaEmbed),
        Row(name: "embed odd", body: #"{"input":[1]}"#, wanted: "400 input[0]", operation: .ollamaEmbed),
        Row(
            name: "embeddings", body: #"{"prompt":"a"}"#, wanted: #"/v1/embeddings {"model":"m","input":"a","encoding_format":"float"}"#,
            operation: .ollamaEmbeddings),
    ]

    private static let agents: [Row] = [
        Row(
            name: "text",
            body: #"{"model":"x","max_tokens":9,"system":"s","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"stop_sequences":["a"]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false,"max_tokens":9,"temperature":0.5,"stop":["a"]}"#,
            operation: .messages),
        Row(
            name: "blocks, images, thinking of before",
            body:
                #"{"max_tokens":9,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"ok"}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},{"role":"assistant","content":"ok"}],"stream":false,"max_tokens":9}"#,
            operation: .messages),
        Row(
            name: "tools and their results",
            body:
                #"{"max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"}]},{"type":"text","text":"go on"}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","tool_call_id":"t1","content":"Error: no"},{"role":"user","content":"go on"}],"stream":false,"max_tokens":9,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"required","parallel_tool_calls":false}"#,
            operation: .messages),
        Row(
            name: "streamed, thinking told to the template",
            body: #"{"max_tokens":1,"messages":[],"stream":true,"thinking":{"type":"enabled","budget_tokens":1024}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true},"max_tokens":1,"chat_template_kwargs":{"enable_thinking":true}}"#,
            operation: .messages, kind: .llamaServer),
        Row(
            name: "a tool of Anthropic's", body: #"{"messages":[],"tools":[{"type":"web_search_20250305","name":"w"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[],"stream":false} | tools[0] (web_search_20250305)"#, operation: .messages),
        Row(
            name: "a document", body: #"{"messages":[{"role":"user","content":[{"type":"document"}]}]}"#,
            wanted: "400 messages[0].content[0].source.type", operation: .messages),
        Row(name: "a field from the future", body: #"{"messages":[],"container":"c"}"#, wanted: "400 container", operation: .messages),
        Row(name: "no messages", body: #"{"max_tokens":1}"#, wanted: "400 messages", operation: .messages),
        Row(name: "a wrong role", body: #"{"messages":[{"role":"robot","content":"x"}]}"#, wanted: "400 messages[0].role", operation: .messages),
        Row(
            name: "responses: a string", body: #"{"model":"x","input":"hi","instructions":"s","max_output_tokens":5,"reasoning":{"effort":"low"}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false,"max_tokens":5,"reasoning_effort":"low"}"#,
            operation: .responses),
        Row(
            name: "responses: items",
            body:
                #"{"input":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"w"},{"type":"input_image","image_url":"data:x","detail":"low"}]},{"type":"reasoning","summary":[]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"1"}],"tools":[{"type":"function","name":"f","parameters":{},"strict":true}],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},"store":true}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"d"},{"role":"user","content":[{"type":"text","text":"w"},{"type":"image_url","image_url":{"url":"data:x","detail":"low"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}],"stream":false,"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}} | store"#,
            operation: .responses),
        Row(name: "responses: state", body: #"{"input":"x","previous_response_id":"r"}"#, wanted: "400 previous_response_id", operation: .responses),
        Row(name: "responses: background", body: #"{"input":"x","background":true}"#, wanted: "400 background", operation: .responses),
        Row(
            name: "responses: a tool of OpenAI's", body: #"{"input":"x","tools":[{"type":"web_search"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false} | web_search"#,
            operation: .responses),
        Row(
            name: "responses: a file", body: #"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]}"#,
            wanted: "400 input[0].content[0].file_id", operation: .responses),
        Row(name: "responses: nothing", body: #"{}"#, wanted: "400 input", operation: .responses),
    ]

    private static let more: [Row] = [
        Row(
            name: "what an agent adds changes no answer",
            body:
                #"{"max_tokens":9,"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"high"},"metadata":{"user_id":"u"},"speed":"fast","mcp_servers":[],"messages":[{"role":"user","content":"hi"},{"role":"system","content":[{"type":"text","text":"late","cache_control":{"type":"ephemeral"}}]}],"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"defer_loading":true}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"a\nb\n\nlate"},{"role":"user","content":"hi"}],"stream":false,"max_tokens":9,"user":"u","reasoning_effort":"high","tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]} | context_management, speed"#,
            operation: .messages),
        Row(
            name: "a field from the future is left out", body: #"{"messages":[],"novelty":{"x":1}}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[],"stream":false} | novelty"#, operation: .messages),
        Row(
            name: "system messages stay where they are taken anywhere",
            body: #"{"messages":[{"role":"user","content":"a"},{"role":"system","content":"s"},{"role":"user","content":"b"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"a"},{"role":"system","content":"s"},{"role":"user","content":"b"}],"stream":false}"#,
            operation: .messages, words: WordSettings(system: .anywhere)),
        Row(
            name: "developer messages are folded, too",
            body:
                #"{"input":[{"role":"developer","content":"one"},{"role":"developer","content":[{"type":"input_text","text":"two"},{"type":"input_text","text":"three"}]},{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"one\n\ntwo\nthree"},{"role":"user","content":"a"},{"role":"user","content":"b"}],"stream":false}"#,
            operation: .responses),
        Row(
            name: "Ollama's system messages as well",
            body: #"{"stream":false,"messages":[{"role":"user","content":"a"},{"role":"system","content":"s"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"a"}],"stream":false}"#),
        Row(
            name: "an image in a tool's result follows it",
            body:
                #"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"seen"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]},{"type":"text","text":"go on"}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t","content":"seen"},{"role":"user","content":[{"type":"text","text":"The result of the tool call t:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},{"type":"text","text":"go on"}]}],"stream":false}"#,
            operation: .messages),
        Row(
            name: "an image that is all of a result",
            body:
                #"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"data:image/png;base64,QQ==","detail":"high"}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"The result follows."},{"role":"user","content":[{"type":"text","text":"The result of the tool call c:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ==","detail":"high"}}]}],"stream":false}"#,
            operation: .responses),
        Row(
            name: "a text document, a search result and a reference to a tool are text",
            body:
                #"{"messages":[{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"d"}},{"type":"search_result","title":"S","source":"u","content":[{"type":"text","text":"r"}]},{"type":"text","text":"q"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"g"}]}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"T\nd\nS\nu\nr\nq"},{"role":"tool","tool_call_id":"t","content":"The tool g can be used."}],"stream":false}"#,
            operation: .messages),
        Row(
            name: "what the vendor's tools did is left out",
            body:
                #"{"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},{"type":"server_tool_use","id":"s","name":"w","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"a"}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":"a"}],"stream":false} | redacted_thinking, server_tool_use, web_search_tool_result"#,
            operation: .messages),
        Row(
            name: "a tool that the client runs is known by its type",
            body: #"{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"}],"tool_choice":{"type":"auto"}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[],"stream":false,"tools":[{"type":"function","function":{"name":"bash","description":"Runs a command in a shell that stays open.","parameters":{"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}}}}],"tool_choice":"auto"}"#,
            operation: .messages),
        Row(
            name: "a choice of what cannot run here",
            body: #"{"messages":[],"tools":[{"type":"web_search_20250305","name":"w"}],"tool_choice":{"type":"tool","name":"w"}}"#,
            wanted: "400 tool_choice.name", operation: .messages),
        Row(
            name: "thinking is handed back in the endpoint's own word",
            body:
                #"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"tool_use","id":"t","name":"f","input":{}}]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"reasoning":"hm","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}],"stream":false}"#,
            operation: .messages, words: WordSettings(thinking: .handed(.reasoning))),
        Row(
            name: "and an empty one where it is demanded and none is known",
            body:
                #"{"input":[{"type":"function_call","call_id":"t","name":"f","arguments":"{}"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"reasoning_content":"","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}],"stream":false}"#,
            operation: .responses, words: WordSettings(thinking: .demanded(.reasoningContent))),
        Row(
            name: "reasoning, message and calls of one turn are one message",
            body:
                #"{"input":[{"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":null},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I read.","annotations":[]}]},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call","call_id":"b","name":"g","arguments":"{}"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":"I read.","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}],"stream":false}"#,
            operation: .responses, kind: .llamaServer),
        Row(
            name: "namespaces are flattened, tools of text get one argument",
            body:
                #"{"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"late"}]},{"type":"custom_tool_call","call_id":"c","name":"apply_patch","input":"*** x"},{"type":"custom_tool_call_output","call_id":"c","output":"done"},{"type":"function_call","call_id":"d","namespace":"agents","name":"ask","arguments":"{}"}],"client_metadata":{"a":"b"},"store":false,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","parallel_tool_calls":true,"reasoning":{"summary":"auto"},"tool_choice":"auto","tools":[{"type":"namespace","name":"agents","tools":[{"type":"function","name":"ask","parameters":{"type":"object"}}]},{"type":"custom","name":"apply_patch","description":"p"},{"type":"web_search","external_web_access":true},{"type":"tool_search","execution":"client"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"apply_patch","arguments":"{\"input\":\"*** x\"}"}}]},{"role":"tool","tool_call_id":"c","content":"done"},{"role":"assistant","content":null,"tool_calls":[{"id":"d","type":"function","function":{"name":"agents__ask","arguments":"{}"}}]}],"stream":false,"prompt_cache_key":"k","tools":[{"type":"function","function":{"name":"agents__ask","parameters":{"type":"object"}}},{"type":"function","function":{"name":"apply_patch","description":"p","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}},{"type":"function","function":{"name":"late"}}],"tool_choice":"auto","parallel_tool_calls":true} | client_metadata, web_search, tool_search"#,
            operation: .responses),
        Row(
            name: "responses: a choice of what cannot run here", body: #"{"input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"}"#,
            wanted: "400 tool_choice", operation: .responses),
        Row(
            name: "responses: an item by its id", body: #"{"input":[{"type":"item_reference","id":"i"}]}"#, wanted: "400 input[0]",
            operation: .responses),
        Row(
            name: "a word that the service wants", body: #"{"messages":[],"max_tokens":5}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[],"stream":false,"max_completion_tokens":5}"#, operation: .messages,
            words: WordSettings(limit: .maxCompletionTokens)),
        Row(
            name: "words that the service refuses",
            body:
                #"{"messages":[],"stream":true,"output_config":{"effort":"low"},"metadata":{"user_id":"u"},"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[],"stream":true,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto"} | output_config.effort, tool_choice.disable_parallel_tool_use"#,
            operation: .messages, words: WordSettings(refused: [.streamOptions, .reasoningEffort, .user, .parallelCalls])),
        Row(
            name: "what changes an answer is told when it is left unsaid, and nothing else",
            body:
                #"{"input":"x","stream":true,"user":"u","prompt_cache_key":"k","reasoning":{"effort":"low"},"parallel_tool_calls":false,"tools":[{"type":"function","name":"f","strict":true}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"tools":[{"type":"function","function":{"name":"f"}}]} | reasoning.effort, parallel_tool_calls, strict"#,
            operation: .responses, words: WordSettings(refused: Set(OptionalField.allCases))),
        Row(
            name: "what asks for nothing is left unsaid in silence",
            body: #"{"input":"x","parallel_tool_calls":true,"tools":[{"type":"function","name":"f","strict":false}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"tools":[{"type":"function","function":{"name":"f"}}]}"#,
            operation: .responses, words: WordSettings(refused: Set(OptionalField.allCases))),
        Row(
            name: "a tool of an agent that is strict stays so",
            body: #"{"messages":[],"tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[],"stream":false,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}]}"#,
            operation: .messages),
        Row(
            name: "arguments that are no object become one for Ollama",
            body:
                #"{"input":[{"type":"function_call","call_id":"a","name":"f","arguments":""},{"type":"function_call","call_id":"b","name":"f","arguments":"{\"x\":"},{"type":"function_call","call_id":"c","name":"f","arguments":"[1]"}]}"#,
            wanted:
                #"/api/chat {"model":"m","messages":[{"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}},{"id":"b","function":{"name":"f","arguments":{"input":"{\"x\":"}}},{"id":"c","function":{"name":"f","arguments":{"input":"[1]"}}}]}],"stream":false}"#,
            operation: .responses, kind: .ollama),
        Row(
            name: "no arguments are an empty object",
            body: #"{"input":[{"type":"function_call","call_id":"a","name":"f","arguments":" "}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}],"stream":false}"#,
            operation: .responses),
        Row(
            name: "a result follows its call, whatever was said between",
            body:
                #"{"input":[{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"role":"user","content":"wait"},{"type":"function_call","call_id":"b","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"1"},{"type":"function_call_output","call_id":"b","output":"2"},{"type":"function_call_output","call_id":"gone","output":"3"}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"wait"},{"role":"assistant","content":null,"tool_calls":[{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","tool_call_id":"b","content":"2"},{"role":"tool","tool_call_id":"gone","content":"3"}],"stream":false}"#,
            operation: .responses),
        Row(
            name: "Ollama has no words for these",
            body: #"{"input":"x","parallel_tool_calls":false,"tools":[{"type":"function","name":"f","strict":true}]}"#,
            wanted:
                #"/api/chat {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"tools":[{"type":"function","function":{"name":"f"}}]} | parallel_tool_calls, strict"#,
            operation: .responses, kind: .ollama),
        Row(
            name: "a long user becomes a digest",
            body:
                #"{"messages":[],"metadata":{"user_id":"0123456789012345678901234567890123456789012345678901234567890123456789"}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[],"stream":false,"user":"\#(Digest(of: "0123456789012345678901234567890123456789012345678901234567890123456789").hex)"}"#,
            operation: .messages),
        Row(
            name: "an Ollama server that lacks the route is asked in its own words",
            body:
                #"{"max_tokens":9,"stream":true,"system":"s","thinking":{"type":"enabled","budget_tokens":1},"messages":[{"role":"user","content":[{"type":"text","text":"w"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"c","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}"#,
            wanted:
                #"/api/chat {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"w","images":["QQ=="]},{"role":"assistant","content":"","thinking":"t","tool_calls":[{"id":"c","function":{"name":"f","arguments":{"x":1}}}]},{"role":"tool","content":"1","tool_name":"f","tool_call_id":"c"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"stream":true,"options":{"num_predict":9},"think":true} | tool_choice"#,
            operation: .messages, kind: .ollama),
        Row(
            name: "a model of Ollama's that cannot think is not told to",
            body: #"{"messages":[],"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#,
            wanted: #"/api/chat {"model":"m","messages":[],"stream":false} | thinking"#, operation: .messages, kind: .ollama,
            words: WordSettings(refused: [.think])),
        Row(
            name: "but is told not to", body: #"{"messages":[],"thinking":{"type":"disabled"}}"#,
            wanted: #"/api/chat {"model":"m","messages":[],"stream":false,"think":false}"#, operation: .messages, kind: .ollama,
            words: WordSettings(refused: [.think])),
        Row(
            name: "chat completions, read and written again",
            body:
                #"{"messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"w"}]},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"1"}],"functions":[{"name":"f"}],"function_call":"auto","max_completion_tokens":3,"n":1,"logit_bias":{"5":1},"store":true}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"d"},{"role":"user","content":"w"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","name":"f","tool_call_id":"call_2"}],"stream":false,"max_tokens":3,"logit_bias":{"5":1},"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"} | store"#,
            operation: .chat),
        Row(name: "several choices", body: #"{"messages":[],"n":2}"#, wanted: "400 n", operation: .chat),
        Row(
            name: "one prompt", body: #"{"prompt":["p"],"max_tokens":4,"stop":"x","logprobs":2}"#,
            wanted: #"/v1/completions {"model":"m","prompt":"p","stream":false,"max_tokens":4,"stop":"x","logprobs":2}"#, operation: .completions),
        Row(name: "several prompts", body: #"{"prompt":["p","q"]}"#, wanted: "400 prompt", operation: .completions),
        Row(
            name: "one prompt for Ollama", body: #"{"prompt":"p","max_tokens":4}"#,
            wanted: #"/api/generate {"model":"m","prompt":"p","raw":true,"stream":false,"options":{"num_predict":4}}"#, operation: .completions,
            kind: .ollama),
    ]

    private static let rows: [Row] = ollama + agents + more

    @Test(arguments: rows)
    func saysTheSameOrWhatItCannotSay(_ row: Row) throws {
        let result: String
        do throws(TranslationError) {
            let words = EndpointWords(row.kind, configured: row.words)
            let translation = RequestTranslation(model: "m", words: words, id: "1", unixSeconds: 0)
            switch try translation.make(row.operation, try JSONValue(unchecked: row.body)) {
            case .request(let request):
                result =
                    "\(request.path) \(request.body.sorted.text)" + (request.dropped.isEmpty ? "" : " | \(request.dropped.joined(separator: ", "))")
            case .immediate(let answer): result = "immediate \(answer.sorted.text)"
            }
        } catch {
            result = "\(error.status) \(error.field)"
        }
        let wanted = try Self.sorted(row.wanted)
        #expect(result == wanted)
    }

    /// The order of members means nothing.
    private static func sorted(_ wanted: String) throws -> String {
        guard let start = wanted.firstIndex(of: "{") else { return wanted }
        let parts = wanted[start...].components(separatedBy: " | ")
        return wanted[..<start] + (try JSONValue(unchecked: parts[0]).sorted.text) + (parts.count > 1 ? " | \(parts[1])" : "")
    }

    /// Whatever a client sends, the router says something to it.
    @Test func randomBodiesNeverHarm() {
        var random = SplitMix64(seed: 7)
        for round in 0..<3000 {
            let body = JSONValue.random(depth: 5, using: &random)
            let kind = EndpointKind.allCases[round % EndpointKind.allCases.count]
            let translation = RequestTranslation(model: "m", words: EndpointWords(kind), id: "1", unixSeconds: 0)
            for operation in [Operation.ollamaChat, .ollamaGenerate, .ollamaEmbed, .ollamaEmbeddings, .messages, .responses, .chat, .completions] {
                _ = try? translation.make(operation, body)
            }
        }
    }

    /// A small request must not become a large one: eight megabytes of nothing were hundreds upstream.
    @Test func whatIsNoToolIsRefused() throws {
        let body: JSONValue = ["messages": [], "input": "x", "tools": .array(Array(repeating: 0, count: 100_000))]
        let translation = RequestTranslation(model: "m", words: EndpointWords(.openAI), id: "1", unixSeconds: 0)
        for operation in [Operation.messages, .responses, .chat] {
            let error = #expect(throws: TranslationError.self) { try translation.make(operation, body) }
            #expect(error?.field == "tools[0]" && error?.status == 400)
            let nameless: JSONValue = ["messages": [], "input": "x", "tools": [["type": operation == .messages ? "custom" : "function"]]]
            let fault = #expect(throws: TranslationError.self) { try translation.make(operation, nameless) }
            #expect(fault?.field.hasSuffix(".name") ?? false, "a few bytes must not become many")
        }
    }

    @Test func whoAsksForAThreadIsToldToGoOnWithout() throws {
        let translation = RequestTranslation(model: "m", words: EndpointWords(.openAI), id: "1", unixSeconds: 0)
        let body = try JSONValue(unchecked: #"{"messages":[],"thread":{"type":"create"}}"#)
        let error = #expect(throws: TranslationError.self) { try translation.make(.messages, body) }
        let answer = ErrorBody.body(.untranslatable(TranslationFault(try #require(error))), .anthropic)
        #expect(
            answer.hasSuffix(#""details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}}}"#) && error?.status == 400,
            "\(answer)")
    }
}

extension JSONValue {
    /// With the members of objects in the order of their names.
    var sorted: JSONValue {
        switch self {
        case .array(let list): return .array(list.map(\.sorted))
        case .object(let object):
            var result = JSONObject()
            for member in object.members.sorted(by: { $0.key < $1.key }) { result.members.append(.init(key: member.key, value: member.value.sorted)) }
            return .object(result)
        default: return self
        }
    }
}

extension JSONValue {
    /// A test's own text.
    init(unchecked text: String) throws(TranslationError) {
        do throws(JSONError) {
            self = try JSONValue(parsing: text.utf8)
        } catch {
            throw .malformed("", "the test's JSON: \(error)")
        }
    }

    private static let keys = [
        "model", "messages", "role", "content", "images", "tools", "tool_calls", "function", "name", "arguments", "id", "options", "format", "think",
        "prompt", "suffix", "raw", "input", "stream", "system", "type", "text", "choices", "delta", "index", "usage", "tool_choice", "max_tokens",
        "thinking", "source", "data", "media_type", "output", "call_id", "instructions", "finish_reason", "message", "effort", "reasoning",
    ]

    /// A tree of the words that requests and answers are made of, in no order that makes sense.
    static func random(depth: Int, using random: inout SplitMix64) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0: return nil
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(Int.random(in: -3...300, using: &random))
        case 3, 4: return .string(["user", "assistant", "tool", "", "text", "a", "function", "data:x"].randomElement(using: &random) ?? "")
        case 5: return .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in Self.random(depth: depth - 1, using: &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                object[keys.randomElement(using: &random) ?? ""] = Self.random(depth: depth - 1, using: &random)
            }
            return .object(object)
        }
    }
}
