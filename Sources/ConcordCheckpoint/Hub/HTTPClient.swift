import CCurl
import ConcordCore

/// Sends HTTP requests with libcurl, one after the other, on the calling thread.
///
/// Redirects are followed here and not by libcurl, because the token must stay with its host.
final class HTTPClient {
    enum Method { case get, head }

    private let handle: UnsafeMutableRawPointer
    private let settings: HubSettings
    private let userAgent: String

    private static let isStarted = curl_seam_start() == 0
    private static let maximumRedirects = 5

    /// Throws `.unavailable`, or `.invalidConfiguration` for a token that would not fit into a header.
    init(settings: HubSettings, userAgent: String) throws(ConcordError) {
        guard (settings.token ?? "").utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
            throw ConcordError(.invalidConfiguration, "the token has spaces or other characters that no token has")
        }
        guard Self.isStarted, let handle = curl_easy_init() else {
            throw ConcordError(.unavailable, "libcurl does not start; check its installation")
        }
        self.handle = handle
        self.settings = settings
        self.userAgent = userAgent
    }

    deinit { curl_easy_cleanup(handle) }

    /// Sends one request to the hub and follows its redirects, five at most; the token does not follow to another host.
    ///
    /// - Parameters:
    ///   - headers: further header lines, `Name: value`.
    ///   - staysOnHost: whether a redirect to another host is the answer, rather than followed.
    ///   - body: what takes the body of a good answer.
    /// - Returns: the last answer, good or not.
    /// - Throws: `.hub` when there is no answer, `.interruptedDownload` when it breaks off, `.invalidDownload` for a
    ///   redirect that is not followed, or what `body` throws.
    func send(
        _ method: Method, _ address: HubAddress, headers: [String] = [], staysOnHost: Bool = false,
        into body: any HTTPBody
    ) throws(ConcordError) -> HTTPResponse {
        var address = address, token = settings.token
        for _ in 0...Self.maximumRedirects {
            let authorization = token.map { ["Authorization: Bearer \($0)"] } ?? []
            let response = try perform(method, address, headers: headers + authorization, into: body)
            guard response.isRedirect, let location = response["location"] else { return response }
            let next = try address.redirected(to: location)
            if next.origin != address.origin {
                if staysOnHost { return response }
                // For good: a host that is led back to could have chosen the address.
                token = nil
            }
            address = next
        }
        throw ConcordError(
            .invalidDownload,
            "\(address.publicText) redirects on and on; more than \(Self.maximumRedirects) redirects are not followed")
    }

    /// One request and its answer.
    private func perform(
        _ method: Method, _ address: HubAddress, headers: [String], into body: any HTTPBody
    ) throws(ConcordError) -> HTTPResponse {
        let transfer = HTTPTransfer(address: address, body: body)
        var lines: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(lines) }
        for line in headers + ["Accept-Encoding: identity"] { lines = curl_slist_append(lines, line) }
        let failure = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        failure.initialize(repeating: 0)
        defer { failure.deallocate() }

        // Forgets all options and keeps the open connections.
        curl_easy_reset(handle)
        var problem = curl_seam_allow_http_only(handle)
        func set(_ option: CURLoption, _ text: String) {
            if problem == CURLE_OK { problem = curl_seam_set_text(handle, option, text) }
        }
        func set(_ option: CURLoption, _ number: Int) {
            if problem == CURLE_OK { problem = curl_seam_set_number(handle, option, number) }
        }
        set(CURLOPT_URL, address.text)
        set(CURLOPT_USERAGENT, userAgent)
        set(CURLOPT_NOBODY, method == .head ? 1 : 0)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        set(CURLOPT_CONNECTTIMEOUT, settings.patience.connecting)
        set(CURLOPT_LOW_SPEED_LIMIT, settings.patience.bytesPerSecond)
        set(CURLOPT_LOW_SPEED_TIME, settings.patience.seconds)
        if let file = settings.certificateFile { set(CURLOPT_CAINFO, file) }
        // A proxy is for other machines.
        if address.isLoopback { set(CURLOPT_PROXY, "") }
        if problem == CURLE_OK { problem = curl_seam_set_headers(handle, lines) }
        if problem == CURLE_OK { problem = curl_seam_set_error_buffer(handle, failure.baseAddress) }
        if problem == CURLE_OK {
            problem = curl_seam_set_receivers(
                handle, HTTPTransfer.receiveHead, HTTPTransfer.receiveBody,
                Unmanaged.passUnretained(transfer).toOpaque())
        }
        if problem == CURLE_OK { problem = withExtendedLifetime(transfer) { curl_easy_perform(handle) } }
        // The buffers of this request end here; the handle must not keep their addresses.
        curl_easy_reset(handle)

        if let error = transfer.failure { throw error }
        guard problem == CURLE_OK || transfer.isRefusalFull else {
            throw Self.error(
                problem, String(decoding: failure.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self),
                address)
        }
        return transfer.response
    }

    private static func error(_ problem: CURLcode, _ text: String, _ address: HubAddress) -> ConcordError {
        let reason = text.isEmpty ? String(cString: curl_easy_strerror(problem)) : text
        switch problem {
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return ConcordError(
                .interruptedDownload,
                "the connection to \(address.publicText) broke: \(reason.printable); run again to go on from there")
        case CURLE_OPERATION_TIMEDOUT:
            return ConcordError(
                .hub, "\(address.publicText) is too slow: \(reason.printable); run again to go on from there")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CONNECT_ERROR:
            return ConcordError(
                .hub,
                "no encrypted connection to \(address.publicText): \(reason.printable); behind a proxy that opens "
                    + "connections, name its certificates in SSL_CERT_FILE")
        default:
            return ConcordError(
                .hub,
                "cannot reach \(address.publicText): \(reason.printable); check the connection, or set "
                    + "HF_HUB_OFFLINE=1 to use what is in the cache")
        }
    }
}

/// What libcurl's callbacks of one request write to.
private final class HTTPTransfer {
    var response: HTTPResponse
    /// What a callback could not throw.
    var failure: ConcordError?
    /// Whether the text of a refusal was cut off.
    var isRefusalFull = false
    private let body: any HTTPBody
    private var headByteCount = 0

    private static let maximumHeadBytes = 1 << 18
    private static let maximumRefusalBytes = 1 << 16

    init(address: HubAddress, body: any HTTPBody) {
        response = HTTPResponse(address: address)
        self.body = body
    }

    static let receiveHead: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.addHead($1) }
    }

    static let receiveBody: curl_seam_receiver = { bytes, size, count, context in
        receive(bytes, size * count, context) { $0.addBody($1) }
    }

    /// Hands the bytes to the transfer; tells libcurl that they were taken, or none of them to make it stop.
    private static func receive(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ take: (HTTPTransfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let transfer = Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
        return take(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }

    private func addHead(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headByteCount += bytes.count
        guard headByteCount <= Self.maximumHeadBytes else {
            failure = ConcordError(
                .invalidDownload, "\(response.address.publicText) answers with more headers than are allowed")
            return false
        }
        response.add(line: String(decoding: bytes, as: UTF8.self))
        return true
    }

    private func addBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !response.isSuccess else {
            do throws(ConcordError) {
                try body.receive(bytes, of: response)
                return true
            } catch {
                failure = error
                return false
            }
        }
        let room = Self.maximumRefusalBytes - response.refusal.count
        response.refusal.append(contentsOf: bytes.prefix(room))
        isRefusalFull = bytes.count > room
        return !isRefusalFull
    }
}
