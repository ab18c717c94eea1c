import ConcordCore
import ConcordRuntime
import Foundation
import Synchronization

private func closeSocket(_ descriptor: Int32) { _ = close(descriptor) }

/// A connection to a server whose bytes a test chooses. Its calls block, on a thread of its own.
final class TestConnection: Sendable {
    struct Failure: Error {
        let text: String
    }

    private let descriptor: Int32
    private let thread = WorkerThreads(count: 1, name: "client")
    private let isOpen = Mutex(true)

    init(port: Int) async throws {
        // A server that has closed makes a write fail; it must not end the process.
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        self.descriptor = descriptor
        let result = await thread.run { () -> Int32 in
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            // Longer than any test waits for; a server that says nothing fails the test instead of holding it up.
            var timeout = timeval(tv_sec: 30, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard result == 0 else { throw Failure(text: "no connection: \(errno)") }
    }

    deinit { close() }

    func close() {
        isOpen.withLock { isOpen in
            if isOpen { closeSocket(descriptor) }
            isOpen = false
        }
    }

    static func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]?
    ) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\n"
        if !headers.contains(where: { $0.0 == "Host" }) { text += "Host: localhost\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        return Array((text + "\r\n").utf8) + (body ?? [])
    }

    /// Sends bytes. Returns whether all of them went; a server that has closed takes no more.
    @discardableResult
    func send(_ bytes: [UInt8]) async -> Bool {
        await thread.run { [descriptor] in
            var start = 0
            while start < bytes.count {
                let count = bytes[start...].withUnsafeBytes {
                    write(descriptor, $0.baseAddress, $0.count)
                }
                guard count > 0 else { return false }
                start += count
            }
            return true
        }
    }

    /// Sends a request and reads its answer.
    func exchange(_ bytes: [UInt8]) async throws -> TestResponse {
        await send(bytes)
        return try await response()
    }

    /// Reads one answer.
    func response() async throws -> TestResponse {
        try await thread.run { [descriptor] () throws(Failure) -> TestResponse in
            var reader = Reader(descriptor: descriptor)
            return try reader.response()
        }
    }

    /// Reads what comes first.
    func some() async -> [UInt8] {
        await thread.run { [descriptor] in
            var reader = Reader(descriptor: descriptor)
            _ = reader.fill()
            return reader.bytes
        }
    }

    /// Reads until the server closes, and gives back what came.
    func rest() async -> [UInt8] {
        await thread.run { [descriptor] in
            var reader = Reader(descriptor: descriptor)
            while reader.fill() {}
            return reader.bytes
        }
    }

    private struct Reader {
        let descriptor: Int32
        var bytes: [UInt8] = []

        /// Reads some more. Returns false at the end.
        mutating func fill() -> Bool {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return false }
            bytes += buffer[..<count]
            return true
        }

        mutating func nextLine() throws(Failure) -> String {
            while true {
                if let end = bytes.firstIndex(of: 0x0A) {
                    defer { bytes.removeSubrange(...end) }
                    return String(decoding: bytes[..<end], as: UTF8.self).trimmingCharacters(in: .newlines)
                }
                guard fill() else { throw Failure(text: "the connection ended within a line") }
            }
        }

        mutating func take(_ count: Int) throws(Failure) -> [UInt8] {
            while bytes.count < count {
                guard fill() else { throw Failure(text: "the connection ended within a body") }
            }
            defer { bytes.removeSubrange(..<count) }
            return Array(bytes[..<count])
        }

        mutating func response() throws(Failure) -> TestResponse {
            while true {
                let status = Int(try nextLine().split(separator: " ").dropFirst().first ?? "") ?? 0
                var headers: [(String, String)] = []
                while case let line = try nextLine(), !line.isEmpty {
                    let sides = line.split(separator: ":", maxSplits: 1)
                    headers.append(
                        (String(sides[0]), sides.count > 1 ? sides[1].trimmingCharacters(in: .whitespaces) : ""))
                }
                if status == 100 { continue }
                var answer = TestResponse(status: status, headers: headers, body: [])
                if answer["transfer-encoding"] == "chunked" {
                    while case let count = Int(try nextLine(), radix: 16) ?? 0, count > 0 {
                        answer.body += try take(count)
                        _ = try nextLine()
                    }
                    _ = try nextLine()
                } else {
                    answer.body = try take(Int(answer["content-length"] ?? "") ?? 0)
                }
                return answer
            }
        }
    }
}

/// An answer of a server.
struct TestResponse: Sendable {
    let status: Int
    let headers: [(String, String)]
    var body: [UInt8]

    subscript(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }

    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue { (try? JSONValue(parsing: body, source: "the answer")) ?? .null }

    /// The data of an event stream, by event.
    var events: [String] {
        text.components(separatedBy: "\n\n").compactMap { event in
            event.split(separator: "\n").first { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
        }
    }
}

/// A multipart form.
struct TestForm: Sendable {
    var boundary = "test-boundary"
    private(set) var content: [UInt8] = []

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }
    var bytes: [UInt8] { content + Array("--\(boundary)--\r\n".utf8) }

    mutating func add(_ name: String, _ text: String) {
        content += Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(text)\r\n".utf8)
    }

    mutating func add(_ name: String, file: [UInt8], fileName: String = "a.png", type: String = "image/png") {
        content += Array(
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"\(fileName)\"\r\nContent-Type: \(type)\r\n\r\n"
                .utf8)
        content += file + Array("\r\n".utf8)
    }
}
