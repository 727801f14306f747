// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOHTTP1

/// The one place where a `RouterError` becomes text, in the dialect of the route.
enum ErrorBody {
    static func contentType(_ dialect: Dialect) -> String {
        switch dialect {
        case .ollama, .openAI, .anthropic: "application/json; charset=utf-8"
        case .plain: "text/plain; charset=utf-8"
        }
    }

    static func body(_ error: RouterError, _ dialect: Dialect) -> String {
        switch dialect {
        case .ollama: "{\"error\":\(JSONText.quoted(error.message))}"
        case .openAI: openAI(error)
        case .anthropic: anthropic(error)
        case .plain: error.message + "\n"
        }
    }

    /// What is added to a stream that cannot go on: the client has a 200 and part of an answer already.
    /// `midLine`: the endpoint's last line is not ended, so that one has to be ended first.
    static func streamEnd(_ error: RouterError, framing: StreamFraming, dialect: Dialect, midLine: Bool) -> String {
        switch framing {
        case .serverSentEvents where dialect == .anthropic: (midLine ? "\n\n" : "") + "event: error\ndata: \(anthropic(error))\n\n"
        case .newlineJSON: (midLine ? "\n" : "") + "{\"error\":\(JSONText.quoted(error.message))}\n"
        case .serverSentEvents: (midLine ? "\n\n" : "") + "data: \(openAI(error))\n\n"
        }
    }

    /// https://docs.anthropic.com/en/api/errors
    private static func anthropic(_ error: RouterError) -> String {
        let type =
            switch error.status.code {
            case 401: "authentication_error"
            case 403: "permission_error"
            case 404: "not_found_error"
            case 413: "request_too_large"
            case 429: "rate_limit_error"
            case 503, 529: "overloaded_error"
            case 400..<500, 501: "invalid_request_error"
            default: "api_error"
            }
        let details = error.details.map { ",\"details\":\($0)" } ?? ""
        return "{\"type\":\"error\",\"error\":{\"type\":\"\(type)\",\"message\":\(JSONText.quoted(error.message))\(details)}}"
    }

    private static func openAI(_ error: RouterError) -> String {
        let parameter = error.parameter.map { JSONText.quoted($0) } ?? "null"
        return
            "{\"error\":{\"message\":\(JSONText.quoted(error.message)),\"type\":\"\(error.openAIType)\",\"param\":\(parameter),\"code\":\"\(error.label)\"}}"
    }
}

extension RouterError {
    fileprivate var openAIType: String {
        switch status.code {
        case 401, 403: "authentication_error"
        case 404: "not_found_error"
        case 400..<500: "invalid_request_error"
        case 501: "not_supported_error"
        case 503: "service_unavailable_error"
        default: "api_error"
        }
    }

    fileprivate var details: String? {
        if case .untranslatable(let fault) = self { return fault.details }
        return nil
    }

    fileprivate var parameter: String? {
        switch self {
        case .missingModel, .refused(.unknownModel, _, _): "model"
        case .untranslatable(let fault): fault.field
        default: nil
        }
    }
}
