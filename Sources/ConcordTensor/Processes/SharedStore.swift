import CTorch
import ConcordCore

/// The texts that the processes of a group share before and beside their tensors: c10d's TCP store, which one process
/// keeps for all.
///
/// Every call waits for the one that keeps it, without end when that is stopped but not gone.
final class SharedStore: @unchecked Sendable {
    // The handle never changes, and the store behind it locks each call.
    let handle: OpaquePointer?

    /// - Parameters:
    ///   - isServer: whether this process keeps the store.
    ///   - prefix: of all keys, so that others can use the same store.
    ///   - timeout: seconds to wait for whoever keeps it.
    /// - Throws: `.processGroup` with libtorch's message.
    init(host: String, port: UInt16, isServer: Bool, prefix: String, timeout: Double) throws(ConcordError) {
        var handle: OpaquePointer?
        try Self.check(
            ctorch_store_create(host, port, isServer, prefix, Int64(timeout * 1000), &handle))
        self.handle = handle
    }

    deinit { ctorch_store_release(handle) }

    func set(_ key: String, _ value: String) throws(ConcordError) {
        try Self.check(ctorch_store_set(handle, key, value))
    }

    /// Adds to a number, which is 0 at first, and returns the sum.
    func add(_ key: String, _ amount: Int) throws(ConcordError) -> Int {
        var sum: Int64 = 0
        try Self.check(ctorch_store_add(handle, key, Int64(amount), &sum))
        return Int(sum)
    }

    /// Replaces the text if it is `expected`; empty stands for no text.
    ///
    /// - Returns: the text that is there then.
    func exchange(_ key: String, from expected: String, to desired: String) throws(ConcordError) -> String {
        var text: UnsafeMutablePointer<CChar>?
        try Self.check(ctorch_store_exchange(handle, key, expected, desired, &text))
        return Self.taking(text)
    }

    func has(_ key: String) throws(ConcordError) -> Bool {
        var result = false
        try Self.check(ctorch_store_has(handle, key, &result))
        return result
    }

    /// The texts of keys that are all there, in one message each way.
    func texts(of keys: [String]) throws(ConcordError) -> [String] {
        var texts = [UnsafeMutablePointer<CChar>?](repeating: nil, count: keys.count)
        let copies = keys.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        let pointers = copies.map { UnsafePointer<CChar>($0) }
        try Self.check(ctorch_store_get(handle, pointers, pointers.count, &texts))
        return texts.map(Self.taking)
    }

    private static func check(_ status: Int32) throws(ConcordError) {
        guard status != CTORCH_OK else { return }
        throw ConcordError(.processGroup, ctorch_last_error().map { String(cString: $0) } ?? "unknown error")
    }

    private static func taking(_ text: UnsafeMutablePointer<CChar>?) -> String {
        defer { ctorch_free(text) }
        return text.map { String(cString: $0) } ?? ""
    }
}
