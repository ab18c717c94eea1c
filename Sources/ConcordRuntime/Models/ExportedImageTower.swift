import ConcordCore

/// The graph `image`: pictures in, unit vectors and the decoder's tokens out.
struct ExportedImageTower: Sendable {
    private let graph: ExportedGraph
    private let embeddings: Int
    /// The place of the decoder's tokens; nil for a model that does not caption.
    private let tokens: Int?
    let size: Int
    let width: Int

    /// Throws `.invalidModel`.
    init(_ graph: ExportedGraph, size: Int, width: Int, captions: Bool) throws(ConcordError) {
        self.graph = graph
        self.size = size
        self.width = width
        try graph.requireInputs(["pixels"])
        _ = try graph.input("pixels", .float32, ["batch", 3, .fixed(size), .fixed(size)])
        embeddings = try graph.output("embeddings", .float32, ["batch", .fixed(width)])
        tokens = captions ? try graph.output("tokens", .float32, ["batch", "tokens", "width"]) : nil
    }

    /// Unit vectors `[width]` of pictures, in their order.
    func embed(_ images: [PreparedImage], buckets: [Int]) throws(ConcordError) -> [[Float]] {
        try check(images)
        var vectors: [[Float]] = []
        vectors.reserveCapacity(images.count)
        for run in runs(of: images, buckets) {
            let outputs = try self.run(run.items.map { images[$0] }, size: run.size, wanted: [embeddings])
            vectors += try embeddingRows(outputs[0], count: run.items.count, width: width) {
                "picture \(run.items[$0])"
            }
        }
        return vectors
    }

    /// The decoder's tokens of pictures, `[batch, pictureTokens, tokenWidth]`.
    func decoderTokens(_ images: [PreparedImage], buckets: [Int]) throws(ConcordError) -> OnnxValue {
        guard let tokens else { throw graph.failure("it gives no 'tokens' to caption by") }
        try check(images)
        var parts: [(value: OnnxValue, rows: Int)] = []
        for run in runs(of: images, buckets) {
            let part = try self.run(run.items.map { images[$0] }, size: run.size, wanted: [tokens])[0]
            guard part.elementType == .float32, part.shape.count == 3, part.shape[0] == run.size,
                parts.allSatisfy({ $0.value.shape.dropFirst() == part.shape.dropFirst() })
            else { throw ConcordError(.inference, "the model gave tokens \(part.shape) for \(run.size) pictures") }
            parts.append((part, run.items.count))
        }
        guard let first = parts.first?.value else { return try OnnxValue([Float](), shape: [0, 0, 0]) }
        if first.shape[0] == images.count { return first }
        let stride = first.shape.dropFirst().reduce(1, *)
        return try OnnxValue(of: Float.self, shape: [images.count] + first.shape.dropFirst()) { all in
            var start = 0
            for (part, rows) in parts {
                // Rows of padding are at the end of each part.
                let count = rows * stride
                part.withUnsafeBytes { bytes in
                    let values = UnsafeBufferPointer(rebasing: bytes.bindMemory(to: Float.self)[..<count])
                    _ = UnsafeMutableBufferPointer(rebasing: all[start...]).update(fromContentsOf: values)
                }
                start += count
            }
            precondition(start == images.count * stride, "the parts hold every picture")
        }
    }

    /// In the order of the pictures, which are all of one size: 50 tokens in ViT-B/32, more in most others.
    private func runs(of images: [PreparedImage], _ buckets: [Int]) -> [BatchPlan.Run] {
        BatchPlan.runs(lengths: Array(repeating: 50, count: images.count), buckets: buckets)
    }

    private func check(_ images: [PreparedImage]) throws(ConcordError) {
        for (index, image) in images.enumerated() where image.size != size {
            throw ConcordError(
                .shapeMismatch,
                "picture \(index) was prepared for \(image.size) pixels, and the model reads \(size); prepare it "
                    + "with this model")
        }
    }

    private func run(
        _ images: [PreparedImage], size rows: Int, wanted: [Int]
    ) throws(ConcordError) -> [OnnxValue] {
        let count = 3 * size * size
        let pixels = try OnnxValue(of: Float.self, shape: [rows, 3, size, size]) { buffer in
            for row in 0..<rows {
                // Padding repeats the last picture: nothing about it is unusual.
                let image = images[min(row, images.count - 1)]
                _ = UnsafeMutableBufferPointer(rebasing: buffer[(row * count)...]).update(fromContentsOf: image.pixels)
            }
        }
        return try graph.session.model.run(
            [pixels], wanted: wanted, places: Array(repeating: nil, count: wanted.count), cancellation: nil)
    }
}
