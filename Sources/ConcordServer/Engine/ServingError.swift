import ConcordCore

/// The reason why a request gets no answer: the one error from a model's queue to the response.
///
/// Its texts are for clients: they never contain paths, addresses or texts of a library.
package struct ServingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure, from which the HTTP status follows.
    package enum Kind: Sendable, Hashable {
        /// A field or body with a value that cannot be used.
        case invalidInput
        /// No key, or an unknown one.
        case unauthenticated
        /// A key without the scope that is needed, or a host or origin that is not allowed.
        case forbidden
        case notFound
        case methodNotAllowed(allowed: String)
        case unsupportedMediaType
        case unknownModel
        /// Something that this model cannot do.
        case unsupported
        /// An image, text, batch or body above a limit.
        case tooLarge
        /// A model that was not replaced, because the new one is not good.
        case conflict
        /// The client has used up its own quota.
        case quotaExceeded
        /// The server has more work than it can do in time.
        case overloaded
        /// The request's own deadline passed before its work was done.
        case deadlineExceeded
        /// The model is being loaded.
        case loading
        /// The client has left.
        case cancelled
        /// A fault of the server.
        case failed
    }

    package var kind: Kind
    /// The text for clients; that of `.failed` goes to the log only.
    package var message: String
    /// The field at fault, as a path such as `input[3]`.
    package var parameter: String?
    /// A word for programs, such as `too_large`.
    package var code: String
    /// The time after which the same request may succeed; always set for `.quotaExceeded`, `.overloaded`,
    /// `.deadlineExceeded` and `.loading`.
    package var retryAfter: Duration?

    /// - Parameter code: `nil` for the usual one of the kind.
    package init(
        _ kind: Kind, _ message: String, parameter: String? = nil, code: String? = nil, retryAfter: Duration? = nil
    ) {
        self.kind = kind
        self.message = message
        self.parameter = parameter ?? kind.usualParameter
        self.code = code ?? kind.usualCode
        self.retryAfter = retryAfter ?? (kind.isTemporary ? .seconds(1) : nil)
    }

    package var description: String { "\(code): \(message)" }

    /// The outcome that metrics count it as.
    package var outcome: String {
        switch kind {
        case .quotaExceeded, .overloaded, .loading: "refused"
        case .deadlineExceeded: "late"
        case .cancelled: "cancelled"
        case .failed: "failed"
        default: "invalid"
        }
    }
}

extension ServingError.Kind {
    fileprivate var usualCode: String {
        switch self {
        case .invalidInput: "invalid_value"
        case .unauthenticated: "invalid_api_key"
        case .forbidden: "insufficient_scope"
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .unsupportedMediaType: "unsupported_media_type"
        case .unknownModel: "model_not_found"
        case .unsupported: "unsupported"
        case .tooLarge: "too_large"
        case .conflict: "reload_failed"
        case .quotaExceeded: "rate_limit_exceeded"
        case .overloaded: "overloaded"
        case .deadlineExceeded: "deadline_exceeded"
        case .loading: "model_loading"
        case .cancelled: "cancelled"
        case .failed: "internal_error"
        }
    }

    fileprivate var usualParameter: String? {
        switch self {
        case .unknownModel, .unsupported: "model"
        default: nil
        }
    }

    fileprivate var isTemporary: Bool {
        switch self {
        case .quotaExceeded, .overloaded, .deadlineExceeded, .loading: true
        default: false
        }
    }
}

// MARK: - The usual ones

extension ServingError {
    static func invalid(_ parameter: String?, _ message: String, code: String = "invalid_value") -> ServingError {
        ServingError(.invalidInput, message, parameter: parameter, code: code)
    }

    static func missing(_ parameter: String) -> ServingError { ServingError(.missing, at: FieldPlace(parameter)) }

    static func tooLarge(_ message: String, parameter: String? = nil) -> ServingError {
        ServingError(.tooLarge, message, parameter: parameter)
    }

    static func overloaded(_ message: String, retryAfter: Duration) -> ServingError {
        ServingError(.overloaded, message, retryAfter: retryAfter)
    }

    static func failed(_ message: String) -> ServingError { ServingError(.failed, message) }

    static let noSuchModel = ServingError(.unknownModel, "There is no such model.")

    /// - Parameter seconds: how long it takes to load the model; `nil` if unknown.
    static func loading(after seconds: Double?) -> ServingError {
        ServingError(
            .loading, "The model is being loaded.", retryAfter: .seconds(min(max(seconds ?? 5, 1), 120)))
    }

    static let pastDeadline = ServingError(.deadlineExceeded, "The deadline of the request has passed.")

    static let cancelled = ServingError(.cancelled, "The client closed the request.")
}

extension String {
    /// The beginning of a text from a client that is quoted to it.
    func shortened(to count: Int = 64) -> String { self.count > count ? prefix(count) + "…" : self }
}

extension ServingError: FieldError {
    /// What the client is told of a field. Its value, which may be long or secret, is not repeated.
    package init(_ problem: FieldProblem, at place: FieldPlace) {
        let name = place.name
        func invalid(_ message: String, code: String = "invalid_value") -> ServingError {
            .invalid(name.isEmpty ? nil : name, message, code: code)
        }
        self =
            switch problem {
            case .missing: invalid("The field \"\(name)\" is required.", code: "missing")
            case .repeated: invalid("The field \"\(name)\" occurs twice.")
            case .unknown(let known):
                invalid(
                    "The field \"\(name.shortened())\" is unknown."
                        + (NearestName.suggestion(for: place.member, among: known).map { " Did you mean \"\($0)\"?" }
                            ?? ""),
                    code: "unknown_parameter")
            case .wrong(let expected, _): invalid("\(name.isEmpty ? "The body" : name) must be \(expected).")
            case .unknownChoice(_, let known):
                invalid(
                    "\(name) must be \(known.count == 1 ? "" : "one of ")"
                        + known.map { "\"\($0)\"" }.joined(separator: ", ") + ".")
            }
    }
}
