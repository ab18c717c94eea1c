/// What pictures are refused, unread: those that are too large, and those of other formats.
public struct ImageLimits: Sendable, Hashable {
    /// The most pixels, width × height, that a header may announce.
    public var maximumPixels: Int
    /// The most bytes of an encoded file.
    public var maximumBytes: Int
    /// The formats that are read.
    public var formats: Set<ImageFormat>

    public init(
        maximumPixels: Int = 64_000_000, maximumBytes: Int = 64 << 20, formats: Set<ImageFormat> = ImageFormat.all
    ) {
        self.maximumPixels = maximumPixels
        self.maximumBytes = maximumBytes
        self.formats = formats
    }

    /// 64 million pixels and 64 MiB, of any format.
    public static let standard = ImageLimits()
}
