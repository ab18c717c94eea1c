import COpenSSL
import CXXHash
import ConcordCore

/// The hash of a file's bytes, as manifests and model hubs write it.
public struct FileHash: Sendable, Hashable, CustomStringConvertible {
    /// How the hash is made.
    public enum Algorithm: String, Sendable, Hashable {
        /// SHA-256 of the bytes; Git LFS names files so.
        case sha256 = "SHA-256"
        /// SHA-1 of `blob `, the length, a zero byte and the bytes; git names files so.
        case gitBlob = "git blob hash"
        /// The 128 bits of XXH3, as `xxh128sum` prints them: for damage, not against forgery, at the speed of memory.
        case xxh128 = "XXH128"
    }

    public let algorithm: Algorithm
    /// Lower-case digits: 64, 40 for git, 32 for XXH128.
    public let hexadecimal: String

    public var description: String { "\(algorithm.rawValue) \(hexadecimal)" }

    /// A hash that a model hub announced, told by its length; nil for anything but 64 or 40 lower-case digits.
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
        self = bytes.withUnsafeBytes { FileHash(algorithm, of: $0) }
    }

    /// The hash of a file. Throws `.fileSystem`.
    public init(_ algorithm: Algorithm, ofFile path: String) throws(ConcordError) {
        // Mapped: copying a large file's pages takes a third as long as hashing them.
        self = try MappedFile(path: path).withUnsafeBytes { FileHash(algorithm, of: $0) }
    }

    private init(_ algorithm: Algorithm, of bytes: UnsafeRawBufferPointer) {
        self.algorithm = algorithm
        let digest =
            switch algorithm {
            case .sha256: Self.digest(EVP_sha256(), [bytes])
            case .gitBlob:
                Array("blob \(bytes.count)\0".utf8).withUnsafeBytes { Self.digest(EVP_sha1(), [$0, bytes]) }
            case .xxh128: Self.xxh128(bytes)
            }
        let text = digest.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }
        hexadecimal = String(decoding: text, as: UTF8.self)
    }

    /// By OpenSSL, which uses the processor's instructions for it where there are any.
    private static func digest(_ kind: OpaquePointer?, _ parts: [UnsafeRawBufferPointer]) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        EVP_DigestInit_ex(context, kind, nil)
        for part in parts { EVP_DigestUpdate(context, part.baseAddress, part.count) }
        return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
            var length: UInt32 = 0
            EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
            count = Int(length)
        }
    }

    private static func xxh128(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let hash = XXH3_128bits(bytes.baseAddress, bytes.count)
        return [hash.high64, hash.low64].flatMap { half in withUnsafeBytes(of: half.bigEndian) { Array($0) } }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
