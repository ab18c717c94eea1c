import ConcordCore

/// A text as a dictionary key, compared by its bytes: `String` would take "é" and "e" + U+0301 for one.
struct UTF8Key: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: UTF8Key, b: UTF8Key) -> Bool {
        var a = a.text
        var b = b.text
        return a.withUTF8 { a in b.withUTF8 { b in a.hasSameBytes(as: b) } }
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether both hold the same bytes.
    func hasSameBytes(as other: UnsafeBufferPointer<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress else { return true }
        return memcmp(a, b, count) == 0
    }
}

extension String {
    /// The text of UTF-8 bytes; nil when they are not valid.
    ///
    /// Several times faster than `String(validating:as:)`: decoding repairs what is not valid, and so changes it.
    init?(validUTF8 bytes: [UInt8]) {
        self.init(decoding: bytes, as: UTF8.self)
        let isUnchanged = bytes.withUnsafeBufferPointer { bytes in withUTF8 { $0.hasSameBytes(as: bytes) } }
        guard isUnchanged else { return nil }
    }
}
