import ConcordCheckpoint
import ConcordCore

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
        for run in BatchPlan.runs(lengths: texts.map(columns), buckets: buckets) {
            let found = try self.run(run.items.map { texts[$0].ids }, size: run.size, columns: run.columns)
            let part = try embeddingRows(found, count: run.items.count, width: width) { "text \(run.items[$0])" }
            for (index, vector) in zip(run.items, part) { vectors[index] = vector }
        }
        return vectors
    }

    /// How many columns a text's run has at least.
    private func columns(_ text: PreparedText) -> Int {
        configuration.readsPadding
            ? configuration.contextLength
            : BatchPlan.tokens(text.ids.count, contextLength: configuration.contextLength)
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
        return try graph.session.model.run(
            inputs.map { $0 == "ids" ? ids : lengths }, wanted: [embeddings], places: [nil], cancellation: nil)[0]
    }
}
