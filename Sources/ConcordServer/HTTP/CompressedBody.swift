import CZlib
import ConcordCore

/// A body in gzip's or zlib's format (RFC 1952, RFC 1950), as HTTP's content codings `gzip` and `deflate` have it.
enum CompressedBody {
    /// Few bytes must not become many: beyond the first MiB, a byte may become a hundred.
    static let maximumRatio = 100
    static let unquestionedBytes = 1 << 20

    /// True if a body with that content coding is read.
    static func isKnown(_ coding: String) -> Bool { ["gzip", "x-gzip", "deflate"].contains(coding.lowercased()) }

    /// The bytes that `compressed` stands for.
    ///
    /// - Parameters:
    ///   - limit: the most bytes that there may be.
    ///   - take: asked before each piece of them takes memory.
    /// - Throws: an error with 413 as soon as there are more, 400 for what is damaged or ends early; what `take` throws.
    static func inflated(
        _ compressed: [UInt8], limit: Int, take: (Int) throws(ServingError) -> Void
    ) throws(ServingError) -> [UInt8] {
        let limit = min(limit, max(unquestionedBytes, compressed.count * maximumRatio))
        // At an address that stays: zlib keeps it.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // The window of 15 bits is the largest of both formats; 32 finds out which it is.
        guard zlib_inflate_init(stream, 15 + 32) == Z_OK else { throw .failed("zlib does not start") }
        defer { inflateEnd(stream) }
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: min(max(compressed.count * 4, 16 << 10), 1 << 20))
        var (position, isWhole) = (0, false)
        while !isWhole || position < compressed.count {
            if isWhole {
                // Another member of gzip's format may follow.
                guard compressed[position] == 0x1F, inflateReset(stream) == Z_OK else { throw damaged }
            }
            let (code, read, written) = step(stream, compressed, from: position, into: &piece)
            // With room to write to, zlib gets no further only where bytes are missing.
            guard code == Z_OK || code == Z_STREAM_END else { throw damaged }
            position += read
            isWhole = code == Z_STREAM_END
            guard written <= limit - output.count else {
                throw .tooLarge("The body may come to \(limit) bytes when it is decompressed.")
            }
            try take(written)
            output += piece[..<written]
        }
        return output
    }

    /// Inflates what fits into `piece`.
    private static func step(
        _ stream: UnsafeMutablePointer<z_stream>, _ compressed: [UInt8], from position: Int, into piece: inout [UInt8]
    ) -> (code: Int32, read: Int, written: Int) {
        compressed[position...].withUnsafeBufferPointer { input in
            piece.withUnsafeMutableBufferPointer { output in
                let given = min(input.count, Int(UInt32.max))
                // zlib only reads, whatever its type says.
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = UInt32(given)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(output.count)
                let code = inflate(stream, Z_NO_FLUSH)
                return (code, given - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out))
            }
        }
    }

    private static let damaged = ServingError.invalid(
        nil, "The compressed body is damaged, ends early, or is not of its Content-Encoding.", code: "invalid_encoding")
}
