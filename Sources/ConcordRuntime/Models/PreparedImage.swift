import ConcordPlatform

/// A picture as a model takes it: normalised pixels `[3, size, size]`.
public struct PreparedImage: Sendable, Hashable {
    public let size: Int
    public let pixels: [Float]

    public init(size: Int, pixels: [Float]) {
        precondition(pixels.count == 3 * size * size, "\(pixels.count) values for a picture [3, \(size), \(size)]")
        self.size = size
        self.pixels = pixels
    }

    /// A picture of smooth waves, the same everywhere.
    public static func canary(size: Int) -> PreparedImage {
        let pixels = (0..<3 * size * size).map { index in
            let (row, column) = (index / size % size, index % size), channel = index / (size * size)
            return Float(
                sin(Double(column) * Double(channel + 1) * 12 / Double(size))
                    * cos(Double(row) * Double(channel + 2) * 7 / Double(size)))
        }
        return PreparedImage(size: size, pixels: pixels)
    }
}
