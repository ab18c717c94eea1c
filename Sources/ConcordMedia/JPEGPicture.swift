/// A JPEG file, which libvips decodes whole, or at a fraction of its size.
struct JPEGPicture: EncodedPicture {
    private let bytes: UnsafeRawBufferPointer
    private let shortestEdge: Int?
    private let file: VipsFile

    var width: Int { file.width }
    var height: Int { file.height }

    /// - Parameter shortestEdge: If given, the picture is decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose
    ///   shorter edge still has this many pixels.
    init(_ bytes: UnsafeRawBufferPointer, shortestEdge: Int?) throws(PictureFault) {
        try JPEGMarkers.check(bytes)
        self.bytes = bytes
        self.shortestEdge = shortestEdge
        file = try VipsFile(bytes, .jpeg)
    }

    func decode() throws(PictureFault) -> Image {
        var file = file
        if let shortestEdge, let shrink = [8, 4, 2].first(where: { min(width, height) / $0 >= shortestEdge }) {
            file.close()
            file = try VipsFile(bytes, .jpeg, shrink: shrink)
        }
        let conversion = try file.conversion()
        let orientation = file.orientation
        let image = try file.read(conversion)
        guard file.close() == 0 else { throw .damaged }
        return image.oriented(orientation)
    }
}
