import ConcordCore
import ConcordRuntime
import ConcordText

/// A picture to caption.
struct CaptionItem: Sendable {
    let picture: DecodingPool.Picture
    let request: GenerationRequest
    let text: CaptionText
    /// Called with the tokens of the first result as they come.
    let onTokens: (@Sendable ([Int32]) -> Void)?
}

/// Captions pictures together; each is done when its own caption has ended.
struct CaptionWork: Sendable {
    let model: ExportedModel
    let translate: @Sendable (ConcordError) -> ServingError

    func callAsFunction(_ items: [CaptionItem], _ run: BatchRun<[GeneratedTokens]>) throws(ServingError) {
        var haveSpoken = Set<Int>()
        do throws(ConcordError) {
            let session = try model.makeCaptionSession(for: items.map(\.picture.image))
            let generator = try TokenGenerator(session, requests: items.map(\.request))
            var open = Set(items.indices)
            while !open.isEmpty, let updates = try generator.next() {
                run.progress()
                for update in updates where update.result == 0 {
                    guard let onTokens = items[update.item].onTokens else { continue }
                    haveSpoken.insert(update.item)
                    onTokens(update.tokens)
                }
                for index in open {
                    if run.isOver(index) {
                        generator.drop(item: index)
                        open.remove(index)
                    } else if generator.isFinished(item: index) || isStopped(items[index], generator, index) {
                        run.finish(index, .success(generator.results[index]))
                        generator.drop(item: index)
                        open.remove(index)
                    }
                }
            }
        } catch {
            let problem = translate(error)
            // What was streamed cannot be taken back, so these are not tried again.
            for index in haveSpoken { run.finish(index, .failure(problem)) }
            throw problem
        }
    }

    /// Whether all captions of an item have come to a text at which they end. A search with beams knows them at its end.
    private func isStopped(_ item: CaptionItem, _ generator: TokenGenerator, _ index: Int) -> Bool {
        if case .beam = item.request.options.strategy { return false }
        return item.text.hasStops && generator.results[index].allSatisfy { item.text.whole($0.tokens).isStopped }
    }
}
