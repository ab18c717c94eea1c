import ConcordCore
import ConcordPlatform

/// Finds the addresses of a host, each time anew.
package struct HostResolver: Sendable {
    /// All addresses of a name, as text; empty where there are none. May block.
    private let lookUp: @Sendable (String) -> [String]

    /// - Parameter lookUp: addresses of a name as `inet_pton` reads them.
    package init(_ lookUp: @escaping @Sendable (String) -> [String]) { self.lookUp = lookUp }

    /// The system's resolver.
    package static let system = HostResolver { host in
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var texts: [String] = []
        var entry = list
        while let current = entry {
            // An address of a kind that is not known must not pass unchecked: its text is refused below.
            texts.append(current.pointee.ai_addr.flatMap { InternetAddress($0)?.text } ?? "")
            entry = current.pointee.ai_next
        }
        return texts
    }

    /// The addresses of a name. Blocks until they are known.
    ///
    /// - Throws: `.fetch` where the name has none or the resolver is too slow, which then goes on by itself to its own end;
    ///   `.refusedAddress` for an address of an unknown kind; `.unavailable` when there is no thread left to ask.
    func resolve(_ host: String, by end: ContinuousClock.Instant) throws(ConcordError) -> [InternetAddress] {
        let answer = Answer(), lookUp = lookUp
        do throws(ConcordError) {
            try SystemThread.start(name: "concord-resolve") { answer.set(lookUp(host)) }
        } catch {
            // What that says is for who runs the process, and this goes to its clients.
            throw FetchPlaces.crowded
        }
        guard let texts = answer.wait(until: end), !texts.isEmpty else { throw PictureTransfer.unreachable }
        let addresses = texts.compactMap { InternetAddress($0) }
        guard addresses.count == texts.count else { throw PictureAddress.refusal("has a host that is not asked") }
        return addresses
    }

    /// What a resolver's thread leaves behind.
    ///
    /// `@unchecked Sendable`: `texts` is touched only while `condition` is locked.
    private final class Answer: @unchecked Sendable {
        private let condition = Condition()
        private var texts: [String]?

        func set(_ texts: [String]) {
            condition.locked {
                self.texts = texts
                condition.broadcast()
            }
        }

        func wait(until end: ContinuousClock.Instant) -> [String]? {
            condition.locked {
                while texts == nil {
                    let left = ContinuousClock.now.duration(to: end)
                    guard left > .zero, condition.wait(for: left) || texts != nil else { break }
                }
                return texts
            }
        }
    }
}
