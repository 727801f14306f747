// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOHTTP1

/// Every way in which the router itself fails a request. An endpoint's own error is passed on as it came and is none of these.
public enum RouterError: Error, Sendable, Equatable {
    // The client's doing.
    case malformedRequest(String)
    case headersTooLarge(limit: Int)
    case bodyTooLarge(limit: Int)
    case headersTooSlow
    case bodyTooSlow
    case encodedBody(String)
    case missingBody
    case invalidJSON(String)
    case missingModel
    case missingKey
    case wrongKey
    case noSuchRoute(String)
    case methodNotAllowed(method: String, path: String, allow: String)
    /// The request names no model, and more than one endpoint could be meant.
    case ambiguousEndpoint(path: String, endpoints: [String])
    /// `?endpoint=` names none.
    case noSuchEndpoint(String, known: [String])
    /// The endpoint that `?endpoint=` names does not have the model, or is not up.
    case notThere(endpoint: String, model: String)
    /// `model_management: off`.
    case managementIsOff
    /// A field that cannot be said to the endpoint that has the model, or is malformed.
    case untranslatable(TranslationFault)

    // What the scheduler said; it knows best.
    case refused(Refusal, model: String, path: String)

    // An endpoint's doing, before the first byte of its answer.
    case unreachable(endpoint: String, reason: String)
    case connectionLost(endpoint: String, reason: String)
    case firstByteTimeout(endpoint: String, seconds: Double)
    /// Within its answer.
    case answerCut(endpoint: String, reason: String)
    case silence(endpoint: String, seconds: Double)
    case tookTooLong(seconds: Double)

    /// An endpoint's own refusal, translated: its status and its words.
    case endpointRefused(status: Int, message: String)

    // Ours.
    case tooManyConnections(limit: Int)
    /// By an operator, on the control socket.
    case cancelled
    case stopping
    case noVersionKnown
    case internalFault(String)

    /// Constant and free of values: for counters, logs and labels.
    public var label: String {
        switch self {
        case .malformedRequest: "malformed_request"
        case .headersTooLarge: "headers_too_large"
        case .bodyTooLarge: "body_too_large"
        case .headersTooSlow: "headers_too_slow"
        case .bodyTooSlow: "body_too_slow"
        case .encodedBody: "encoded_body"
        case .missingBody: "missing_body"
        case .invalidJSON: "invalid_json"
        case .missingModel: "missing_model"
        case .missingKey: "missing_key"
        case .wrongKey: "wrong_key"
        case .noSuchRoute: "no_such_route"
        case .methodNotAllowed: "method_not_allowed"
        case .ambiguousEndpoint: "ambiguous_endpoint"
        case .noSuchEndpoint: "no_such_endpoint"
        case .notThere: "not_there"
        case .managementIsOff: "management_is_off"
        case .untranslatable(let fault): fault.isUnsupported ? "unsupported_field" : "invalid_field"
        case .endpointRefused: "endpoint_refused"
        case .refused(let refusal, _, _): refusal.label
        case .unreachable: "unreachable"
        case .connectionLost: "connection_lost"
        case .firstByteTimeout: "first_byte_timeout"
        case .answerCut: "answer_cut"
        case .silence: "silence"
        case .tookTooLong: "took_too_long"
        case .tooManyConnections: "too_many_connections"
        case .cancelled: "cancelled"
        case .stopping: "stopping"
        case .noVersionKnown: "no_version_known"
        case .internalFault: "internal_fault"
        }
    }

    public var status: HTTPResponseStatus {
        switch self {
        case .malformedRequest, .missingBody, .invalidJSON, .missingModel: .badRequest
        case .headersTooLarge: .requestHeaderFieldsTooLarge
        case .bodyTooLarge: .payloadTooLarge
        case .headersTooSlow, .bodyTooSlow: .requestTimeout
        case .encodedBody: .unsupportedMediaType
        case .missingKey: .unauthorized
        case .wrongKey: .forbidden
        case .noSuchRoute: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .ambiguousEndpoint: .badRequest
        case .noSuchEndpoint, .notThere: .notFound
        case .managementIsOff: .forbidden
        case .untranslatable(let fault): HTTPResponseStatus(statusCode: fault.status)
        case .endpointRefused(let status, _): HTTPResponseStatus(statusCode: status)
        case .refused(let refusal, _, _): refusal.status
        case .unreachable: .serviceUnavailable
        case .connectionLost, .answerCut: .badGateway
        case .firstByteTimeout, .silence, .tookTooLong: .gatewayTimeout
        case .tooManyConnections, .cancelled, .stopping, .noVersionKnown: .serviceUnavailable
        case .internalFault: .internalServerError
        }
    }

    /// Seconds after which trying again makes sense; nil where it does not.
    public var retryAfter: Int? {
        switch self {
        case .unreachable, .tooManyConnections, .stopping, .noVersionKnown: 5
        case .refused(let refusal, _, _): refusal.retryAfter
        default: nil
        }
    }

    /// For the person behind the client: what is wrong, and what would be right.
    public var message: String {
        switch self {
        case .malformedRequest(let detail): "not an HTTP/1.1 request: \(detail)"
        case .headersTooLarge(let limit): "the request's headers are larger than \(limit) bytes (max_header_bytes)"
        case .bodyTooLarge(let limit): "the request's body is larger than \(limit) bytes (max_body_bytes)"
        case .headersTooSlow: "the request's headers did not arrive in time (header_timeout)"
        case .bodyTooSlow: "the request's body did not arrive in time (body_timeout)"
        case .encodedBody(let encoding): "the router cannot read a body with Content-Encoding '\(encoding)': send it without compression"
        case .missingBody: "missing request body"
        case .invalidJSON(let detail): "invalid JSON in the request's body: \(detail)"
        case .missingModel: "model is required"
        case .missingKey: "this router wants a key: send it as 'Authorization: Bearer KEY'"
        case .wrongKey: "the key is not valid here"
        case .noSuchRoute(let path): "no such route: \(path)"
        case .methodNotAllowed(let method, let path, let allow): "\(method) is not allowed for \(path), only \(allow)"
        case .ambiguousEndpoint(let path, let endpoints):
            endpoints.isEmpty
                ? "no endpoint that is up speaks \(path)"
                : "the request names no model, and several endpoints could be meant: \(endpoints.joined(separator: ", ")); add ?endpoint=NAME"
        case .noSuchEndpoint(let name, let known): "no endpoint '\(name)'; there is: \(known.joined(separator: ", "))"
        case .notThere(let endpoint, let model): "model '\(model)' not found on endpoint \(endpoint), or the endpoint is not up"
        case .managementIsOff: "models are not managed through this router (model_management: off)"
        case .untranslatable(let fault): fault.message
        case .endpointRefused(_, let message): message
        case .refused(let refusal, let model, let path): refusal.message(model: model, path: path)
        case .unreachable(let endpoint, let reason): "endpoint \(endpoint) cannot be reached: \(reason)"
        case .connectionLost(let endpoint, let reason): "endpoint \(endpoint) failed before it answered: \(reason)"
        case .firstByteTimeout(let endpoint, let seconds): "endpoint \(endpoint) did not answer within \(text(seconds)) s (first_byte_timeout)"
        case .answerCut(let endpoint, let reason):
            "\(endpoint.isEmpty ? "the endpoint" : "endpoint \(endpoint)") failed in the middle of its answer: \(reason)"
        case .silence(let endpoint, let seconds): "endpoint \(endpoint) fell silent for \(text(seconds)) s in the middle of its answer (idle_timeout)"
        case .tookTooLong(let seconds): "the request took longer than \(text(seconds)) s (request_timeout)"
        case .tooManyConnections(let limit): "the router has \(limit) connections, its limit (max_connections)"
        case .cancelled: "the request was cancelled by an operator"
        case .stopping: "the router is stopping"
        case .noVersionKnown: "no Ollama endpoint has told its version yet"
        case .internalFault(let what): "the router failed: \(what)"
        }
    }

    private func text(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
    }
}

/// `TranslationError` for the outside.
public struct TranslationFault: Sendable, Equatable {
    public var status: Int
    public var field: String
    public var message: String
    /// What a client of the dialect wants to know besides: members of the error, as JSON.
    public var details: String?
    public var isUnsupported: Bool

    init(_ error: TranslationError) {
        status = error.status
        isUnsupported = error.cause == .unsupported
        details = error.details?.text
        field = error.field
        message = error.message
    }
}

extension Refusal {
    var label: String {
        switch self {
        case .unknownModel: "unknown_model"
        case .unsupportedRoute: "unsupported_route"
        case .noEndpointUp: "no_endpoint_up"
        case .lineFull: "line_full"
        case .waitedTooLong: "waited_too_long"
        case .allFailed: "all_failed"
        case .allBusy: "all_busy"
        }
    }

    var status: HTTPResponseStatus {
        switch self {
        // Agents retry what has a status of 500 or more, and do without a route that is not there.
        case .unknownModel, .unsupportedRoute: .notFound
        case .noEndpointUp, .lineFull, .waitedTooLong, .allBusy: .serviceUnavailable
        case .allFailed: .badGateway
        }
    }

    var retryAfter: Int? {
        switch self {
        case .noEndpointUp: 5
        case .lineFull, .waitedTooLong: 10
        case .allBusy(let seconds): RetryAfter.whole(seconds)
        case .unknownModel, .unsupportedRoute, .allFailed: nil
        }
    }

    func message(model: String, path: String) -> String {
        switch self {
        case .unknownModel(let known, let unreachable):
            // The first words are Ollama's own: clients look for them.
            "model '\(model)' not found" + Self.listed(known, as: "; there is: ", none: "; no endpoint has any model")
                + Self.listed(unreachable, as: "; not asked, because not up: ", none: "")
        case .unsupportedRoute(let endpoints):
            "model '\(model)' is on \(endpoints.joined(separator: ", ")), which does not speak \(path)"
        case .noEndpointUp(let candidates):
            candidates.isEmpty
                ? "no endpoint is configured"
                : "no endpoint for model '\(model)' is up: " + candidates.map { "\($0.endpoint): \($0.why)" }.joined(separator: "; ")
        case .lineFull(let limit):
            "server busy, please try again. \(limit) requests wait already (queue_limit)"
        case .waitedTooLong(let seconds):
            "server busy, please try again. No slot became free for model '\(model)' within \(Int(seconds.rounded())) s (queue_timeout)"
        case .allFailed:
            "every endpoint that has model '\(model)' has failed this request"
        case .allBusy(let seconds):
            "server busy, please try again. Every endpoint that has model '\(model)' is busy for the next \(RetryAfter.whole(seconds)) s"
        }
    }

    private static let namesShown = 10

    private static func listed(_ names: [String], as intro: String, none: String) -> String {
        if names.isEmpty { return none }
        let more = names.count - namesShown
        return intro + names.prefix(namesShown).joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
