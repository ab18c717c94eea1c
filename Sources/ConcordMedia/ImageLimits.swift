/// How large a picture may be before it is refused, unread.
public struct ImageLimits: Sendable, Hashable {
    /// The most pixels, width × height, that a header may announce.
    public var maximumPixels: Int
    /// The most bytes of an encoded file.
    public var maximumBytes: Int

    public init(maximumPixels: Int = 64_000_000, maximumBytes: Int = 64 << 20) {
        self.maximumPixels = maximumPixels
        self.maximumBytes = maximumBytes
    }

    /// 64 million pixels and 64 MiB.
    public static let standard = ImageLimits()
}
