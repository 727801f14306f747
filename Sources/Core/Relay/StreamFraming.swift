// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How a streamed answer is divided.
enum StreamFraming: Sendable, Equatable {
    /// `application/x-ndjson`: Ollama's own routes.
    case newlineJSON
    /// `text/event-stream`: the `/v1` routes.
    case serverSentEvents
}
