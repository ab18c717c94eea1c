import ConcordCore

/// A hub's answer that is not what was asked for, in words that say what to do.
struct HubRefusal {
    let response: HTTPResponse
    let repository: HubRepository
    /// Nil for the repository itself.
    let file: String?
    let hasToken: Bool
    let endpoint: HubAddress

    var error: ConcordError {
        let subject = file.map { "\($0) of \(repository)" } ?? "\(repository)"
        let said = reason.map { " (\($0))" } ?? ""
        return ConcordError(
            .hub, "\(response.address.publicText) refuses \(subject) with status \(response.status)\(said): \(advice)")
    }

    private var advice: String {
        let page = "\(endpoint.publicText)/\(repository.identifier)"
        switch response.status {
        // Hugging Face answers 401 also for what does not exist, so as not to tell.
        case 401 where !hasToken:
            return "there is no such model, or it is private or gated; check the name, or set HF_TOKEN to a token that "
                + "may read it"
        case 401: return "there is no such model, or the token may not see it; check the name and HF_TOKEN"
        case 403:
            return "the model is gated or the token lacks the right to read it; ask for access at \(page)"
                + (hasToken ? "" : ", and set HF_TOKEN")
        case 404:
            switch response["x-error-code"] {
            case "RevisionNotFound": return "there is no revision `\(repository.revision)`; see \(page)"
            case "EntryNotFound": return "there is no such file; see \(page)"
            default: return "there is no such model or revision; check the name at \(page)"
            }
        case 429:
            let wait = response["retry-after"].flatMap { Int($0) }.map { "in \($0) s" } ?? "later"
            return "too many requests; try again \(wait)" + (hasToken ? "" : ", or set HF_TOKEN for a higher limit")
        case 500...: return "the hub has trouble; try again later"
        default: return "check that HF_ENDPOINT names a model hub"
        }
    }

    /// What the hub says itself, in a header or in the body.
    private var reason: String? {
        let body = try? JSONValue(parsing: response.refusal, source: "refusal")
        let text = response["x-error-message"] ?? body?["error"]?.string
        return text.flatMap { $0.isEmpty ? nil : $0.printable }
    }
}
