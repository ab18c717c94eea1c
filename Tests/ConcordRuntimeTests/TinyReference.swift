import ConcordRuntime
import ConcordTestSupport
import Foundation

/// What the graphs of a tiny artifact give, computed again in plain loops: a text in one piece, without batches, padding
/// or a cache.
struct TinyReference {
    private typealias Row = [Double]

    private let artifact: TinyArtifact
    private static let width = TinyArtifact.width, headWidth = TinyArtifact.width / TinyArtifact.heads

    init(_ artifact: TinyArtifact) { self.artifact = artifact }

    /// Rows of a weight `[rows, columns]`.
    private func matrix(_ name: String, columns: Int) -> [Row] {
        let values = artifact.weights[name] ?? []
        return stride(from: 0, to: values.count, by: columns).map { start in
            (0..<columns).map { Double(values[start + $0]) }
        }
    }

    private func product(_ row: Row, _ matrix: [Row]) -> Row {
        matrix[0].indices.map { column in row.indices.reduce(0) { $0 + row[$1] * matrix[$1][column] } }
    }

    private func normalized(_ row: Row) -> [Double] {
        let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return row.map { $0 / length }
    }

    private func mean(_ rows: [Row]) -> Row {
        rows[0].indices.map { column in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) }
    }

    // MARK: - Towers

    /// `[pictureTokens, width]`.
    private func tokens(_ image: PreparedImage) -> [Row] {
        let size = TinyArtifact.imageSize, patch = TinyArtifact.patchSize
        let filters = matrix("image.patches", columns: 3 * patch * patch)
        var tokens: [Row] = []
        for top in stride(from: 0, to: size, by: patch) {
            for left in stride(from: 0, to: size, by: patch) {
                var pixels: Row = []
                for channel in 0..<3 {
                    for row in top..<top + patch {
                        for column in left..<left + patch {
                            pixels.append(Double(image.pixels[(channel * size + row) * size + column]))
                        }
                    }
                }
                tokens.append(filters.map { filter in tanh(zip(filter, pixels).reduce(0) { $0 + $1.0 * $1.1 }) })
            }
        }
        return tokens
    }

    func vector(_ image: PreparedImage) -> [Double] {
        normalized(product(mean(tokens(image)), matrix("image.projection", columns: TinyArtifact.embeddingWidth)))
    }

    func vector(_ text: PreparedText) -> [Double] {
        var ids = text.ids
        if artifact.kind == .siglip {
            ids += Array(repeating: Int32(artifact.padToken), count: TinyArtifact.contextLength - ids.count)
        }
        var sum = Row(repeating: 0, count: Self.width)
        let states = embedded(ids, "text").map { row -> Row in
            sum = zip(sum, row).map { $0 + $1 }
            return sum.map { tanh($0) }
        }
        let pooled =
            switch artifact.kind {
            case .clip, .coca: states[ids.firstIndex(of: artifact.endToken) ?? 0]
            case .siglip, .sentences: mean(states)
            }
        return normalized(product(pooled, matrix("text.projection", columns: TinyArtifact.embeddingWidth)))
    }

    private func embedded(_ ids: [Int32], _ scope: String) -> [Row] {
        let table = matrix(scope + ".table", columns: Self.width)
        let positions = matrix(scope + ".positions", columns: Self.width)
        return ids.enumerated().map { place, id in zip(table[Int(id)], positions[place]).map { $0 + $1 } }
    }

    // MARK: - Captions

    /// Logits of the token that follows `ids`.
    func logits(_ image: PreparedImage, _ ids: [Int32]) -> [Double] {
        var states = embedded(ids, "caption")
        for layer in 0..<2 {
            let sources = states
            states = attention(states, to: sources, "layers.\(layer)") { $1 <= $0 }
        }
        states = attention(states, to: tokens(image), "cross.0") { _, _ in true }
        return product(states[states.count - 1], matrix("head", columns: artifact.vocabularySize))
    }

    /// The likeliest tokens one after the other, up to the end token.
    func caption(_ image: PreparedImage, maxTokens: Int) -> [Int32] {
        var ids = [artifact.startToken]
        while ids.count <= maxTokens {
            let logits = self.logits(image, ids)
            let allowed = logits.indices.filter { $0 != artifact.padToken }
            let best = allowed.max { logits[$0] < logits[$1] } ?? 0
            ids.append(Int32(best))
            if Int32(best) == artifact.endToken { break }
        }
        return Array(ids.dropFirst())
    }

    private func attention(
        _ rows: [Row], to sources: [Row], _ name: String, sees: (Int, Int) -> Bool
    ) -> [Row] {
        func projected(_ rows: [Row], _ name: String) -> [Row] {
            let matrix = self.matrix(name + ".weight", columns: Self.width)
            return rows.map { product($0, matrix) }
        }
        let query = projected(rows, name + ".query")
        let key = projected(sources, name + ".key"), value = projected(sources, name + ".value")
        let output = matrix(name + ".output", columns: Self.width)
        return rows.indices.map { place in
            var mixed = Row(repeating: 0, count: Self.width)
            for head in 0..<TinyArtifact.heads {
                let columns = head * Self.headWidth..<(head + 1) * Self.headWidth
                let seen = sources.indices.filter { sees(place, $0) }
                let powers = seen.map { source in
                    exp(
                        columns.reduce(0) { $0 + query[place][$1] * key[source][$1] }
                            / Double(Self.headWidth).squareRoot())
                }
                let total = powers.reduce(0, +)
                for (power, source) in zip(powers, seen) {
                    for column in columns { mixed[column] += power / total * value[source][column] }
                }
            }
            return zip(rows[place], product(mixed, output)).map { $0 + $1 }
        }
    }
}
