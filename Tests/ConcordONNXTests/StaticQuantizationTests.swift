import ConcordCore
import ConcordONNX
import ConcordRuntime
import Testing

@Suite struct StaticQuantizationTests {
    private typealias Fixtures = QuantizationFixtures

    private func calibrated(
        _ model: OnnxModel, _ inputs: [String: OnnxValue], rule: CalibrationMethod = .minimumMaximum,
        reduces: Bool = true
    ) throws -> QuantizationMethod {
        let statistics = try ActivationStatistics(
            of: model, over: QuantizationBatches([inputs]), options: OnnxSessionOptions(threadsPerRun: 1))
        return .calibrated(StaticQuantization(ranges: try statistics.ranges(rule), reducesWeightRange: reduces))
    }

    @Test(arguments: [true, false]) func towerStaysNear(reduces: Bool) throws {
        let model = try Fixtures.tower(depth: 2, width: 64)
        let x = try OnnxValue(Fixtures.normal(32 * 64, seed: 21), shape: [32, 64])
        let method = try calibrated(model, ["x": x], reduces: reduces)
        let quantized = try method.quantize(model)
        #expect(
            Fixtures.operations(quantized).filter { $0.hasSuffix("Linear") || $0 == "MatMul" }
                == Array(
                    repeating: ["QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "MatMul"], count: 4
                ).flatMap { $0 })
        let expected = try Fixtures.run(model, ["x": x]), actual = try Fixtures.run(quantized, ["x": x])
        let error = Fixtures.relativeError(actual, expected)
        // Where pair sums saturate, weights of 8 bits lose more: that is what 7 bits are for.
        #expect(error > 1e-4 && error < (reduces || !CPUFeatures.int8DotSaturates ? 0.03 : 0.3))
        // What ONNX Runtime makes of the graph is what the graph says.
        let plain = try Fixtures.run(quantized, ["x": x], optimization: .none)
        if reduces || !CPUFeatures.int8DotSaturates { #expect(Fixtures.relativeError(actual, plain) < 1e-5) }
        // A sample's result does not depend on those beside it, to the last bit; alone, sums are rounded otherwise.
        let values = try x.values(of: Float.self)
        for row in [0, 13, 31] {
            let place = row * 64..<(row + 1) * 64
            var others = Fixtures.normal(32 * 64, seed: 40 + UInt64(row), scale: 3)
            others.replaceSubrange(place, with: values[place])
            let among = try Fixtures.run(quantized, ["x": OnnxValue(others, shape: [32, 64])])
            #expect(among[place] == actual[place])
            let one = try OnnxValue(Array(values[place]), shape: [1, 64])
            let alone = try Fixtures.run(quantized, ["x": one])
            if reduces || !CPUFeatures.int8DotSaturates {
                #expect(Fixtures.relativeError(alone, Array(actual[place])) < 1e-5)
            }
        }
    }

    @Test func reducedWeightsHaveSevenBits() throws {
        let model = try Fixtures.layer(in: 64, out: 96)
        let x = try OnnxValue(Fixtures.normal(8 * 64, seed: 22), shape: [8, 64])
        for (reduces, limit) in [(true, 63), (false, 127)] {
            let method = try calibrated(model, ["x": x], reduces: reduces)
            let quantized = try method.quantize(model)
            let numbers = try #require(quantized.weights["w.int8"]).values(of: Int8.self)
            // Each column's largest weight becomes the limit.
            for column in 0..<96 {
                #expect((0..<64).map { abs(Int(numbers[$0 * 96 + column])) }.max() == limit)
            }
            let scales = try #require(quantized.weights["w.scale"]).values(of: Float.self)
            let weight = try #require(model.weights["w"]).values(of: Float.self)
            for index in weight.indices {
                #expect(
                    abs(weight[index] - Float(numbers[index]) * scales[index % 96]) <= scales[index % 96] * 0.50001)
            }
            let session = try OnnxSession(bytes: quantized.bytes())
            #expect(session.metadata.entries[OnnxModelMetadata.quantizationMethodKey] == "int8")
            #expect(session.metadata.entries[OnnxModelMetadata.weightBitsKey] == (reduces ? "7" : "8"))
        }
    }

    /// Large activations times large weights of one sign: sums of two products that 16 bits cannot hold with weights
    /// of 8 bits.
    @Test func reducedWeightsAreRightOnEveryProcessor() throws {
        let weight = [Float](repeating: 1, count: 128 * 64), x = [Float](repeating: 1, count: 4 * 128)
        let model = try Fixtures.layer(in: 128, out: 64, weight: weight)
        let inputs = ["x": try OnnxValue(x, shape: [4, 128])]
        let quantized = try calibrated(model, inputs).quantize(model)
        let expected = try Fixtures.run(model, inputs), actual = try Fixtures.run(quantized, inputs)
        #expect(Fixtures.relativeError(actual, expected) < 1e-5)
    }

    @Test func convolutions() throws {
        let graph = OnnxGraphBuilder(name: "patches")
        let pixels = try graph.input("pixels", .float32, ["batch", 3, 16, 16])
        var weight = Fixtures.normal(64 * 48, seed: 23, scale: 0.1), bias = Fixtures.normal(64, seed: 24)
        // A bias that 32 bits do not hold in the steps that such small weights would have.
        for index in 63 * 48..<64 * 48 { weight[index] *= 1e-12 }
        bias[63] = 2
        let w = try graph.constant(OnnxValue(weight, shape: [64, 3, 4, 4]), name: "w")
        let b = try graph.constant(OnnxValue(bias, shape: [64]), name: "b")
        let maps = try graph.add("Conv", [pixels, w, b], attributes: ["strides": .ints([4, 4])], name: "patch")
        try graph.output(maps, as: "y", .float32, ["batch", 64, 4, 4])
        let model = try graph.build()
        let inputs = ["pixels": try OnnxValue(Fixtures.normal(2 * 3 * 256, seed: 25), shape: [2, 3, 16, 16])]
        var method = try calibrated(model, inputs)
        guard case .calibrated(var options) = method else { return }
        options.minimumElementCount = 1
        method = .calibrated(options)
        #expect(method.layers(of: model).map(\.kind) == [.convolution])
        let quantized = try method.quantize(model)
        #expect(
            Fixtures.operations(quantized) == [
                "QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv", "QuantizeLinear",
                "DequantizeLinear",
            ])
        let expected = try Fixtures.run(model, inputs), actual = try Fixtures.run(quantized, inputs)
        let error = Fixtures.relativeError(actual, expected)
        #expect(error < 0.02 && error > 1e-4)
        let last = try #require(options.ranges["y"])
        for image in 0..<2 {
            for position in 0..<16 { #expect(abs(actual[(image * 64 + 63) * 16 + position] - 2) <= last.scale) }
        }
        // A bias that is no number is refused.
        var bad = model
        bias[5] = .nan
        bad.weights["b"] = try OnnxValue(bias, shape: [64])
        let refused = #expect(throws: ConcordError.self) { try method.quantize(bad) }
        #expect(refused?.code == .nonFiniteValue && refused?.message.contains("'b'") == true)
        // Weights alone leave it as it is.
        #expect(QuantizationMethod.weights(WeightQuantization()).layers(of: model).isEmpty)
    }

    @Test func rangesAreThoseOfAllBatches() throws {
        let model = try Fixtures.tower(depth: 1, width: 64)
        let rows = Fixtures.normal(6 * 64, seed: 26)
        func value(_ range: Range<Int>) throws -> [String: OnnxValue] {
            ["x": try OnnxValue(Array(rows[range.lowerBound * 64..<range.upperBound * 64]), shape: [range.count, 64])]
        }
        let one = try ActivationStatistics(of: model, over: QuantizationBatches([value(0..<6)]))
        let batches = try [value(0..<1), value(1..<4), value(4..<6)]
        let several = try ActivationStatistics(
            of: model, over: QuantizationBatches { $0 < batches.count ? batches[$0] : nil })
        #expect(several.batchCount == 3)
        for rule in [CalibrationMethod.minimumMaximum, .percentile(99.9), .entropy] {
            let ranges = try one.ranges(rule)
            let others = try several.ranges(rule)
            #expect(ranges.count == 2 && others.count == 2)
            // Up to the last bits, in which products of one row differ from those of more.
            for (name, range) in ranges {
                let other = try #require(others[name])
                #expect(abs(other.lowest - range.lowest) < 1e-4 && abs(other.highest - range.highest) < 1e-4)
            }
            // What goes into the second product comes out of a GELU: hardly anything below 0.
            let active = try #require(ranges[model.quantizableLayers()[1].input])
            #expect(active.lowest > -0.2 && active.lowest < -0.1 && active.highest > 1)
        }
        #expect(throws: ConcordError.self) {
            try ActivationStatistics(of: model, over: QuantizationBatches([]))
        }
        var bad = rows
        bad[7] = .nan
        let batch = ["x": try OnnxValue(bad, shape: [6, 64])]
        let error = #expect(throws: ConcordError.self) {
            try ActivationStatistics(of: model, over: QuantizationBatches([batch]))
        }
        #expect(error?.code == .nonFiniteValue)
    }

    @Test func comesBackFromItsFile() throws {
        let model = try Fixtures.layer(in: 64, out: 96)
        let range = try ActivationRange(-4, 4)
        let method = QuantizationMethod.calibrated(
            StaticQuantization(ranges: ["x": range], reducesWeightRange: true))
        let quantized = try method.quantize(model)
        let read = try Fixtures.reloaded(quantized).model
        #expect(read.proto == quantized.proto)
        let x = ["x": try OnnxValue(Fixtures.normal(4 * 64, seed: 27), shape: [4, 64])]
        let expected = try OnnxSession(bytes: quantized.bytes()).run(x)["y"]?.values(of: Float.self)
        let actual = try OnnxSession(bytes: read.bytes()).run(x)["y"]?.values(of: Float.self)
        #expect(actual == expected && actual?.count == 4 * 96)
    }

    /// What a calibrated model keeps in float32, 8-bit weights alone make small afterwards.
    @Test func weightsAloneForTheRest() throws {
        let model = try Fixtures.tower(depth: 2, width: 64)
        let x = ["x": try OnnxValue(Fixtures.normal(8 * 64, seed: 28), shape: [8, 64])]
        let kept: Set<String> = ["layers.0.out.product", "layers.1.out.product"]
        let first = try calibrated(model, x).quantize(model, keeping: kept)
        let weights = QuantizationMethod.weights(WeightQuantization())
        #expect(Set(weights.layers(of: first).map(\.name)) == kept)
        let second = try weights.quantize(first)
        #expect(
            Fixtures.operations(second).filter { $0.hasPrefix("MatMul") } == [
                "MatMul", "MatMulNBits", "MatMul", "MatMulNBits",
            ])
        #expect(second.weights.values.allSatisfy { $0.elementType != .float32 || $0.count < 4096 })
        let expected = try Fixtures.run(model, x)
        let actual = try Fixtures.run(second, x)
        #expect(Fixtures.relativeError(actual, expected) < 0.03)
        let session = try OnnxSession(bytes: second.bytes())
        #expect(session.metadata.entries[OnnxModelMetadata.quantizationMethodKey] == "int8")
        #expect(session.metadata.entries[OnnxModelMetadata.weightBitsKey] == "7")
    }
}
