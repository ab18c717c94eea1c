import CCurl
import ConcordCheckpoint
import ConcordCore
import ConcordRuntime

/// One request of an image and its answer, by libcurl.
final class ImageTransfer: CurlReceiver {
    enum Outcome {
        case image([UInt8])
        /// A redirect to this location.
        case redirect(String)
    }

    private let limit: Int
    private let isCancelled: CancellationFlag
    private var status = 0
    private var location: String?
    private var isCoded = false
    private var headByteCount = 0
    private var bytes: [UInt8] = []
    /// The reason why a callback made libcurl stop.
    private var failure: ConcordError?
    /// True once the body of an unsuccessful response was left unread.
    private var isStopped = false

    private static let maximumHeadBytes = 1 << 16
    init(limit: Int, isCancelled: CancellationFlag) {
        self.limit = limit
        self.isCancelled = isCancelled
    }

    /// Asks for what is at an address, of one of `places` and no other.
    ///
    /// - Throws: `.fetch`, `.cancelled`.
    func perform(
        _ address: ImageURL, places: [IPAddress], by end: ContinuousClock.Instant
    ) throws(ConcordError) -> Outcome {
        let left = Int(ContinuousClock.now.duration(to: end) / .milliseconds(1))
        guard left > 0 else { throw Self.late }
        guard let curl = try? CurlTransfer() else { throw Self.unreachable }
        var request = CurlTransfer.Request(url: address.text, userAgent: "concord-server")
        request.headers = ["Accept: image/*", "Accept-Encoding: identity"]
        // A host that is an address already is not looked up.
        if IPAddress(address.host) == nil {
            let pinned = places.map { $0.isVersion4 ? $0.text : "[\($0.text)]" }.joined(separator: ",")
            request.addresses = ["\(address.host):\(address.port):\(pinned)"]
        }
        // An empty name switches proxies off, those of the environment, too.
        request.set(CURLOPT_PROXY, "")
        request.set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        request.set(CURLOPT_TIMEOUT_MS, left)
        request.set(CURLOPT_CONNECTTIMEOUT_MS, left)
        request.isWatched = true
        let code = curl.perform(request, into: self).code

        if isCancelled.isSet { throw Self.cancelled }
        if let failure { throw failure }
        guard code != CURLE_OPERATION_TIMEDOUT else { throw Self.late }
        guard code == CURLE_OK || isStopped else { throw Self.unreachable }
        if let location, [301, 302, 303, 307, 308].contains(status) { return .redirect(location) }
        guard status == 200 else { throw Self.failed("answers with the status \(status)") }
        guard !bytes.isEmpty else { throw Self.failed("answers with nothing") }
        return .image(bytes)
    }

    // MARK: - The response, as it comes

    var isGivenUp: Bool { isCancelled.isSet }

    func receive(head line: UnsafeRawBufferPointer) -> Bool {
        failure = addHead(line)
        return failure == nil && !isStopped
    }

    func receive(body part: UnsafeRawBufferPointer) -> Bool {
        failure = addBody(part)
        return failure == nil && !isStopped
    }

    private func addHead(_ bytes: UnsafeRawBufferPointer) -> ConcordError? {
        headByteCount += bytes.count
        guard headByteCount <= Self.maximumHeadBytes else { return Self.failed("answers with too many headers") }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A status line starts over: what came before it was an interim answer.
            (location, isCoded) = (nil, false)
            status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].trimmed
            switch line[..<colon].lowercased() {
            case "location": location = value
            case "content-encoding": isCoded = !["", "identity"].contains(value.lowercased())
            case "content-length":
                if status == 200, Int(value).map({ $0 > limit }) ?? true { return tooLong }
            default: break
            }
        }
        return nil
    }

    private func addBody(_ part: UnsafeRawBufferPointer) -> ConcordError? {
        guard status == 200 else {
            // What comes with a redirect or a refusal may be endless, and nobody reads it.
            isStopped = true
            return nil
        }
        guard !isCoded else { return Self.failed("answers in a coding that nobody asked for") }
        guard part.count <= limit - bytes.count else { return tooLong }
        bytes.append(contentsOf: part)
        return nil
    }

    private var tooLong: ConcordError { Self.failed("answers with more than the \(limit) bytes allowed") }

    // MARK: - Errors

    /// The same for every reason, so that answers do not tell open ports from closed ones.
    static let unreachable = failed("cannot be reached, or does not speak HTTP as it should")
    static let late = failed("takes longer than it may")
    static let cancelled = ConcordError(.cancelled, "the fetch was given up")

    private static func failed(_ problem: String) -> ConcordError {
        ConcordError(.fetch, "the picture's URL \(problem); send the picture itself, or another URL")
    }
}
