import CCurl
import ConcordCore
import ConcordPlatform
import ConcordRuntime

/// One request of an image and its answer, by libcurl.
final class ImageTransfer {
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
    private static let isStarted = curl_seam_start() == 0

    /// Throws `.unavailable` where libcurl does not start.
    static func start() throws(ConcordError) {
        guard isStarted else { throw ConcordError(.unavailable, "libcurl does not start; check its installation") }
    }

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
        guard let handle = curl_easy_init() else { throw Self.unreachable }
        defer { curl_easy_cleanup(handle) }
        var headers = curl_slist_append(nil, "Accept: image/*")
        headers = curl_slist_append(headers, "Accept-Encoding: identity")
        defer { curl_slist_free_all(headers) }
        let pinned = places.map { $0.isVersion4 ? $0.text : "[\($0.text)]" }.joined(separator: ",")
        // A host that is an address already is not looked up.
        let pins =
            IPAddress(address.host) == nil
            ? curl_slist_append(nil, "\(address.host):\(address.port):\(pinned)") : nil
        defer { curl_slist_free_all(pins) }

        var problem = curl_seam_allow_http_only(handle)
        func set(_ option: CURLoption, _ text: String) {
            if problem == CURLE_OK { problem = curl_seam_set_text(handle, option, text) }
        }
        func set(_ option: CURLoption, _ number: Int) {
            if problem == CURLE_OK { problem = curl_seam_set_number(handle, option, number) }
        }
        set(CURLOPT_URL, address.text)
        set(CURLOPT_USERAGENT, "concord-server")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_NOSIGNAL, 1)
        // An empty name switches proxies off, those of the environment, too.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_TIMEOUT_MS, left)
        set(CURLOPT_CONNECTTIMEOUT_MS, left)
        set(CURLOPT_NOPROGRESS, 0)
        if problem == CURLE_OK { problem = curl_seam_set_headers(handle, headers) }
        if problem == CURLE_OK { problem = curl_seam_set_resolved(handle, pins) }
        let context = Unmanaged.passUnretained(self).toOpaque()
        if problem == CURLE_OK {
            problem = curl_seam_set_receivers(handle, Self.receiveHead, Self.receiveBody, context)
        }
        if problem == CURLE_OK { problem = curl_seam_set_watcher(handle, Self.watch, context) }
        if problem == CURLE_OK { problem = withExtendedLifetime(self) { curl_easy_perform(handle) } }

        if isCancelled.isSet { throw Self.cancelled }
        if let failure { throw failure }
        guard problem != CURLE_OPERATION_TIMEDOUT else { throw Self.late }
        guard problem == CURLE_OK || isStopped else { throw Self.unreachable }
        if let location, [301, 302, 303, 307, 308].contains(status) { return .redirect(location) }
        guard status == 200 else { throw Self.failed("answers with the status \(status)") }
        guard !bytes.isEmpty else { throw Self.failed("answers with nothing") }
        return .image(bytes)
    }

    // MARK: - Callbacks

    private static let receiveHead: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.addHead($1) }
    }

    private static let receiveBody: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.addBody($1) }
    }

    /// Called about once a second, and whenever something comes.
    private static let watch: curl_seam_watcher = { context, _, _, _, _ in
        guard let context else { return 1 }
        return Unmanaged<ImageTransfer>.fromOpaque(context).takeUnretainedValue().isCancelled.isSet ? 1 : 0
    }

    /// Hands the bytes to the transfer; tells libcurl that they were taken, or none of them to make it stop.
    private static func receive(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ take: (ImageTransfer, UnsafeRawBufferPointer) -> ConcordError?
    ) -> Int {
        guard let context else { return 0 }
        let transfer = Unmanaged<ImageTransfer>.fromOpaque(context).takeUnretainedValue()
        transfer.failure = take(transfer, UnsafeRawBufferPointer(start: bytes, count: count))
        return transfer.failure == nil && !transfer.isStopped ? count : 0
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
