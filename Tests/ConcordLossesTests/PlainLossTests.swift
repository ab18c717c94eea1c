import ConcordCore
import ConcordLosses
import ConcordTensor
import ConcordTestSupport
import Foundation
import Testing

/// Every loss that training uses equals its plain form, in value and in every gradient and under every plan.
@Suite struct PlainLossTests {
    private static var plans: [(name: String, plan: ScorePlan)] {
        [("dense", .dense), ("tiled", .tiled(rows: 3)), ("one tile", .tiled(rows: 64))]
    }

    private func unitVectors(_ shape: [Int], seed: UInt64) -> Tensor {
        Tensor.normal(shape, generator: Generator(seed: seed), dtype: .float64).normalized()
    }

    private func number(_ value: Double) -> Tensor { Tensor(value, dtype: .float64) }

    @Test func infoNCE() throws {
        let inputs = [unitVectors([7, 5], seed: 1), unitVectors([7, 5], seed: 2), number(1.7)]
        let plain = LossAndGradients(inputs) { plainInfoNCE($0[0], $0[1], logitScale: $0[2]) }
        for (name, plan) in Self.plans {
            try LossAndGradients(inputs) { try InfoNCE(logitScale: $0[2])($0[0], $0[1], plan: plan) }
                .expectClose(to: plain, relative: 1e-12, name)
        }
    }

    @Test func sigmoidLoss() throws {
        let inputs = [unitVectors([7, 5], seed: 3), unitVectors([7, 5], seed: 4), number(1.2), number(-2)]
        let plain = LossAndGradients(inputs) {
            plainSigmoidLoss($0[0], $0[1], logitScale: $0[2], logitBias: $0[3])
        }
        for (name, plan) in Self.plans {
            try LossAndGradients(inputs) {
                try SigmoidLoss(logitScale: $0[2], logitBias: $0[3])($0[0], $0[1], plan: plan)
            }.expectClose(to: plain, relative: 1e-12, name)
        }
    }

    @Test func tripletLoss() throws {
        let inputs = [unitVectors([9, 5], seed: 5)], labels = Tensor([0, 1, 0, 2, 1, 0, 2, 3, 1])
        let plain = LossAndGradients(inputs) { plainTripletLoss($0[0], labels: labels, margin: 0.4) }
        #expect(plain.value[0] > 0)
        for (name, plan) in Self.plans {
            try LossAndGradients(inputs) { try TripletMarginLoss(margin: 0.4)($0[0], labels: labels, plan: plan) }
                .expectClose(to: plain, relative: 1e-12, name)
        }
    }

    @Test func captionLoss() throws {
        let generator = Generator(seed: 6)
        let inputs = [[3, 4, 5], [11, 5]].map { Tensor.normal($0, generator: generator, dtype: .float64) }
        let labels = Tensor([1, 10, 3, 0, 4, 0, 0, 0, 9, 9, 2, 1], shape: [3, 4])
        let plain = LossAndGradients(inputs) {
            plainCaptionLoss(states: $0[0], head: $0[1], labels: labels, ignoredLabel: 0)
        }
        for block in [1, 5, 256] {
            try LossAndGradients(inputs) {
                var loss = CaptionLoss(ignoredLabel: 0)
                loss.blockTokens = block
                return try loss(states: $0[0], head: $0[1], labels: labels)
            }.expectClose(to: plain, relative: 1e-12, "blocks of \(block)")
        }
    }

    /// The gradients of a tower of one layer, whose images are embedded in three chunks.
    @Test func gradientCaching() throws {
        let pixels = Tensor.normal([6, 8], generator: Generator(seed: 7), dtype: .float64)
        let texts = unitVectors([6, 5], seed: 8)
        func gradient(_ run: (_ tower: @escaping (Tensor) -> Tensor) throws -> Void) throws -> [Double] {
            let weight = randomLeaf([5, 8], seed: 9, dtype: .float64)
            try run { Tensor.linear($0, weight: weight).tanh().normalized() }
            return try #require(weight.gradient).scalars()
        }
        let scale = number(1.6), loss = InfoNCE(logitScale: scale)
        let plain = try gradient { tower in
            plainGradientCaching(pixels.chunked(3, axis: 0), tower: tower) {
                plainInfoNCE($0, texts, logitScale: scale)
            }
        }
        for plan in [ExecutionPlan.dense, .cached(chunk: 2, scores: .dense), .cached(chunk: 4)] {
            let found = try gradient { tower in
                try loss(plan.embed([pixels]) { tower($0[0]) }, texts, plan: plan.scores).backward()
            }
            expectClose(found, plain, absolute: 1e-13, "\(plan)")
        }
    }

    /// The documentation shows the functions that the tests use.
    @Test(arguments: ["InfoNCE", "SigmoidLoss", "TripletMarginLoss", "CaptionLoss", "ScorePlan"])
    func documentationShowsThePlainForm(_ file: String) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let tested = try String(contentsOf: folder.appending(path: "PlainLosses.swift"), encoding: .utf8)
        let source = folder.appending(path: "../../Sources/ConcordLosses/\(file).swift").standardizedFileURL
        let documentation = try String(contentsOf: source, encoding: .utf8).split(separator: "\n")
            .map { $0.drop { $0 == " " } }.filter { $0.hasPrefix("///") }.map { $0.dropFirst(4) }
        let start = try #require(documentation.firstIndex { $0.hasPrefix("func plain") })
        let end = try #require(documentation[start...].firstIndex { $0 == "```" })
        #expect(tested.contains("\n" + documentation[start..<end].joined(separator: "\n") + "\n"))
    }
}
