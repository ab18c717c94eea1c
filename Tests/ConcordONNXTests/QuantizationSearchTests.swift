import ConcordCore
import ConcordONNX
import ConcordRuntime
import ConcordTestSupport
import Testing

@Suite struct QuantizationSearchTests {
    private typealias Fixtures = QuantizationFixtures
    private static let width = 64

    private func batches(_ count: Int = 2) throws -> QuantizationBatches {
        QuantizationBatches(
            try (0..<count).map { index in
                [
                    "x": try OnnxValue(
                        Fixtures.normal(16 * Self.width, seed: 31 + UInt64(index)), shape: [16, Self.width])
                ]
            })
    }

    private func methods(_ model: OnnxModel) throws -> [QuantizationMethod] {
        let statistics = try ActivationStatistics(of: model, over: batches())
        return [
            .weights(WeightQuantization()),
            .calibrated(StaticQuantization(ranges: try statistics.ranges(.minimumMaximum), reducesWeightRange: true)),
        ]
    }

    @Test func theLayerWithOutliersGoesBackFirst() throws {
        let model = try Fixtures.tower(depth: 4, width: Self.width, outlierLayer: 2)
        let comparison = try OutputComparison(with: model, over: batches())
        for method in try methods(model) {
            let errors = try LayerErrors(of: method, in: model, over: batches())
            #expect(errors.signalToNoise.count == 8)
            #expect(errors.worstFirst.first == "layers.2.out.product")
            let run = QuantizationSearch(method: method)
            let (quantized, report) = try run.quantize(model, batches: batches(), measure: comparison.measures)
            #expect(report.float32Layers == ["layers.2.out.product"])
            #expect(report.before.meanCosine < 0.995)
            #expect(report.after.meanCosine >= 0.995 && report.after.meanCosine < 1)
            #expect(report.after.worstCosine <= report.after.meanCosine)
            #expect(quantized.weights["layers.2.out"]?.elementType == .float32)
            #expect(quantized.weights["layers.2.in"] == nil && quantized.weights["layers.1.out"] == nil)
            let after = try comparison.measures(of: quantized)
            #expect(after == report.after)
            #expect(report.quantizedByteCount == quantized.fileByteCount)
        }
    }

    @Test func vectorsThatAreNoNumbersAreLikeNone() throws {
        let model = try Fixtures.layer(in: Self.width, out: 8)
        let comparison = try OutputComparison(with: model, over: batches())
        let broken = try Fixtures.layer(
            in: Self.width, out: 8, weight: [Float](repeating: .nan, count: Self.width * 8))
        let measures = try comparison.measures(of: broken)
        #expect(measures.meanCosine == 0 && measures.worstCosine == 0)
    }

    @Test func aGoodModelIsQuantizedWhole() throws {
        let model = try Fixtures.tower(depth: 2, width: Self.width)
        let comparison = try OutputComparison(with: model, over: batches())
        let same = try comparison.measures(of: model)
        #expect(
            same
                == QuantizationMeasures(
                    meanCosine: 1, worstCosine: 1, cosines: [Double](repeating: 1, count: 32)))
        for method in try methods(model) {
            let (_, report) = try QuantizationSearch(method: method).quantize(
                model, batches: batches(), measure: comparison.measures)
            #expect(report.float32Layers.isEmpty && report.before == report.after)
            // Errors of layers are for the report, too.
            let errors = try LayerErrors(of: method, in: model, over: batches())
            expectClose(
                report.layers.map(\.signalToNoise), report.layers.map { errors.signalToNoise[$0.layer.name] ?? .nan },
                absolute: 1e-6)
            #expect(report.layers.allSatisfy { $0.signalToNoise > 20 })
            let cosines = report.after.cosines
            #expect(cosines.count == 32 && cosines.min() == report.after.worstCosine)
            #expect(abs(cosines.reduce(0, +) / 32 - report.after.meanCosine) < 1e-12)
            #expect(report.ratio > 3)
        }
    }

    /// The least number of layers that a gate needs, among all numbers: nothing is measured that cannot matter.
    @Test(arguments: 0...6) func searchesForTheLeastNumber(needed: Int) throws {
        let model = try Fixtures.tower(depth: 3, width: Self.width)
        let method = QuantizationMethod.weights(WeightQuantization())
        var measured: [Int] = []
        let criteria = AcceptanceCriteria(minimumMeanCosine: 0.5, minimums: ["recall@1": 0.7])
        let (quantized, report) = try QuantizationSearch(method: method, criteria: criteria).quantize(
            model, batches: batches(1)
        ) { candidate in
            let kept = candidate.proto.graph.node.count { $0.opType == "MatMul" }
            measured.append(kept)
            return QuantizationMeasures(
                meanCosine: 0.9, worstCosine: 0.8, others: ["recall@1": kept >= needed ? 0.7 : 0.69])
        }
        #expect(report.float32Layers.count == needed)
        #expect(quantized.proto.graph.node.count { $0.opType == "MatMul" } == needed)
        #expect(Set(measured).count == measured.count && measured.first == 0 && measured.count <= 6)
        #expect(report.after.others == ["recall@1": 0.7])
        #expect(report.before.others == ["recall@1": needed == 0 ? 0.7 : 0.69])
        // Those that went back are the worst.
        if needed > 0 {
            let worst = try LayerErrors(of: method, in: model, over: batches(1)).worstFirst.prefix(needed)
            #expect(Set(report.float32Layers) == Set(worst))
        }
    }

    @Test func gates() {
        let criteria = AcceptanceCriteria(minimums: ["b": 0.5, "a": 0.5])
        func failures(_ cosine: Double, _ others: [String: Double]) -> [String] {
            criteria.failures(of: QuantizationMeasures(meanCosine: cosine, worstCosine: 0, others: others))
        }
        #expect(failures(0.995, ["a": 0.5, "b": 0.6, "c": 0]).isEmpty)
        #expect(failures(0.9949, ["a": 0.5, "b": 0.5]).count == 1)
        #expect(failures(.nan, ["a": .nan]).count == 3)
        #expect(failures(1, ["a": 0.4, "b": 0.5]) == ["a 0.4 is less than 0.5"])
    }

    @Test func refusesWhatCannotBe() throws {
        let model = try Fixtures.tower(depth: 1, width: Self.width)
        let method = QuantizationMethod.weights(WeightQuantization())
        func message(_ model: OnnxModel, _ criteria: AcceptanceCriteria) throws -> String {
            let error = #expect(throws: ConcordError.self) {
                try QuantizationSearch(method: method, criteria: criteria).quantize(model, batches: batches(1)) { _ in
                    QuantizationMeasures(meanCosine: 0.9, worstCosine: 0.9)
                }
            }
            return try #require(error).message
        }
        let impossible = try message(model, AcceptanceCriteria())
        #expect(impossible.contains("even with all layers in float32"))
        let empty = try message(Fixtures.layer(in: 4, out: 4), AcceptanceCriteria())
        #expect(empty.contains("no layer to quantize"))
        #expect(throws: ConcordError.self) {
            try OutputComparison(with: model, over: QuantizationBatches([]))
        }
        #expect(throws: ConcordError.self) {
            try OutputComparison(with: model, over: batches(), outputs: ["z"])
        }
    }

    @Test func reportAsJSON() throws {
        let model = try Fixtures.tower(depth: 1, width: Self.width, outlierLayer: 0)
        let comparison = try OutputComparison(with: model, over: batches())
        let method = try methods(model)[1]
        var (_, report) = try QuantizationSearch(method: method, criteria: AcceptanceCriteria(minimums: ["r": 0.2]))
            .quantize(model, batches: batches()) { candidate in
                var measures = try comparison.measures(of: candidate)
                measures.others["r"] = 0.25
                return measures
            }
        #expect(report.layers[1].precision == .float32)
        report.calibrationMethod = .percentile(99.99)
        report.calibrationBatchCount = 2
        let json = try JSONValue(parsing: report.json.text(pretty: true))
        #expect(json["method"] == "int8" && json["weight_bits"] == 7)
        #expect(json["float32_bytes"]?.int == model.fileByteCount)
        #expect(json["calibration"] == ["rule": "percentile 99.99", "batches": 2])
        #expect(json["gate"] == ["mean_cosine": 0.995, "r": 0.2])
        #expect(json["after"]?["mean_cosine"]?.double == report.after.meanCosine)
        #expect(json["before"]?["r"] == 0.25)
        let layers = try #require(json["layers"]?.elements)
        #expect(layers.map { $0["type"]?.string } == ["int8", "float32"])
        #expect(layers.map { $0["name"]?.string } == ["layers.0.in.product", "layers.0.out.product"])
        #expect(layers[0]["shape"] == [64, 256] && layers[0]["kind"] == "product")
        let range = try #require(layers[0]["input_range"]?.elements).compactMap(\.double)
        #expect(range.count == 2 && range[0] < -2 && range[1] > 2)
        let ratios = layers.compactMap { $0["signal_to_noise_db"]?.double }
        #expect(ratios.count == 2 && ratios[0] > 25 && ratios[1] < 10)

        // Where the weights of what stayed float32 are rounded after all, that is said, with what came of it.
        let weights = QuantizationMethod.weights(WeightQuantization()), smaller = try weights.quantize(model)
        let measures = QuantizationMeasures(meanCosine: 0.996, worstCosine: 0.99, others: ["r": 0.21])
        report.quantizedWeights(of: ["layers.0.out.product"], to: smaller, measures: measures)
        #expect(report.layers.map(\.precision) == [.int8, .int8Weights] && report.float32Layers.isEmpty)
        #expect(report.after == measures && report.quantizedByteCount == smaller.fileByteCount)
        #expect(report.json["layers"]?.elements?[1]["type"] == "int8-weights")
    }
}
