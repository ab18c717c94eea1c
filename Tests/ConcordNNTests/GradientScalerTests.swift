import ConcordCore
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

@Suite struct GradientScalerTests {
    /// One parameter `weight` of 8 elements.
    private func parameters() -> [Parameter] {
        let store = ParameterStore(seed: 1)
        _ = ParameterScope(store).parameter("weight", [8], .zeros)
        return store.trainable
    }

    /// Every scale of 10,000 steps, and gradients after unscaling, bit by bit as torch has them.
    @Test(arguments: ["usual", "short", "uneven", "largest"]) func theScaleIsTorchs(_ name: String) throws {
        let golden = try Golden.tensors("training", "scaler.safetensors")
        func values(_ part: String) throws -> [Double] { try #require(golden["\(name).\(part)"]).values }
        let given = try values("options")
        var options = GradientScaler.Options()
        options.initialScale = given[0]
        options.growthFactor = given[1]
        options.backoffFactor = given[2]
        options.growthInterval = Int(given[3])
        if name == "usual" { #expect(options == GradientScaler.Options()) }

        let changes = Dictionary(uniqueKeysWithValues: zip(try values("steps").map { Int($0) }, try values("scales")))
        let found = Set(try values("found").map { Int($0) }), checked = try values("checked").map { Int($0) }
        let scaled = try values("scaled").map(Float.init), unscaled = try values("unscaled").map(Float.init)
        let broken: [Float] = [.infinity, -.infinity, .nan]
        let parameters = parameters(), weight = parameters[0].tensor
        var scaler = GradientScaler(options: options)
        var expected = 0.0
        for step in 0..<10_000 {
            let place = checked.firstIndex(of: step)
            var gradient = place.map { Array(scaled[8 * $0..<8 * $0 + 8]) } ?? [Float](repeating: 1, count: 8)
            if found.contains(step) { gradient[step % 8] = broken[step % 3] }
            weight.gradient = Tensor(gradient)
            #expect(try scaler.unscale(parameters) == !found.contains(step))
            if let place {
                let bits = weight.gradient?.scalars(as: Float.self).map(\.bitPattern)
                #expect(bits == unscaled[8 * place..<8 * place + 8].map(\.bitPattern), "\(step)")
            }
            expected = changes[step] ?? expected
            guard scaler.scale == expected else {
                Issue.record("after step \(step) the scale is \(scaler.scale), torch's is \(expected)")
                return
            }
            if step == 4_999 {  // As from a checkpoint, by way of its text.
                let text = scaler.state.text()
                scaler = GradientScaler()
                try scaler.restore(JSONValue(parsing: text), path: "state.json")
            }
        }
        #expect(scaler.state["_growth_tracker"]?.double == (try values("tracker")[0]))
    }

    // MARK: A skipped step

    /// A regression in float16 with all that a step moves: optimizer, schedule and average.
    private final class Training {
        private let store = ParameterStore(seed: 3)
        private let first, second: Linear
        private let optimizer: AdamW
        private let average: ExponentialMovingAverage
        private let schedule = LearningRateSchedule(.cosine, peak: 1e-2, warmupSteps: 3, totalSteps: 12)
        let scaler = GradientScaler()
        private var updates = 0

        init() {
            let scope = ParameterScope(store)
            first = Linear(scope / "first", 6, 5)
            second = Linear(scope / "second", 5, 2)
            optimizer = AdamW(store.trainable)
            average = ExponentialMovingAverage(store.trainable, decay: 0.99)
        }

        /// Takes step `number`, in which a value overflows or not.
        func step(_ number: Int, overflows: Bool = false) throws {
            let x = Tensor.normal([7, 6], generator: Generator(seed: UInt64(number)))
            let factor = overflows ? 1e6 : 1  // beyond the 65,504 of float16
            let output = Precision.float16.autocast(on: .cpu) { second(first(x).gelu() * factor) }
            store.clearGradients()
            output.to(.float32).square().mean().backward(gradient: Tensor(scaler.scale))
            guard try scaler.unscale(store.trainable) else { return }
            _ = GradientClipping.clip(store.trainable, maximum: 1)
            optimizer.step(learningRate: schedule(updates))
            average.update(step: updates)
            updates += 1
        }

        /// All numbers that training has moved.
        var state: [String: [Float]] {
            let tensors =
                store.parameters.map { ($0.name, $0.tensor) } + optimizer.namedState
                + average.namedState.map { ($0.0 + ".average", $0.1) }
            return Dictionary(uniqueKeysWithValues: tensors.map { ($0, $1.scalars(as: Float.self)) })
        }
    }

    @Test func anOverflowLeavesTheRunAsWithoutThatStep() throws {
        let overflowing = Training(), plain = Training()
        for step in 0..<10 {
            let before = overflowing.state
            try overflowing.step(step, overflows: step == 4)
            if step == 4 {
                #expect(overflowing.state == before && overflowing.scaler.scale == 32_768)
                // What an overflow does move.
                try plain.scaler.restore(overflowing.scaler.state, path: "")
            } else {
                try plain.step(step)
                #expect(overflowing.state != before)
            }
        }
        #expect(overflowing.state == plain.state)
    }

    // MARK: Errors

    @Test func aRunThatOnlyOverflowsEnds() throws {
        let store = ParameterStore(seed: 1), scope = ParameterScope(store)
        let fine = scope.parameter("fine", [2], .ones), broken = scope.parameter("broken", [2], .ones)
        _ = scope.parameter("idle", [2], .ones)
        func error(_ options: GradientScaler.Options, after steps: Int) throws -> ConcordError? {
            let scaler = GradientScaler(options: options)
            return #expect(throws: ConcordError.self) {
                for step in 1...40 {
                    fine.gradient = Tensor([1, 1] as [Float])
                    broken.gradient = Tensor([1, .nan] as [Float])
                    do { #expect(try !scaler.unscale(store.trainable)) } catch {
                        #expect(step == steps)
                        throw error
                    }
                }
            }
        }
        // 65,536 · 0.5¹⁷ is under 1.
        let small = try error(.init(), after: 17)
        #expect(small?.code == .nonFiniteValue)
        #expect(small?.message.contains("broken") == true && small?.message.contains("0.5") == true)
        var options = GradientScaler.Options()
        options.initialScale = 0x1p40
        let many = try error(options, after: 25)
        #expect(many?.message.contains("25 steps in a row") == true && many?.message.contains("broken") == true)
    }

    @Test func skippedStepsInARowAreCountedAnewAfterAGoodOne() throws {
        let parameters = parameters()
        var options = GradientScaler.Options()
        options.initialScale = 0x1p100
        let scaler = GradientScaler(options: options)
        for step in 0..<75 {
            let isGood = step % 25 == 24
            parameters[0].tensor.gradient = Tensor([Float](repeating: isGood ? 1 : .infinity, count: 8))
            #expect(try scaler.unscale(parameters) == isGood)
        }
    }

    @Test func gradientsOfFloat16AreRefused() {
        let store = ParameterStore(seed: 1, dtype: .float16)
        ParameterScope(store).parameter("half", [2], .ones).gradient = Tensor.ones([2], dtype: .float16)
        let error = #expect(throws: ConcordError.self) { try GradientScaler().unscale(store.trainable) }
        #expect(error?.code == .dtypeMismatch && error?.message.contains("half") == true)
    }

    @Test(arguments: [
        ("scale", "0.25"), ("scale", "1e99"), ("scale", "\"big\""), ("growth_factor", "1"), ("backoff_factor", "1.5"),
        ("growth_interval", "0"), ("_growth_tracker", "2000"), ("_growth_tracker", "0.5"),
    ]) func impossibleStatesAreRefused(_ name: String, _ value: String) throws {
        let members = try #require(GradientScaler().state.members).map {
            $0.name == name ? "\"\(name)\": \(value)" : "\"\($0.name)\": \($0.value.text())"
        }
        let state = try JSONValue(parsing: "{\(members.joined(separator: ", "))}")
        let error = #expect(throws: ConcordError.self) { try GradientScaler().restore(state, path: "a/state.json") }
        #expect(error?.code == .invalidCheckpoint)
        #expect(error?.message.contains(name) == true && error?.message.contains("a/state.json") == true)
        #expect(throws: ConcordError.self) { try GradientScaler().restore([:], path: "a/state.json") }
    }
}
