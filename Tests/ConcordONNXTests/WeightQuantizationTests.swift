import ConcordCore
import ConcordONNX
import ConcordRuntime
import Testing

@Suite struct WeightQuantizationTests {
    private typealias Fixtures = QuantizationFixtures
    private let method = QuantizationMethod.weights(WeightQuantization())

    // The last does not fill its blocks, and the one before needs smaller ones.
    @Test(arguments: [(256, 128), (96, 32), (72, 32)]) func productStaysNear(rows: Int, blockSize: Int) throws {
        let model = try Fixtures.layer(in: rows, out: 160)
        let quantized = try method.quantize(model)
        #expect(Fixtures.operations(quantized) == ["MatMulNBits", "Add"])
        #expect(Set(quantized.weights.keys) == ["w.int8", "w.scale", "b"])
        let product = try #require(quantized.proto.graph.node.first)
        #expect(product.attribute.first { $0.name == "block_size" }?.i == Int64(blockSize))
        let x = try OnnxValue(Fixtures.normal(5 * rows, seed: 7), shape: [5, rows])
        let expected = try Fixtures.run(model, ["x": x]), actual = try Fixtures.run(quantized, ["x": x])
        let error = Fixtures.relativeError(actual, expected)
        #expect(error < 0.02 && error > 0)
        // Each row by itself, whatever is beside it.
        let values = try x.values(of: Float.self)
        for row in 0..<5 {
            let one = try OnnxValue(Array(values[row * rows..<(row + 1) * rows]), shape: [1, rows])
            let alone = try Fixtures.run(quantized, ["x": one])
            #expect(Fixtures.relativeError(alone, Array(actual[row * 160..<(row + 1) * 160])) < 1e-5)
        }
    }

    @Test func blocksAreWhatOnnxRuntimeReads() throws {
        // Column 0 counts up, column 1 has a large number in its second block only.
        var weight = [Float](repeating: 0, count: 256 * 2)
        for row in 0..<256 {
            weight[2 * row] = Float(row - 127)
            weight[2 * row + 1] = row == 200 ? -254 : 1
        }
        let options = WeightQuantization()
        var quick = options
        quick.minimumElementCount = 1
        let quantized = try QuantizationMethod.weights(quick).quantize(
            Fixtures.layer(in: 256, out: 2, weight: weight))
        let numbers = try #require(quantized.weights["w.int8"]), scales = try #require(quantized.weights["w.scale"])
        #expect(numbers.shape == [2, 2, 128] && numbers.elementType == .uint8)
        #expect(scales.shape == [2, 2])
        #expect(try scales.values() == [1, Float(128) / 127, Float(1) / 127, 2])
        let values = try numbers.values(of: UInt8.self)
        #expect(Array(values[..<128]) == (0..<128).map { UInt8($0 + 1) })
        #expect(values[255] == 255 && values[256] == 255 && values[384 + 72] == 1)
        // 1 / 2 is the middle of two numbers; the even one is 0.
        #expect(values[384] == 128)
        let node = try #require(quantized.proto.graph.node.first)
        #expect(
            node.attribute.map { "\($0.name)=\($0.i)" } == [
                "K=256", "N=2", "bits=8", "block_size=128", "accuracy_level=4",
            ])
        #expect(node.domain == "com.microsoft" && node.output == ["product"])
        #expect(quantized.proto.opsetImport.map(\.domain) == ["", "com.microsoft"])
    }

    @Test func gemmKeepsItsFactorsAndBias() throws {
        for turned in [0, 1] {
            let graph = OnnxGraphBuilder(name: "gemm")
            let x = try graph.input("x", .float32, ["batch", 64])
            let weight = try OnnxValue(
                Fixtures.normal(64 * 96, seed: 8), shape: turned == 1 ? [96, 64] : [64, 96])
            let bias = try OnnxValue(Fixtures.normal(96, seed: 9, scale: 20), shape: [96])
            let y = try graph.add(
                "Gemm", [x, graph.constant(weight, name: "w"), graph.constant(bias, name: "b")],
                attributes: ["transB": .int(turned), "alpha": .float(0.5), "beta": .float(3)])
            try graph.output(y, as: "y", .float32, ["batch", 96])
            let model = try graph.build(), x0 = try OnnxValue(Fixtures.normal(4 * 64, seed: 10), shape: [4, 64])
            let expected = try Fixtures.run(model, ["x": x0])
            let statistics = try ActivationStatistics(of: model, over: QuantizationBatches([["x": x0]]))
            let calibrated = StaticQuantization(ranges: try statistics.ranges(.minimumMaximum))
            for method in [method, .calibrated(calibrated)] {
                let quantized = try method.quantize(model)
                #expect(Fixtures.operations(quantized).suffix(1) == ["Add"])
                let actual = try Fixtures.run(quantized, ["x": x0])
                #expect(Fixtures.relativeError(actual, expected) < 0.005)
            }
        }
    }

    /// `y [batch, length, width]`: rows of a table, and one product with another.
    private func textModel(vocabulary: Int, width: Int, sharesTable: Bool = false) throws -> OnnxModel {
        let graph = OnnxGraphBuilder(name: "text")
        let ids = try graph.input("ids", .int64, ["batch", "length"])
        let table = try graph.constant(
            OnnxValue(Fixtures.normal(vocabulary * width, seed: 11), shape: [vocabulary, width]), name: "table")
        let rows = try graph.add("Gather", [table, ids], name: "tokens")
        try graph.output(rows, as: "rows", .float32, ["batch", "length", .fixed(width)])
        let head =
            sharesTable
            ? try graph.add("Transpose", [table], attributes: ["perm": .ints([1, 0])])
            : try graph.constant(
                OnnxValue(Fixtures.normal(vocabulary * width, seed: 12), shape: [width, vocabulary]), name: "head")
        try graph.output(
            graph.add("MatMul", [rows, head], name: "logits"), as: "y", .float32,
            ["batch", "length", .fixed(vocabulary)])
        return try graph.build()
    }

    @Test func tableRowsAreWithinHalfAStep() throws {
        let model = try textModel(vocabulary: 300, width: 40), quantized = try method.quantize(model)
        let ids: [Int64] = [0, 299, 17, 17, 150, 3]
        let inputs = ["ids": try OnnxValue(ids, shape: [2, 3])]
        let actual = try Fixtures.run(quantized, inputs, output: "rows")
        let table = try #require(model.weights["table"]).values(of: Float.self)
        var differs = false
        for (position, id) in ids.enumerated() {
            let row = table[Int(id) * 40..<(Int(id) + 1) * 40]
            let step = try #require(row.map(abs).max()) / 127
            for (value, exact) in zip(actual[position * 40..<(position + 1) * 40], row) {
                #expect(abs(value - exact) <= step * 0.50001)
                differs = differs || value != exact
            }
        }
        #expect(differs)
        #expect(quantized.weights["table"] == nil)
        #expect(quantized.weights["table.int8"]?.shape == [300, 40])
    }

    @Test func largeTablesMakeSmallFiles() throws {
        let model = try textModel(vocabulary: 4000, width: 128)
        let (quantized, size) = try Fixtures.reloaded(method.quantize(model))
        #expect(quantized.fileByteCount <= size && size < quantized.fileByteCount + 2000)
        #expect(Double(model.fileByteCount) / Double(size) >= 3.5)
        let inputs = ["ids": try OnnxValue([7, 3999] as [Int64], shape: [1, 2])]
        let expected = try Fixtures.run(model, inputs), actual = try Fixtures.run(quantized, inputs)
        #expect(Fixtures.relativeError(actual, expected) < 0.02)
        let session = try OnnxSession(bytes: quantized.bytes())
        #expect(session.metadata.entries[OnnxModelMetadata.quantizationMethodKey] == "int8-weights")
        #expect(session.metadata.entries[OnnxModelMetadata.weightBitsKey] == "8")
    }

    @Test func aTableThatSomethingElseNeedsStays() throws {
        let model = try textModel(vocabulary: 300, width: 40, sharesTable: true)
        #expect(method.layers(of: model).isEmpty)
        #expect(try Fixtures.operations(method.quantize(model)) == Fixtures.operations(model))
    }

    @Test func aSharedWeightIsThereOnce() throws {
        let graph = OnnxGraphBuilder(name: "shared")
        let x = try graph.input("x", .float32, ["batch", 64])
        let w = try graph.constant(
            OnnxValue(Fixtures.normal(64 * 64, seed: 13, scale: 0.1), shape: [64, 64]), name: "w")
        try graph.output(
            graph.add("MatMul", [graph.add("MatMul", [x, w]), w]), as: "y", .float32, ["batch", 64])
        let model = try graph.build(), quantized = try method.quantize(model)
        #expect(Fixtures.operations(quantized) == ["MatMulNBits", "MatMulNBits"])
        #expect(Set(quantized.weights.keys) == ["w.int8", "w.scale"])
        // With one of the two in float32 the weight is there in both forms.
        let first = try #require(method.layers(of: model).first?.name)
        #expect(
            try Set(method.quantize(model, keeping: [first]).weights.keys) == ["w", "w.int8", "w.scale"])
    }

    @Test func onlyWhatPays() throws {
        let model = try Fixtures.layer(in: 16, out: 16)
        #expect(method.layers(of: model).isEmpty)
        var options = WeightQuantization()
        options.minimumElementCount = 256
        let layers = QuantizationMethod.weights(options).layers(of: model)
        #expect(layers.map(\.name) == ["product"] && layers.map(\.weight) == ["w"] && layers.map(\.input) == ["x"])
        #expect(layers.map(\.elementCount) == [256] && layers.map(\.kind) == [.product])
    }

    @Test func refusesWhatItCannotDo() throws {
        func failure(_ method: QuantizationMethod, _ model: OnnxModel, keeping: Set<String> = []) throws -> ConcordError
        {
            try #require(#expect(throws: ConcordError.self) { try method.quantize(model, keeping: keeping) })
        }
        let good = try Fixtures.layer(in: 64, out: 64)
        #expect(try failure(method, good, keeping: ["prodct"]).message.contains("did you mean 'product'"))
        var options = WeightQuantization()
        options.blockSize = 100
        #expect(try failure(.weights(options), good).message.contains("100"))
        for bad in [Float.nan, .infinity] {
            var weight = Fixtures.normal(64 * 64, seed: 14)
            weight[77] = bad
            let error = try failure(method, Fixtures.layer(in: 64, out: 64, weight: weight))
            #expect(error.code == .nonFiniteValue && error.message.contains("'w'"))
        }
        let static8 = QuantizationMethod.calibrated(StaticQuantization(ranges: [:]))
        #expect(try failure(static8, good).message.contains("'product' needs the range of the activation 'x'"))
        var old = good
        old.proto.opsetImport[0].version = 11
        #expect(try failure(method, old).code == .invalidModel)
    }
}
