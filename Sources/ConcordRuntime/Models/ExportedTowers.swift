import ConcordCheckpoint
import ConcordCore

/// The graph `image`: images in, unit vectors and the decoder's tokens out.
struct ExportedImageTower: Sendable {
    private let graph: ExportedGraph
    private let embeddings: Int
    /// The place of the decoder's tokens; `nil` for a model that does not caption.
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

    /// Unit vectors `[width]` of images, in their order.
    func embed(_ images: [PreparedImage], buckets: [Int]) throws(ConcordError) -> [[Float]] {
        try check(images)
        var vectors: [[Float]] = []
        vectors.reserveCapacity(images.count)
        for run in runs(of: images, buckets) {
            let outputs = try self.run(run.items.map { images[$0] }, size: run.size, wanted: [embeddings])
            vectors += try embeddingRows(outputs[0], count: run.items.count, width: width) {
                "image \(run.items[$0])"
            }
        }
        return vectors
    }

    /// The decoder's tokens of images, `[batch, pictureTokens, tokenWidth]`.
    func decoderTokens(_ images: [PreparedImage], buckets: [Int]) throws(ConcordError) -> OnnxValue {
        guard let tokens else { throw graph.failure("it has no output 'tokens' for captioning") }
        try check(images)
        var parts: [(value: OnnxValue, rows: Int)] = []
        for run in runs(of: images, buckets) {
            let part = try self.run(run.items.map { images[$0] }, size: run.size, wanted: [tokens])[0]
            guard part.elementType == .float32, part.shape.count == 3, part.shape[0] == run.size,
                parts.allSatisfy({ $0.value.shape.dropFirst() == part.shape.dropFirst() })
            else { throw ConcordError(.inference, "the model returned tokens \(part.shape) for \(run.size) images") }
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
            precondition(start == images.count * stride, "the parts hold every image")
        }
    }

    /// In the order of the images, which are all of one size: 50 tokens in ViT-B/32, more in most others.
    private func runs(of images: [PreparedImage], _ buckets: [Int]) -> [PaddingPlan.Run] {
        PaddingPlan.runs(lengths: Array(repeating: 50, count: images.count), buckets: buckets)
    }

    private func check(_ images: [PreparedImage]) throws(ConcordError) {
        for (index, image) in images.enumerated() where image.size != size {
            throw ConcordError(
                .shapeMismatch,
                "image \(index) was prepared for \(image.size) pixels, but the model reads \(size); prepare it "
                    + "with this model")
        }
    }

    private func run(
        _ images: [PreparedImage], size rows: Int, wanted: [Int]
    ) throws(ConcordError) -> [OnnxValue] {
        let count = 3 * size * size
        let pixels = try OnnxValue(of: Float.self, shape: [rows, 3, size, size]) { buffer in
            for row in 0..<rows {
                // Padding repeats the last image: nothing about it is unusual.
                let image = images[min(row, images.count - 1)]
                _ = UnsafeMutableBufferPointer(rebasing: buffer[(row * count)...]).update(fromContentsOf: image.pixels)
            }
        }
        return try graph.session.run(
            [pixels], wanted: wanted)
    }
}

/// The graph `text`: token ids in, unit vectors out.
struct ExportedTextTower: Sendable {
    private let graph: ExportedGraph
    private let configuration: TextTowerConfiguration
    private let padToken: Int64
    /// In the graph's order.
    private let inputs: [String]
    private let embeddings: Int
    let width: Int

    /// Throws `.invalidModel`.
    init(
        _ graph: ExportedGraph, _ configuration: TextTowerConfiguration, padToken: Int, width: Int
    ) throws(ConcordError) {
        self.graph = graph
        self.configuration = configuration
        self.padToken = Int64(padToken)
        self.width = width
        try graph.requireInputs(["ids", "lengths"])
        _ = try graph.input("ids", .int64, ["batch", "sequence"])
        if graph.hasInput("lengths") { _ = try graph.input("lengths", .int64, ["batch"]) }
        inputs = graph.session.inputs.map(\.name)
        embeddings = try graph.output("embeddings", .float32, ["batch", .fixed(width)])
    }

    /// Unit vectors `[width]` of texts, in their order.
    func embed(_ texts: [PreparedText], buckets: [Int]) throws(ConcordError) -> [[Float]] {
        for (index, text) in texts.enumerated() { try check(text, index) }
        var vectors = [[Float]](repeating: [], count: texts.count)
        for run in PaddingPlan.runs(lengths: texts.map(columns), buckets: buckets) {
            let found = try self.run(run.items.map { texts[$0].ids }, size: run.size, columns: run.columns)
            let part = try embeddingRows(found, count: run.items.count, width: width) { "text \(run.items[$0])" }
            for (index, vector) in zip(run.items, part) { vectors[index] = vector }
        }
        return vectors
    }

    /// The least number of columns of a text's run.
    private func columns(_ text: PreparedText) -> Int {
        configuration.readsPadding
            ? configuration.contextLength
            : PaddingPlan.tokens(text.ids.count, contextLength: configuration.contextLength)
    }

    private func check(_ text: PreparedText, _ index: Int) throws(ConcordError) {
        guard (1...configuration.contextLength).contains(text.ids.count) else {
            throw ConcordError(
                .invalidArgument,
                "text \(index) has \(text.ids.count) tokens; the model reads 1 to \(configuration.contextLength)")
        }
        for id in text.ids where id < 0 || id >= configuration.vocabularySize {
            throw ConcordError(
                .invalidArgument,
                "text \(index) has the token \(id), outside the vocabulary of \(configuration.vocabularySize)")
        }
    }

    private func run(_ rows: [[Int32]], size: Int, columns: Int) throws(ConcordError) -> OnnxValue {
        // Padding repeats the last text: nothing about it is unusual.
        func row(_ index: Int) -> [Int32] { rows[min(index, rows.count - 1)] }
        let ids = try OnnxValue(of: Int64.self, shape: [size, columns]) { buffer in
            buffer.initialize(repeating: padToken)
            for index in 0..<size {
                for (column, id) in row(index).enumerated() { buffer[index * columns + column] = Int64(id) }
            }
        }
        let lengths = try OnnxValue((0..<size).map { Int64(row($0).count) }, shape: [size])
        return try graph.session.run(
            inputs.map { $0 == "ids" ? ids : lengths }, wanted: [embeddings])[0]
    }
}

/// A plan that cuts items into runs of few shapes.
package enum PaddingPlan {
    /// A run of `size` rows and `columns` tokens, of which the first rows are `items` and the others padding.
    package struct Run: Hashable {
        /// Places of items in what was planned.
        package let items: [Int]
        package let size: Int
        package let columns: Int
    }

    /// The cost of a run beside its tokens, in tokens: a core reads the weights of a layer about as fast as it multiplies
    /// so many tokens by them (6 to 13, measured on text towers of ViT-B/32 in float32 and int8).
    private static let costOfRun = 8

    /// The cheapest runs for items of so many tokens, of the sizes `buckets`, which rise.
    ///
    /// Tokens of padding cost as much as others, so short items run together and long ones together, where there are
    /// enough of each to be worth a run.
    package static func runs(lengths: [Int], buckets: [Int]) -> [Run] {
        let order = lengths.indices.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
        let largest = buckets.last ?? 1
        // For the first items of `order`, so many: the least cost, and how many of them the last run has.
        var costs = [0], counts = [0]
        for end in order.indices.map({ $0 + 1 }) {
            let columns = lengths[order[end - 1]]
            var (cost, count) = (Int.max, 0)
            for candidate in 1...min(largest, end) {
                let rows = buckets.first { $0 >= candidate } ?? largest
                let found = costs[end - candidate] + costOfRun + rows * columns
                // Of plans that cost the same, that of the fewest runs.
                if found <= cost { (cost, count) = (found, candidate) }
            }
            costs.append(cost)
            counts.append(count)
        }
        var runs: [Run] = [], end = order.count
        while end > 0 {
            let items = order[(end - counts[end])..<end]
            runs.append(
                Run(
                    items: Array(items), size: buckets.first { $0 >= items.count } ?? largest,
                    columns: lengths[order[end - 1]]))
            end -= counts[end]
        }
        return runs.reversed()
    }

    /// Rounds a text's number of tokens up by about an eighth, to the context length at most, so that there
    /// are few shapes.
    package static func tokens(_ count: Int, contextLength: Int) -> Int {
        // 2 up to 16 tokens, 4 up to 32, 8 up to 64, and so on.
        var step = 2
        while count > 8 * step { step *= 2 }
        return min((max(count, 1) + step - 1) / step * step, contextLength)
    }
}

/// An image as a model takes it: normalised pixels `[3, size, size]`.
public struct PreparedImage: Sendable, Hashable {
    public let size: Int
    public let pixels: [Float]

    public init(size: Int, pixels: [Float]) {
        precondition(pixels.count == 3 * size * size, "\(pixels.count) values for an image [3, \(size), \(size)]")
        self.size = size
        self.pixels = pixels
    }

    /// An image of smooth waves, the same everywhere.
    package static func canary(size: Int) -> PreparedImage {
        let pixels = (0..<3 * size * size).map { index in
            let (row, column) = (index / size % size, index % size), channel = index / (size * size)
            return Float(
                sin(Double(column) * Double(channel + 1) * 12 / Double(size))
                    * cos(Double(row) * Double(channel + 2) * 7 / Double(size)))
        }
        return PreparedImage(size: size, pixels: pixels)
    }
}

/// A text as a model takes it: token ids with the special ones, cut at the context length.
public struct PreparedText: Sendable, Hashable {
    public let ids: [Int32]
    /// True if the text was longer than the context.
    public let isTruncated: Bool

    public init(ids: [Int32], isTruncated: Bool) {
        self.ids = ids
        self.isTruncated = isTruncated
    }
}
