import ConcordCheckpoint
import ConcordCore
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordTestSupport
import Testing

/// Captions decoded token by token, with what is known of the earlier ones kept.
@Suite struct CoCaDecodingTests {
    /// Each way to cut a caption of 8 tokens gives the logits of the whole at once.
    @Test(
        arguments: CoCaGolden.names,
        [Array(repeating: 1, count: 8), [8], [3, 1, 1, 3], [1, 3, 3, 1]])
    func stepsGiveTheLogitsOfTheWhole(_ name: String, _ steps: [Int]) throws {
        let golden = try CoCaGolden(name), model = try golden.model(.float64)
        // Padding is no different from other tokens here: full rows.
        let ids = Tensor((0..<24).map { 1 + ($0 * 37) % 11 }, shape: [3, 8])
        try withoutGradient {
            let pictures = model.encodeImages(golden.pixels(.float64)).tokens
            let whole = model.tokenLogits(model.decoder(model.encodeTexts(ids).states, imageTokens: pictures))
            let cache = model.makeCaptionCache(for: pictures)
            var start = 0
            for step in steps {
                let new = ids.sliced(axis: 1, from: start, to: start + step)
                let logits = model.tokenLogits(try model.states(next: new, cache: cache))
                let expected = whole.sliced(axis: 1, from: start, to: start + step)
                #expect(logits.shape == [3, step, 12])
                expectClose(
                    logits.scalars(as: Double.self), expected.scalars(as: Double.self), absolute: 1e-12,
                    "tokens from \(start)")
                start += step
                #expect(cache.count == start)
            }
        }
    }

    /// Rows are taken, repeated and put in another order, as a beam search does.
    @Test func selectedRowsGoOnAsTheirOwn() throws {
        let golden = try CoCaGolden("coca"), model = try golden.model(.float64)
        let ids = Tensor((0..<24).map { 1 + ($0 * 37) % 11 }, shape: [3, 8])
        try withoutGradient {
            let pictures = model.encodeImages(golden.pixels(.float64)).tokens
            let cache = model.makeCaptionCache(for: pictures)
            _ = try model.states(next: ids.sliced(axis: 1, from: 0, to: 4), cache: cache)
            cache.select(rows: [2, 0, 0, 1])
            let rows = Tensor([2, 0, 0, 1])
            // Two continuations of the first row, by the tokens of another.
            let chosen = ids.indexSelected(axis: 0, rows), other = ids.indexSelected(axis: 0, Tensor([2, 0, 1, 1]))
            let next = other.sliced(axis: 1, from: 4, to: 6)
            var last = try model.states(next: next.sliced(axis: 1, from: 0, to: 1), cache: cache)
            last = try model.states(next: next.sliced(axis: 1, from: 1, to: 2), cache: cache)
            let texts = Tensor.concatenated([chosen.sliced(axis: 1, from: 0, to: 4), next], axis: 1)
            let whole = model.decoder(
                model.encodeTexts(texts).states, imageTokens: pictures.indexSelected(axis: 0, rows))
            expectClose(
                last.scalars(as: Double.self), whole.sliced(axis: 1, from: 5).scalars(as: Double.self), absolute: 1e-12)
        }
    }

    /// A cache gives back what went in, as its room grows and its rows change.
    @Test func cachesKeepWhatTheyAreGiven() {
        let cache = KeyValueCache(capacity: 70), generator = Generator(seed: 5)
        var keys = Tensor.zeros([3, 2, 0, 4], dtype: .float64), values = keys
        for step in [1, 3, 12, 1, 1, 20, 1, 30, 1] {
            let shape = [keys.size(0), 2, step, 4]
            let key = Tensor.normal(shape, generator: generator, dtype: .float64)
            let value = Tensor.normal(shape, generator: generator, dtype: .float64)
            keys = .concatenated([keys, key], axis: 2)
            values = .concatenated([values, value], axis: 2)
            let (allKeys, allValues) = cache.append(key, value)
            #expect(allKeys.shape == keys.shape && cache.count == keys.size(2))
            #expect(allKeys.scalars(as: Double.self) == keys.scalars(as: Double.self))
            #expect(allValues.scalars(as: Double.self) == values.scalars(as: Double.self))
            let rows = step == 12 ? Tensor([2, 2, 0, 1, 0]) : step == 20 ? Tensor([4, 1]) : nil
            guard let rows else { continue }
            cache.select(rows: rows)
            (keys, values) = (keys.indexSelected(axis: 0, rows), values.indexSelected(axis: 0, rows))
        }
        #expect(cache.count == 70)
    }

    @Test func captionsBeyondTheContextAreRefused() throws {
        let golden = try CoCaGolden("coca"), model = try golden.model(.float32)
        let cache = model.makeCaptionCache(for: model.encodeImages(golden.pixels(.float32)).tokens)
        _ = try model.states(next: golden.ids, cache: cache)
        let error = #expect(throws: ConcordError.self) {
            _ = try model.states(next: golden.ids.sliced(axis: 1, from: 0, to: 1), cache: cache)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("a caption of 9 tokens is longer than the 8") == true)
        #expect(cache.count == 8)
    }
}
