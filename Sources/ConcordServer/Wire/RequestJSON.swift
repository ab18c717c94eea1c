import ConcordCore

/// Reads the JSON of a request.
enum RequestJSON {
    /// Deep enough for every request, and for nothing that would exhaust a stack.
    static let limits = JSONLimits(depth: 32, values: 1_000_000)

    static func parse(_ bytes: some Collection<UInt8>) throws(RequestFailure) -> JSONValue {
        guard !bytes.isEmpty else {
            throw .invalid(nil, "The body is empty; a JSON object is expected.", code: "missing")
        }
        do throws(ConcordError) {
            return try JSONValue(parsing: bytes, source: "The body", limits: limits)
        } catch { throw .invalid(nil, error.message + ".", code: "invalid_json") }
    }
}
