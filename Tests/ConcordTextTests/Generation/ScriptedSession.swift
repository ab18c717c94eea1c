import ConcordCore
import ConcordText
import Foundation

/// A model whose logits are a formula of a row's tokens and its item's key, so that any code can compute them again.
final class ScriptedSession: DecodingSession {
    static let size = 13
    static let start: Int32 = 11
    static let end: Int32 = 12

    let vocabularySize: Int = ScriptedSession.size
    let contextLength: Int
    let startToken: Int32 = ScriptedSession.start
    let endToken: Int32 = ScriptedSession.end
    let padToken: Int32?
    var rowCount: Int { rows.count }

    private(set) var rows: [(key: UInt64, tokens: [Int32])]
    /// Rows and tokens a row of each call of `read`.
    private(set) var reads = [[Int]]()
    private(set) var selections = [[Int]]()
    private let isDouble: Bool
    private let script: (UInt64, [Int32]) -> [Double]

    init(
        keys: [UInt64], isDouble: Bool = true, contextLength: Int = 40, padToken: Int32? = nil,
        script: @escaping (UInt64, [Int32]) -> [Double] = ScriptedSession.logits
    ) {
        rows = keys.map { ($0, []) }
        self.isDouble = isDouble
        self.contextLength = contextLength
        self.padToken = padToken
        self.script = script
    }

    func select(rows selected: [Int]) throws(ConcordError) {
        selections.append(selected)
        rows = selected.map { rows[$0] }
    }

    func read(
        _ tokens: [Int32], logits body: (TokenLogits) throws(ConcordError) -> Void
    ) throws(ConcordError) {
        let count = tokens.count / rows.count
        reads.append([rows.count, count])
        for row in rows.indices { rows[row].tokens += tokens[row * count..<(row + 1) * count] }
        let values = rows.flatMap { script($0.key, $0.tokens) }
        let result: Result<Void, ConcordError> =
            isDouble
            ? values.withUnsafeBufferPointer { Self.attempt(.float64($0), body) }
            : values.map(Float.init).withUnsafeBufferPointer { Self.attempt(.float32($0), body) }
        try result.get()
    }

    private static func attempt(
        _ logits: TokenLogits, _ body: (TokenLogits) throws(ConcordError) -> Void
    ) -> Result<Void, ConcordError> {
        do throws(ConcordError) { return .success(try body(logits)) } catch { return .failure(error) }
    }

    /// Numbers in [-3, 3), by a hash of the key and all tokens.
    static func logits(_ key: UInt64, _ tokens: [Int32]) -> [Double] {
        let state = tokens.reduce(0xCBF2_9CE4_8422_2325 ^ key) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return (0..<size).map { token in
            var random = RandomSource(seed: state, stream: UInt64(token))
            return random.uniform(-3, 3)
        }
    }

    /// Logarithms of probabilities, of each token by itself.
    static func logProbabilities(_ logits: [Double]) -> [Double] {
        let largest = logits.max() ?? 0
        let sum = logits.map { exp($0 - largest) }.reduce(0, +)
        return logits.map { $0 - largest - log(sum) }
    }
}
