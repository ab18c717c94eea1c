import COpenSSL
import ConcordCore
import ConcordPlatform

/// The hash of a file's bytes, as manifests and model hubs write it.
public struct FileHash: Sendable, Hashable, CustomStringConvertible {
    /// How the hash is made.
    public enum Algorithm: String, Sendable, Hashable {
        /// SHA-256 of the bytes; Git LFS names files so.
        case sha256 = "SHA-256"
        /// SHA-1 of `blob `, the length, a zero byte and the bytes; git names files so.
        case gitBlob = "git blob hash"
    }

    public let algorithm: Algorithm
    /// Lower-case digits, 64 or 40.
    public let hexadecimal: String

    public var description: String { "\(algorithm.rawValue) \(hexadecimal)" }

    /// A hash that somebody announced, told by its length; nil for anything but 64 or 40 lower-case digits.
    public init?(announced text: String) {
        guard text.utf8.allSatisfy(Self.digits.contains) else { return nil }
        switch text.utf8.count {
        case 64: algorithm = .sha256
        case 40: algorithm = .gitBlob
        default: return nil
        }
        hexadecimal = text
    }

    /// The hash of bytes in memory.
    public init(_ algorithm: Algorithm, of bytes: [UInt8]) {
        let hasher = Hasher(algorithm, byteCount: bytes.count)
        bytes.withUnsafeBytes { hasher.update($0) }
        self.init(algorithm, hasher.finalize())
    }

    /// The hash of a file, read in pieces of 1 MB. Throws `.fileSystem`.
    public init(_ algorithm: Algorithm, ofFile path: String) throws(ConcordError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read", path) }
        let hasher = Hasher(algorithm, byteCount: Int(status.st_size))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .system("read", path) }
            if count == 0 { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        self.init(algorithm, hasher.finalize())
    }

    private init(_ algorithm: Algorithm, _ bytes: [UInt8]) {
        self.algorithm = algorithm
        let text = bytes.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }
        hexadecimal = String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)
}

/// A hash that is fed piece by piece, by OpenSSL: it uses the processor's instructions for it where there are any.
private final class Hasher {
    private let context: OpaquePointer?

    init(_ algorithm: FileHash.Algorithm, byteCount: Int) {
        context = EVP_MD_CTX_new()
        EVP_DigestInit_ex(context, algorithm == .sha256 ? EVP_sha256() : EVP_sha1(), nil)
        if algorithm == .gitBlob { Array("blob \(byteCount)\0".utf8).withUnsafeBytes(update) }
    }

    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
            var length: UInt32 = 0
            EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
            count = Int(length)
        }
    }
}
