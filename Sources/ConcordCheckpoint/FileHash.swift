import COpenSSL
import CXXHash
import ConcordCore

/// The hash of a file's bytes, as manifests and model hubs write it.
public struct FileHash: Sendable, Hashable, CustomStringConvertible {
    /// The hash function.
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
        let hasher = Hasher(algorithm, byteCount: bytes.count)
        bytes.withUnsafeBytes { hasher.update($0) }
        self.init(algorithm, hasher.finalize())
    }

    /// The hash of a file, read in pieces. Throws `.fileSystem`.
    public init(_ algorithm: Algorithm, ofFile path: String) throws(ConcordError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("read", path) }
        let hasher = Hasher(algorithm, byteCount: Int(status.st_size))
        // Not mapped: a file that shrinks meanwhile must not end the process. Pieces of this size stay in the cache.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
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

/// A hash that is fed piece by piece.
private final class Hasher {
    private enum State {
        /// OpenSSL's, which uses the processor's instructions for it where there are any.
        case digest(OpaquePointer?)
        case xxh128(OpaquePointer?)
    }

    private let state: State

    init(_ algorithm: FileHash.Algorithm, byteCount: Int) {
        switch algorithm {
        case .xxh128:
            let state = XXH3_createState()
            XXH3_128bits_reset(state)
            self.state = .xxh128(state)
        case .sha256, .gitBlob:
            let context = EVP_MD_CTX_new()
            EVP_DigestInit_ex(context, algorithm == .sha256 ? EVP_sha256() : EVP_sha1(), nil)
            state = .digest(context)
            if algorithm == .gitBlob { Array("blob \(byteCount)\0".utf8).withUnsafeBytes(update) }
        }
    }

    deinit {
        switch state {
        case .digest(let context): EVP_MD_CTX_free(context)
        case .xxh128(let state): XXH3_freeState(state)
        }
    }

    func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .digest(let context): EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        case .xxh128(let state): XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
        }
    }

    func finalize() -> [UInt8] {
        switch state {
        case .digest(let context):
            return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
                var length: UInt32 = 0
                EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
                count = Int(length)
            }
        case .xxh128(let state):
            let hash = XXH3_128bits_digest(state)
            return [hash.high64, hash.low64].flatMap { half in withUnsafeBytes(of: half.bigEndian) { Array($0) } }
        }
    }
}
