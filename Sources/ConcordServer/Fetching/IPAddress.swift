import ConcordCore

/// An address of a host: 4 bytes of IPv4, or 16 of IPv6.
package struct IPAddress: Hashable, Sendable {
    /// In network order.
    let bytes: [UInt8]

    /// Reads an address in its only usual form: four decimal numbers, or IPv6 without a zone. `nil` for anything else.
    package init?(_ text: String) {
        var four = in_addr(), sixteen = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
            bytes = withUnsafeBytes(of: &sixteen) { Array($0) }
        } else {
            return nil
        }
    }

    /// The address in what the resolver gives; `nil` for another kind.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) }
            }
        default: return nil
        }
    }

    var isVersion4: Bool { bytes.count == 4 }

    /// The address as `init(_:)` reads it.
    var text: String {
        if isVersion4 { return bytes.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }.joined(separator: ":")
    }

    /// True for this machine's own addresses: 127.0.0.0/8 and ::1.
    var isLoopback: Bool { isVersion4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 }

    /// True for the internet's own addresses, by the registries of special-purpose addresses (RFC 6890 and its updates).
    ///
    /// Not so: loopback, private, link-local, shared (carrier-grade NAT), multicast, unspecified, reserved and
    /// documentation addresses, and all of IPv6 that leads to an IPv4 address (mapped, NAT64, 6to4, Teredo).
    package var isPublic: Bool {
        if isVersion4 { return !Self.special4.contains { isWithin($0.prefix, bits: $0.bits) } }
        // Only this part is given out for use at all.
        guard isWithin([0x20], bits: 3) else { return false }
        return !Self.special6.contains { isWithin($0.prefix, bits: $0.bits) }
    }

    private static let special4: [(prefix: [UInt8], bits: Int)] = [
        ([0], 8), ([10], 8), ([100, 64], 10), ([127], 8), ([169, 254], 16), ([172, 16], 12), ([192, 0, 0], 24),
        ([192, 0, 2], 24), ([192, 31, 196], 24), ([192, 52, 193], 24), ([192, 88, 99], 24), ([192, 168], 16),
        ([192, 175, 48], 24), ([198, 18], 15), ([198, 51, 100], 24), ([203, 0, 113], 24), ([224], 4), ([240], 4),
    ]

    private static let special6: [(prefix: [UInt8], bits: Int)] = [
        // The IETF's assignments, Teredo among them; documentation; 6to4.
        ([0x20, 0x01, 0x00], 23), ([0x20, 0x01, 0x0D, 0xB8], 32), ([0x20, 0x02], 16),
        ([0x26, 0x20, 0x00, 0x4F, 0x80, 0x00], 48), ([0x3F, 0xFE], 16), ([0x3F, 0xFF, 0x00], 20),
    ]

    /// True if the first `bits` equal those of `prefix`, filled up with zeros.
    private func isWithin(_ prefix: [UInt8], bits: Int) -> Bool {
        (0..<bits).allSatisfy { bit in
            let byte = bit / 8, mask = UInt8(0x80) >> UInt8(bit % 8)
            return bytes[byte] & mask == (byte < prefix.count ? prefix[byte] : 0) & mask
        }
    }
}

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
            texts.append(current.pointee.ai_addr.flatMap { IPAddress($0)?.text } ?? "")
            entry = current.pointee.ai_next
        }
        return texts
    }

    /// The addresses of a name. Blocks until they are known.
    ///
    /// - Throws: `.fetch` where the name has none or the resolver is too slow, which then goes on by itself to its own end;
    ///   `.refusedAddress` for an address of an unknown kind; `.unavailable` when there is no thread left to ask.
    func resolve(_ host: String, by end: ContinuousClock.Instant) throws(ConcordError) -> [IPAddress] {
        let answer = Answer(), lookUp = lookUp
        do throws(ConcordError) {
            try SystemThread.start(name: "concord-resolve") { answer.set(lookUp(host)) }
        } catch {
            // What that says is for who runs the process, and this goes to its clients.
            throw FetchSlots.crowded
        }
        guard let texts = answer.wait(until: end), !texts.isEmpty else { throw ImageTransfer.unreachable }
        let addresses = texts.compactMap { IPAddress($0) }
        guard addresses.count == texts.count else { throw ImageURL.refusal("has a host that is not asked") }
        return addresses
    }

    /// The result of a resolver's thread.
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
