import ConcordCore

/// The head of an answer to a request.
struct HTTPResponse: Sendable {
    /// Where the answer came from, after redirects.
    let address: HubAddress
    private(set) var status = 0
    /// Names in lower case, in the order they came.
    private(set) var headers: [(name: String, value: String)] = []
    /// The first bytes of the body of anything but a good answer.
    var refusal: [UInt8] = []

    init(address: HubAddress) { self.address = address }

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
