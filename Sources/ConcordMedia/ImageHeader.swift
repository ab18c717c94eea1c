import ConcordCore

/// What an encoded picture says of itself before it is decoded.
public struct ImageHeader: Sendable, Hashable {
    /// Columns and rows, as they are stored: a rotated photo's are exchanged.
    public let width, height: Int

    /// Reads the header of a file of one of the formats of `limits`; `name` is what errors call it.
    ///
    /// - Throws: `.invalidImage` for what is no picture, damaged, of a kind that is not read, or above the limits;
    ///   `.unavailable` where the format's decoder is not installed.
    public init(
        of bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard
    ) throws(ConcordError) {
        (width, height) = try ImageDecoder(name: name, limits: limits, shortestEdge: nil).size(bytes)
    }
}
