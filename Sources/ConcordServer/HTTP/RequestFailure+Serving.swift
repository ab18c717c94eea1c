import ConcordCore
import ConcordRuntime
import HTTPTypes

extension RequestFailure {
    /// 400 for the client's mistakes, 429 for its quota, 503 for the server's own limits.
    init(_ error: ServingError) {
        switch error.kind {
        case .invalidInput(let parameter): self = .invalid(parameter, error.message)
        case .unknownModel:
            self = RequestFailure(
                status: .notFound, message: error.message, parameter: "model", code: "model_not_found")
        case .unsupported: self = .invalid("model", error.message, code: "unsupported")
        case .tooLarge: self = .tooLarge(error.message)
        case .quotaExceeded:
            self = RequestFailure(
                status: .tooManyRequests, message: error.message, type: "rate_limit_error",
                code: "rate_limit_exceeded", retryAfter: error.retryAfter ?? .seconds(1))
        case .overloaded, .loading, .deadlineExceeded:
            self = .overloaded(error.message, retryAfter: error.retryAfter ?? .seconds(1))
            if error.kind == .loading { code = "model_loading" }
            if error.kind == .deadlineExceeded { code = "deadline_exceeded" }
        case .cancelled: self = .cancelled
        case .failed: self = .failed
        }
    }

    /// What a client may know of a picture that could not be fetched: the fetcher's texts are made for it.
    init(fetching error: ConcordError, parameter: String) {
        switch error.code {
        case .refusedAddress: self = .invalid(parameter, error.message + ".", code: "invalid_image_url")
        case .fetch: self = .invalid(parameter, error.message + ".", code: "image_fetch_failed")
        case .cancelled: self = .cancelled
        case .unavailable: self = .overloaded(error.message + ".", retryAfter: .seconds(1))
        default: self = .failed
        }
    }
}
