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
            let whole = model.tokenLogits(model.decoder(model.encodeTexts(ids).states, pictures: pictures))
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
                model.encodeTexts(texts).states, pictures: pictures.indexSelected(axis: 0, rows))
            expectClose(
                last.scalars(as: Double.self), whole.sliced(axis: 1, from: 5).scalars(as: Double.self), absolute: 1e-12)
        }
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
