import ConcordCore

extension Image {
    /// Decodes a file of any ``ImageFormat`` into upright RGB: the first frame of an animation, the first page of a
    /// TIFF.
    ///
    /// The pixels are those of Pillow after `ImageOps.exif_transpose` and `convert("RGB")`: alpha is dropped, not
    /// blended; grey above 8 bits is clipped to 255; RGB above 8 bits keeps the high byte. Forms of a format in which
    /// Pillow finds no RGB, such as Lab, are refused. The calling thread does all the work; any number of threads may
    /// decode at once.
    ///
    /// - Parameters:
    ///   - path: The file. Its name need not tell its format.
    ///   - limits: What is refused before it is decoded.
    ///   - shortestEdge: If given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter
    ///     edge still has this many pixels. Much faster for large photos, and no longer equal to Pillow.
    /// - Throws: `.fileSystem` where the file cannot be read, `.invalidImage` where it cannot be decoded,
    ///   `.unavailable` where the format's decoder is not installed.
    public init(
        contentsOf path: String, limits: ImageLimits = .standard, shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        let bytes = try Files.read(path, limit: limits.maximumBytes)
        try self.init(decoding: bytes, name: path, limits: limits, shrinkFor: shortestEdge)
    }

    /// Decodes an encoded picture in memory; `name` is what errors call it. As `init(contentsOf:limits:shrinkFor:)`.
    public init(
        decoding bytes: [UInt8], name: String, limits: ImageLimits = .standard, shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        self = try bytes.withUnsafeBufferPointer { buffer throws(ConcordError) in
            try Image(
                decoding: UnsafeRawBufferPointer(buffer), name: name, limits: limits, shrinkFor: shortestEdge)
        }
    }

    /// Decodes an encoded picture in memory; `name` is what errors call it. As `init(contentsOf:limits:shrinkFor:)`.
    public init(
        decoding bytes: UnsafeRawBufferPointer, name: String, limits: ImageLimits = .standard,
        shrinkFor shortestEdge: Int? = nil
    ) throws(ConcordError) {
        self = try ImageDecoder(name: name, limits: limits, shortestEdge: shortestEdge).decode(bytes)
    }
}
