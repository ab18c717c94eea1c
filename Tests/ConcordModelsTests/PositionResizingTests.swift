import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// Positions for other picture sizes and contexts, as open_clip and timm make them.
@Suite struct PositionResizingTests {
    private let golden: [String: Golden.Tensor]

    init() throws { golden = try Golden.tensors("models", "folders/resizing.safetensors") }

    private func expect(_ tensor: Tensor?, _ key: String, absolute: Double) throws {
        let tensor = try #require(tensor), expected = try #require(golden[key])
        #expect(tensor.shape == expected.shape)
        expectClose(tensor.scalars(as: Double.self), expected.values, absolute: absolute, key)
    }

    /// Larger and smaller than the 16 pixels and 12 tokens of the checkpoint.
    @Test(arguments: [(24, 20), (12, 8)])
    func openCLIPLoadsWithAnotherPictureSizeAndContext(_ size: Int, _ context: Int) throws {
        let folder = try GoldenFolder("open-clip")
        var configuration = try folder.configuration
        guard case .transformer(var text) = configuration.text else { return }
        text.contextLength = context
        configuration.text = .transformer(text)
        configuration.vision.imageSize = size
        let model = try GoldenFolder.dualEncoder(configuration, from: folder.weights, layout: folder.layout)
        #expect(model.store.notes.count == 2)
        #expect(model.store.notes.allSatisfy { $0.contains("position_embedding.weight is resized from [") })
        func parameter(_ name: String) -> Tensor? { model.store.parameters.first { $0.name == name }?.tensor }
        try expect(
            parameter("vision_model.embeddings.position_embedding.weight"), "vision.\(size)", absolute: 2e-7)
        try expect(parameter("text_model.embeddings.position_embedding.weight"), "text.\(context)", absolute: 2e-7)
        try withoutGradient {
            try expect(model.embedImages(folder.pixels(.float32, size: size)), "image.\(size)", absolute: 2e-6)
            let ids = folder.ids.sliced(axis: 1, from: 0, to: min(9, context))
            try expect(model.embedTexts(ids), "texts.\(context)", absolute: 2e-6)
        }
    }

    @Test(arguments: [24, 12]) func sigLIPHasNoClassTokenToKeep(_ size: Int) throws {
        let folder = try GoldenFolder("siglip")
        var configuration = try folder.configuration
        configuration.vision.imageSize = size
        // timm's table has an axis in front.
        let timm = try GoldenFolder("open-clip-siglip")
        for source in [folder, timm] {
            let model = try GoldenFolder.dualEncoder(configuration, from: source.weights, layout: source.layout)
            let name = "vision_model.embeddings.position_embedding.weight"
            try expect(
                model.store.parameters.first { $0.name == name }?.tensor, "siglip.\(size)", absolute: 2e-7)
        }
    }

    @Test(arguments: [DType.float16, .bfloat16, .float64]) func resizedTableKeepsItsType(_ dtype: DType) throws {
        let rows = Tensor.normal([17, 16], standardDeviation: 1, generator: Generator(seed: 1))
        let grid = try #require(PositionResizing.grid(rows.to(dtype), fixed: 1, side: 6))
        let line = try #require(PositionResizing.line(rows.to(dtype), count: 20))
        let wideGrid = try #require(PositionResizing.grid(rows.to(dtype).to(.float64), fixed: 1, side: 6))
        let wideLine = try #require(PositionResizing.line(rows.to(dtype).to(.float64), count: 20))
        // Rounded once, at the end.
        for (table, wide) in [(grid, wideGrid), (line, wideLine)] {
            #expect(table.dtype == dtype)
            let allowed = dtype == .float64 ? 1e-15 : dtype == .float16 ? 2e-3 : 1.6e-2
            expectClose(table.scalars(as: Double.self), wide.scalars(as: Double.self), absolute: allowed)
        }
    }

    /// Rows of padding in front, and that of a class token behind, are no neighbours of the others.
    @Test func rowsThatAreNoPositionsStay() throws {
        let rows = Tensor.normal([17, 4], standardDeviation: 1, generator: Generator(seed: 1))
        let resized = try #require(PositionResizing.line(rows, count: 29, leading: 2, trailing: 1))
        #expect(resized.shape == [29, 4])
        func values(_ tensor: Tensor, _ start: Int, _ end: Int) -> [Float] {
            tensor.sliced(axis: 0, from: start, to: end).scalars(as: Float.self)
        }
        #expect(values(resized, 0, 2) == values(rows, 0, 2) && values(resized, 28, 29) == values(rows, 16, 17))
        let between = try #require(PositionResizing.line(rows.sliced(axis: 0, from: 2, to: 16), count: 26))
        #expect(values(resized, 2, 28) == between.scalars(as: Float.self))
        #expect(PositionResizing.line(rows, count: 3, leading: 2, trailing: 1) == nil)
        #expect(PositionResizing.line(Tensor.zeros([3, 4]), count: 9, leading: 2, trailing: 1) == nil)
    }

    @Test func impossibleSizesAreNoTables() {
        let rows = Tensor.zeros([17, 16])
        #expect(PositionResizing.grid(Tensor.zeros([18, 16]), fixed: 1, side: 3) == nil)
        #expect(PositionResizing.grid(Tensor.zeros([1, 16]), fixed: 1, side: 3) == nil)
        #expect(PositionResizing.grid(rows, fixed: 1, side: 0) == nil)
        #expect(PositionResizing.grid(rows, fixed: 1, side: 1 << 24) == nil)
        #expect(PositionResizing.line(rows, count: 1 << 24) == nil)
        #expect(PositionResizing.line(Tensor.zeros([17]), count: 3) == nil)
    }

    /// open_clip's table of sines and cosines, which its checkpoints hold as a tensor.
    @Test func newModelsHaveTheFixedTable() throws {
        let folder = try GoldenFolder("open-clip-clipa"), name = "vision_model.embeddings.position_embedding.weight"
        let configuration = try folder.configuration
        #expect(configuration.vision.hasFixedPositions)
        let new = DualEncoder(configuration, store: ParameterStore(seed: 1)), loaded = try folder.dualEncoder()
        let tables = try [new, loaded].map { model in
            let parameter = try #require(model.store.parameters.first { $0.name == name })
            #expect(!model.store.trainable.contains { $0.name == name })
            #expect(model.store.trainable.count == model.store.parameters.count - 1)
            return parameter.tensor.scalars(as: Double.self)
        }
        expectClose(tables[0], tables[1], absolute: 6e-8)
        #expect(tables[0].prefix(16).allSatisfy { $0 == 0 })
    }
}
