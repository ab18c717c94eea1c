import ConcordCheckpoint
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct LowRankAdapterTests {
    private static let all = Set(LowRankAdaptation.Target.allCases)

    private func adaptation(
        dropout: Double = 0, targets: Set<LowRankAdaptation.Target> = all
    ) -> LowRankAdaptation {
        LowRankAdaptation(rank: 2, alpha: 3, dropout: dropout, targets: targets, roots: ["tower"])
    }

    /// A transformer of two blocks, and its store; `B` of every adapter is no longer zero when `isTrained`.
    private func transformer(
        _ adaptation: LowRankAdaptation?, isTrained: Bool = false
    ) -> (transformer: Transformer, store: ParameterStore) {
        let store = ParameterStore(seed: 3, adaptation: adaptation)
        let transformer = Transformer(
            ParameterScope(store) / "tower",
            TransformerConfiguration(
                width: 16, intermediateWidth: 32, layers: 2, heads: 2, activation: .gelu, layerNormEpsilon: 1e-5,
                isCausal: false, initialization: .torchDefaults))
        if isTrained {
            withoutGradient {
                for (index, adapter) in store.adapters.enumerated() {
                    let noise = Tensor.normal(
                        adapter.up.shape, standardDeviation: 0.1, generator: Generator(seed: UInt64(index)))
                    adapter.up.copy(from: noise)
                }
            }
        }
        return (transformer, store)
    }

    /// 20 tokens, whose queries, keys and values are computed apart, and 600, for which the three weights are joined.
    private static let inputs = [[4, 5, 16], [6, 100, 16]]

    private func input(_ shape: [Int]) -> Tensor { .normal(shape, generator: Generator(seed: 4)) }

    private func values(_ store: ParameterStore) -> [[Float]] {
        store.parameters.map { $0.tensor.scalars(as: Float.self) }
    }

    @Test func addsTheScaledProductOfItsMatrices() throws {
        let store = ParameterStore(seed: 1, adaptation: adaptation())
        let linear = Linear(ParameterScope(store) / "tower", 3, 2, hasBias: false, target: .q)
        let adapter = try #require(store.adapters.first)
        withoutGradient {
            linear.weight.copy(from: Tensor([1, 0, 0, 0, 1, 0] as [Float], shape: [2, 3]))
            adapter.down.copy(from: Tensor([1, 1, 0, 0, 0, 2] as [Float], shape: [2, 3]))
            adapter.up.copy(from: Tensor([1, 0, 0.5, 1] as [Float], shape: [2, 2]))
        }
        // A x = (3, 6); B A x = (3, 7.5); times 3 / 2, and W x = (1, 2).
        let y = linear(Tensor([1, 2, 3] as [Float], shape: [1, 3]))
        expectClose(y.scalars(as: Float.self), [5.5, 13.25] as [Float], absolute: 1e-6)
    }

    @Test(arguments: inputs)
    func newAdaptersLeaveTheOutputsAsTheyAreBitForBit(_ shape: [Int]) {
        let plain = transformer(nil), adapted = transformer(adaptation(dropout: 0.5))
        #expect(adapted.store.adapters.count == 12)
        adapted.store.isTraining = true
        let outputs = [plain, adapted].map { $0.transformer(input(shape)).scalars(as: Float.self) }
        #expect(outputs[0] == outputs[1])
    }

    @Test(arguments: inputs)
    func mergedWeightsComputeTheSameAndComeBackBitForBit(_ shape: [Int]) {
        let (transformer, store) = transformer(adaptation(), isTrained: true), x = input(shape)
        let before = values(store), plain = self.transformer(nil).transformer(x).scalars(as: Float.self)
        let adapted = transformer(x).scalars(as: Float.self)
        #expect(zip(plain, adapted).contains { abs($0 - $1) > 0.01 })
        store.withMergedAdapters {
            expectClose(transformer(x).scalars(as: Float.self), adapted, absolute: 2e-6)
            // A save inside finds them merged already.
            store.withMergedAdapters {
                expectClose(transformer(x).scalars(as: Float.self), adapted, absolute: 2e-6)
            }
            #expect(values(store) != before)
        }
        #expect(values(store) == before)
        #expect(transformer(x).scalars(as: Float.self) == adapted)
    }

    @Test(arguments: inputs)
    func onlyAdaptersLearnWhereAllElseIsFrozen(_ shape: [Int]) {
        let (transformer, store) = transformer(adaptation(), isTrained: true)
        store.freeze { $0.origin != .adapter }
        let before = values(store)
        transformer(input(shape)).square().mean().backward()
        for parameter in store.parameters {
            #expect((parameter.tensor.gradient != nil) == (parameter.origin == .adapter), "\(parameter.name)")
        }
        AdamW(store.trainable).step(learningRate: 0.01)
        for (parameter, (old, new)) in zip(store.parameters, zip(before, values(store))) {
            #expect((old == new) == (parameter.origin != .adapter), "\(parameter.name)")
        }
    }

    @Test func targetsAndRootsChooseTheLayers() {
        func adapted(_ adaptation: LowRankAdaptation) -> [String] {
            transformer(adaptation).store.parameters.filter { $0.origin == .adapter }.map(\.name)
        }
        #expect(
            adapted(adaptation(targets: [.v])) == [
                "tower.layers.0.self_attn.v_proj.lora_A.weight", "tower.layers.0.self_attn.v_proj.lora_B.weight",
                "tower.layers.1.self_attn.v_proj.lora_A.weight", "tower.layers.1.self_attn.v_proj.lora_B.weight",
            ])
        #expect(adapted(adaptation(targets: [.mlp])).count == 8)
        #expect(adapted(adaptation(targets: [.q, .k, .out])).count == 12)
        var other = adaptation()
        other.roots = ["tow"]
        #expect(adapted(other).isEmpty)
    }

    @Test func dropoutLeavesOutInputsOfAdaptersAloneAndRepeats() {
        let (transformer, store) = transformer(adaptation(dropout: 0.5), isTrained: true), x = input([2, 5, 16])
        let whole = transformer(x).scalars(as: Float.self)
        store.isTraining = true
        func drawn(_ seed: UInt64) -> [Float] {
            store.generator.seed(seed)
            return transformer(x).scalars(as: Float.self)
        }
        #expect(drawn(1) == drawn(1))
        #expect(drawn(1) != drawn(2) && drawn(1) != whole)
    }

    @Test func aSavedModelIsAPlainOneWithMergedWeights() throws {
        try withTemporaryFolder { folder in
            let (transformer, store) = transformer(adaptation(), isTrained: true), x = input([2, 5, 16])
            let path = folder + "/model.safetensors"
            try store.save(to: path)
            let source = ParameterSource(try CheckpointReader(path: path), layout: .huggingFace)
            let loaded = ParameterStore(sources: [source])
            let plain = Transformer(
                ParameterScope(loaded) / "tower",
                TransformerConfiguration(
                    width: 16, intermediateWidth: 32, layers: 2, heads: 2, activation: .gelu, layerNormEpsilon: 1e-5,
                    isCausal: false, initialization: .torchDefaults))
            // Throws if the file held a key that a plain model has not.
            try loaded.finishLoading()
            #expect(loaded.parameters.allSatisfy { $0.origin == .checkpoint })
            expectClose(
                plain(x).scalars(as: Float.self), transformer(x).scalars(as: Float.self), absolute: 2e-6)
        }
    }

    @Test func checkpointsHoldWhatNoModelFolderDoes() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try TensorFile.write([("tower.weight", .ones([2, 2])), ("tower.bias", .ones([2]))], to: path)
            let source = ParameterSource(try CheckpointReader(path: path), layout: .huggingFace, prefix: "tower.")
            let store = ParameterStore(sources: [source], adaptation: adaptation())
            _ = Linear(ParameterScope(store) / "tower", 2, 2, target: .q)
            _ = Linear(ParameterScope(store) / "new", 2, 2, hasBias: false)
            try store.freeze(matching: ["tower.weight", "new.*"])
            #expect(
                store.resumable.map(\.name) == [
                    "tower.bias", "tower.lora_A.weight", "tower.lora_B.weight", "new.weight",
                ])
        }
    }
}
