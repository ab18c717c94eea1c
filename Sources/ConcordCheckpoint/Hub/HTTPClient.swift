import CCurl
import ConcordCore

/// Sends HTTP requests with libcurl, one after the other, on the calling thread.
///
/// Redirects are followed here and not by libcurl, because the token must stay with its host.
final class HTTPClient {
    enum Method { case get, head }

    private let curl: CurlTransfer
    private let settings: HubSettings
    private let userAgent: String

    private static let maximumRedirects = 5

    /// Throws `.unavailable`, or `.invalidConfiguration` for a token that would not fit into a header.
    init(settings: HubSettings, userAgent: String) throws(ConcordError) {
        guard (settings.token ?? "").utf8.allSatisfy({ (0x21..<0x7F).contains($0) }) else {
            throw ConcordError(.invalidConfiguration, "the token has spaces or other characters that no token has")
        }
        curl = try CurlTransfer()
        self.settings = settings
        self.userAgent = userAgent
    }

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
        _ method: Method, _ url: HubURL, headers: [String] = [], staysOnHost: Bool = false,
        into body: any HTTPBody
    ) throws(ConcordError) -> HTTPResponse {
        var url = url, token = settings.token
        for _ in 0...Self.maximumRedirects {
            let authorization = token.map { ["Authorization: Bearer \($0)"] } ?? []
            let response = try perform(method, url, headers: headers + authorization, into: body)
            guard response.isRedirect, let location = response["location"] else { return response }
            let next = try url.redirected(to: location)
            if next.origin != url.origin {
                if staysOnHost { return response }
                // For good: a host that is led back to could have chosen the address.
                token = nil
            }
            url = next
        }
        throw ConcordError(
            .invalidDownload,
            "\(url.publicText) redirects on and on; more than \(Self.maximumRedirects) redirects are not followed")
    }

    /// One request and its answer.
    private func perform(
        _ method: Method, _ url: HubURL, headers: [String], into body: any HTTPBody
    ) throws(ConcordError) -> HTTPResponse {
        let transfer = HTTPTransfer(url: url, body: body)
        var request = CurlTransfer.Request(url: url.text, userAgent: userAgent)
        request.headers = headers + ["Accept-Encoding: identity"]
        request.set(CURLOPT_NOBODY, method == .head ? 1 : 0)
        request.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        request.set(CURLOPT_CONNECTTIMEOUT, settings.patience.connecting)
        request.set(CURLOPT_LOW_SPEED_LIMIT, settings.patience.bytesPerSecond)
        request.set(CURLOPT_LOW_SPEED_TIME, settings.patience.seconds)
        if let file = settings.certificateFile { request.set(CURLOPT_CAINFO, file) }
        // A proxy is for other machines.
        if url.isLoopback { request.set(CURLOPT_PROXY, "") }
        let (code, reason) = curl.perform(request, into: transfer)
        if let error = transfer.failure { throw error }
        guard code == CURLE_OK || transfer.isRefusalFull else { throw Self.error(code, reason, url) }
        return transfer.response
    }

    private static func error(_ code: CURLcode, _ reason: String, _ url: HubURL) -> ConcordError {
        switch code {
        case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return ConcordError(
                .interruptedDownload,
                "the connection to \(url.publicText) broke: \(reason.printable); run again to go on from there")
        case CURLE_OPERATION_TIMEDOUT:
            return ConcordError(
                .hub, "\(url.publicText) is too slow: \(reason.printable); run again to go on from there")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CONNECT_ERROR:
            return ConcordError(
                .hub,
                "no encrypted connection to \(url.publicText): \(reason.printable); behind a proxy that opens "
                    + "connections, name its certificates in SSL_CERT_FILE")
        default:
            return ConcordError(
                .hub,
                "cannot reach \(url.publicText): \(reason.printable); check the connection, or set "
                    + "HF_HUB_OFFLINE=1 to use what is in the cache")
        }
    }
}

/// The response to one request while it arrives.
private final class HTTPTransfer: CurlReceiver {
    var response: HTTPResponse
    /// The error that a callback could not throw.
    var failure: ConcordError?
    /// Whether the text of a refusal was cut off.
    var isRefusalFull = false
    private let body: any HTTPBody
    private var headByteCount = 0

    private static let maximumHeadBytes = 1 << 18
    private static let maximumRefusalBytes = 1 << 16

    init(url: HubURL, body: any HTTPBody) {
        response = HTTPResponse(url: url)
        self.body = body
    }

    func receive(head bytes: UnsafeRawBufferPointer) -> Bool {
        headByteCount += bytes.count
        guard headByteCount <= Self.maximumHeadBytes else {
            failure = ConcordError(
                .invalidDownload, "\(response.url.publicText) answers with more headers than are allowed")
            return false
        }
        response.add(line: String(decoding: bytes, as: UTF8.self))
        return true
    }

    func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
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

/// The head of a response.
struct HTTPResponse: Sendable {
    /// The URL that answered, after redirects.
    let url: HubURL
    private(set) var status = 0
    /// Names in lower case, in the order they came.
    private(set) var headers: [(name: String, value: String)] = []
    /// The first bytes of the body of anything but a good answer.
    var refusal: [UInt8] = []

    init(url: HubURL) { self.url = url }

    /// The first header of a name that is given in lower case.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    var isSuccess: Bool { (200..<300).contains(status) }
    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }

    /// The length of the body; nil when it is not announced.
    var contentLength: Int? { self["content-length"].flatMap { Int($0) } }

    /// Whether the body's bytes are the file's bytes.
    var isPlain: Bool { ["", "identity"].contains((self["content-encoding"] ?? "").lowercased()) }

    /// Takes in one line of the head. A status line starts over: what came before it was an interim answer.
    mutating func add(line: String) {
        if line.hasPrefix("HTTP/") {
            headers = []
            status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].trimmed
            headers.append((line[..<colon].lowercased(), value))
        }
    }
}

/// A receiver of the body of a successful response.
protocol HTTPBody: AnyObject {
    /// Takes the next bytes. An error ends the transfer and comes out of the request.
    func receive(_ bytes: UnsafeRawBufferPointer, of response: HTTPResponse) throws(ConcordError)
}

/// A body that is kept in memory, up to a limit.
final class HTTPBytes: HTTPBody {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func receive(_ bytes: UnsafeRawBufferPointer, of response: HTTPResponse) throws(ConcordError) {
        guard response.isPlain else {
            throw ConcordError(
                .invalidDownload, "\(response.url.publicText) answers in an encoding that was not asked for")
        }
        guard self.bytes.count + bytes.count <= limit else {
            throw ConcordError(
                .invalidDownload, "\(response.url.publicText) answers with more than the \(limit) bytes allowed")
        }
        self.bytes.append(contentsOf: bytes)
    }
}
