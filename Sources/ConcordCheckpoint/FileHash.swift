import ConcordCore
import Crypto
import Foundation

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
        var hasher = Hasher(algorithm, byteCount: bytes.count)
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
        var hasher = Hasher(algorithm, byteCount: Int(status.st_size))
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

/// A hash that is fed piece by piece.
private enum Hasher {
    case sha256(SHA256)
    case gitBlob(Insecure.SHA1)

    init(_ algorithm: FileHash.Algorithm, byteCount: Int) {
        switch algorithm {
        case .sha256: self = .sha256(SHA256())
        case .gitBlob:
            var hash = Insecure.SHA1()
            hash.update(data: Array("blob \(byteCount)\0".utf8))
            self = .gitBlob(hash)
        }
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .sha256(var hash):
            hash.update(bufferPointer: bytes)
            self = .sha256(hash)
        case .gitBlob(var hash):
            hash.update(bufferPointer: bytes)
            self = .gitBlob(hash)
        }
    }

    func finalize() -> [UInt8] {
        switch self {
        case .sha256(let hash): Array(hash.finalize())
        case .gitBlob(let hash): Array(hash.finalize())
        }
    }
}
