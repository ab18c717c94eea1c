import Foundation
import Synchronization

/// A web server on 127.0.0.1 that answers as a script says, one connection after the other, and keeps what it was asked.
public final class ScriptedServer: Sendable {
    /// What a client asked.
    public struct Request: Sendable {
        public let method: String
        /// Path and query as they were sent.
        public let target: String
        /// By name in lower case.
        public let headers: [String: String]

        /// Where a `Range: bytes=N-` begins.
        public var rangeStart: Int? {
            headers["range"].flatMap { $0.hasPrefix("bytes=") ? Int($0.dropFirst(6).dropLast()) : nil }
        }
    }

    /// What the server answers.
    public struct Response: Sendable {
        /// What comes after the body.
        public enum End: Sendable {
            case close
            /// A byte now and then, until the client has enough.
            case trickle
            /// As fast as it goes, until the client has enough.
            case flood
        }

        public var status = 200
        public var headers: [String: String] = [:]
        public var body: [UInt8] = []
        /// What `Content-Length` says; nil for none at all.
        public var announced: Int?
        /// How much of the body is sent before the connection closes.
        public var sent: Int
        public var end = End.close

        /// An answer that announces its body and sends all of it.
        public init(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = []) {
            self.status = status
            self.headers = headers
            self.body = body
            announced = body.count
            sent = body.count
        }

        public init(status: Int = 200, headers: [String: String] = [:], text: String) {
            self.init(status: status, headers: headers, body: Array(text.utf8))
        }
    }

    public let port: Int
    public var address: String { "http://127.0.0.1:\(port)" }
    private let listener: Int32
    private let log = Log()

    /// What has been asked so far.
    public var requests: [Request] { log.requests.withLock { $0 } }
    /// Starts the list of requests over.
    public func forgetRequests() { log.requests.withLock { $0 = [] } }

    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
    }

    /// Listens on a free port.
    ///
    /// - Parameter answer: the script; called for each request, on the server's thread.
    public init(_ answer: @escaping @Sendable (Request) -> Response) throws {
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
            listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            listener = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isReady = withUnsafeMutableBytes(of: &name) { bytes in
            guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
            return bind(listener, pointer, length) == 0 && listen(listener, 8) == 0
                && getsockname(listener, pointer, &length) == 0
        }
        guard isReady else { throw POSIXError(.EADDRNOTAVAIL) }
        port = Int(UInt16(bigEndian: name.sin_port))
        let log = log
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 {
                    if errno == EINTR || errno == ECONNABORTED { continue }
                    // Closed here and not in `deinit`: a number that is free while this thread may still accept on it
                    // would be the listener of another test.
                    close(listener)
                    return
                }
                if let request = Self.read(connection) {
                    log.requests.withLock { $0.append(request) }
                    Self.write(answer(request), isHead: request.method == "HEAD", to: connection)
                }
                close(connection)
            }
        }
    }

    /// Ends the thread, which closes the listener.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func read(_ connection: Int32) -> Request? {
        var head = [UInt8]()
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            var byte: UInt8 = 0
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        let words = lines[0].split(separator: " ")
        let headers = lines.dropFirst().compactMap { line -> (String, String)? in
            line.firstRange(of: ": ").map { (line[..<$0.lowerBound].lowercased(), String(line[$0.upperBound...])) }
        }
        return Request(
            method: String(words[0]), target: String(words[1]), headers: Dictionary(headers) { $0 + ", " + $1 })
    }

    private static func write(_ response: Response, isHead: Bool, to connection: Int32) {
        var head = "HTTP/1.1 \(response.status) Scripted\r\nConnection: close\r\n"
        for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
        if let announced = response.announced { head += "Content-Length: \(announced)\r\n" }
        guard send(Array((head + "\r\n").utf8), to: connection), !isHead else { return }
        guard send(Array(response.body.prefix(response.sent)), to: connection) else { return }
        let block = [UInt8](repeating: 0x20, count: 1 << 16)
        switch response.end {
        case .close: return
        case .flood: while send(block, to: connection) {}
        case .trickle: while send([0x20], to: connection) { usleep(50_000) }
        }
    }

    private static func send(_ bytes: [UInt8], to connection: Int32) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes {
                Foundation.send(connection, $0.baseAddress.map { $0 + offset }, bytes.count - offset, 0)
            }
            guard sent > 0 else { return false }
            offset += sent
        }
        return true
    }
}
