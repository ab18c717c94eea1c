import CCurl
import ConcordCore

/// One HTTP request after another by libcurl, on the calling thread, which blocks. Only this type calls libcurl: the hub's
/// client and the server's guarded fetches of images say what they allow, and take what comes.
///
/// Only HTTP and HTTPS are spoken, and redirects are not followed: whoever asks decides about each.
package final class CurlTransfer {
    /// What to ask for, and under which rules.
    package struct Request {
        package let url: String
        /// Header lines, `Name: value`.
        package var headers: [String] = []
        /// Addresses of hosts that are not looked up, each `HOST:PORT:ADDRESS[,ADDRESS]…`.
        package var addresses: [String] = []
        /// Asks the receiver about once a second whether the transfer goes on.
        package var isWatched = false
        fileprivate var texts: [(option: CURLoption, value: String)] = []
        fileprivate var numbers: [(option: CURLoption, value: Int)] = []

        package init(url: String, userAgent: String) {
            self.url = url
            set(CURLOPT_URL, url)
            set(CURLOPT_USERAGENT, userAgent)
            set(CURLOPT_FOLLOWLOCATION, 0)
            set(CURLOPT_NOSIGNAL, 1)
        }

        package mutating func set(_ option: CURLoption, _ value: String) { texts.append((option, value)) }
        package mutating func set(_ option: CURLoption, _ value: Int) { numbers.append((option, value)) }
    }

    private let handle: UnsafeMutableRawPointer
    private static let isStarted = curl_seam_start() == 0

    /// Throws `.unavailable` if libcurl does not start.
    package static func start() throws(ConcordError) {
        guard isStarted else { throw ConcordError(.unavailable, "libcurl does not start; check its installation") }
    }

    /// Throws `.unavailable` if libcurl does not start.
    package init() throws(ConcordError) {
        try Self.start()
        guard let handle = curl_easy_init() else {
            throw ConcordError(.unavailable, "libcurl does not start; check its installation")
        }
        self.handle = handle
    }

    deinit { curl_easy_cleanup(handle) }

    /// Sends a request and hands the response to `receiver`.
    ///
    /// - Returns: libcurl's code, and its reason for a code that is not `CURLE_OK`.
    package func perform(
        _ request: Request, into receiver: any CurlReceiver
    ) -> (code: CURLcode, reason: String) {
        func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
            lines.reduce(nil) { curl_slist_append($0, $1) }
        }
        let headers = list(request.headers), addresses = list(request.addresses)
        let reason = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        reason.initialize(repeating: 0)
        // libcurl passes on one pointer to an object of a known class.
        let context = Context(receiver)
        let pointer = Unmanaged.passUnretained(context).toOpaque()
        defer {
            // What this request lent to the handle ends here; open connections stay.
            curl_easy_reset(handle)
            curl_slist_free_all(headers)
            curl_slist_free_all(addresses)
            reason.deallocate()
        }
        var code = curl_seam_allow_http_only(handle)
        func set(_ change: (UnsafeMutableRawPointer) -> CURLcode) { if code == CURLE_OK { code = change(handle) } }
        for (option, value) in request.texts { set { curl_seam_set_text($0, option, value) } }
        for (option, value) in request.numbers { set { curl_seam_set_number($0, option, value) } }
        set { curl_seam_set_headers($0, headers) }
        set { curl_seam_set_resolved($0, addresses) }
        set { curl_seam_set_error_buffer($0, reason.baseAddress) }
        set { curl_seam_set_receivers($0, Self.receiveHead, Self.receiveBody, pointer) }
        if request.isWatched {
            set { curl_seam_set_number($0, CURLOPT_NOPROGRESS, 0) }
            set { curl_seam_set_watcher($0, Self.watch, pointer) }
        }
        set { handle in withExtendedLifetime(context) { curl_easy_perform(handle) } }
        guard code != CURLE_OK else { return (code, "") }
        let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return (code, text.isEmpty ? String(cString: curl_easy_strerror(code)) : text)
    }

    // MARK: - Callbacks

    private final class Context {
        let receiver: any CurlReceiver
        init(_ receiver: any CurlReceiver) { self.receiver = receiver }
    }

    private static let receiveHead: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.receive(head: $1) }
    }

    private static let receiveBody: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.receive(body: $1) }
    }

    private static let watch: curl_seam_watcher = { context, _, _, _, _ in
        guard let context else { return 1 }
        return Unmanaged<Context>.fromOpaque(context).takeUnretainedValue().receiver.isGivenUp ? 1 : 0
    }

    /// Hands bytes to the receiver, and tells libcurl that all were taken, or none, which makes it stop.
    private static func receive(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ take: (any CurlReceiver, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let receiver = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue().receiver
        return take(receiver, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }
}

/// The receiver of a response. Returning false stops the transfer.
package protocol CurlReceiver: AnyObject {
    /// Takes a line of the head.
    func receive(head line: UnsafeRawBufferPointer) -> Bool
    /// Takes a part of the body.
    func receive(body part: UnsafeRawBufferPointer) -> Bool
    /// True once nobody waits for the response any more.
    var isGivenUp: Bool { get }
}

extension CurlReceiver {
    package var isGivenUp: Bool { false }
}
