import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

@Suite struct InfoNCETests {
    @Test func equalsTheFormulaByHand() {
        let images: [[Double]] = [[1, 0], [0.6, 0.8], [0, -1]], texts: [[Double]] = [[0.8, 0.6], [0, 1], [1, 0]]
        let scale = 3.0
        let logits = images.map { i in texts.map { t in scale * zip(i, t).map(*).reduce(0, +) } }
        func crossEntropy(_ rows: [[Double]]) -> Double {
            rows.enumerated().map { index, row in Foundation.log(row.map(exp).reduce(0, +)) - row[index] }
                .reduce(0, +) / Double(rows.count)
        }
        let columns = (0..<3).map { c in logits.map { $0[c] } }
        let result = InfoNCE.symmetric(
            images: Tensor(images.flatMap(\.self), shape: [3, 2]), texts: Tensor(texts.flatMap(\.self), shape: [3, 2]),
            logitScale: Tensor(Foundation.log(scale), dtype: .float64))
        #expect(abs(result.loss.item() - (crossEntropy(logits) + crossEntropy(columns)) / 2) < 1e-14)
        expectClose(result.logits.scalars(as: Double.self), logits.flatMap(\.self), absolute: 1e-14)
    }

    /// Half precision inputs are compared in float32, so that the largest scale neither overflows nor loses the loss.
    @Test func halfPrecisionInputsGiveAFloatLoss() {
        let vectors = Tensor.normal([4, 8], generator: Generator(seed: 1)).normalized().to(.bfloat16)
        let result = InfoNCE.symmetric(images: vectors, texts: vectors, logitScale: Tensor(Foundation.log(100.0)))
        #expect(result.loss.dtype == .float32)
        #expect(result.loss.item() < 0.01)
    }
}
