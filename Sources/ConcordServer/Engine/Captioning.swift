import ConcordCore
import ConcordRuntime
import ConcordText
import Synchronization

/// An image to caption.
struct CaptionJob: Sendable {
    let decoded: DecodingPool.Decoded
    let request: GenerationRequest
    let text: CaptionText
    /// Called with the tokens of the first result as they come.
    let onTokens: (@Sendable ([Int32]) -> Void)?
}

/// Captions images together; each is done when its own caption has ended.
struct CaptionWork: Sendable {
    let model: ExportedModel
    let translate: @Sendable (ConcordError) -> ServingError

    func perform(_ items: [CaptionJob], _ run: BatchRun<[GeneratedTokens]>) throws(ServingError) {
        var haveSpoken = Set<Int>()
        do throws(ConcordError) {
            let session = try model.makeCaptionSession(for: items.map(\.decoded.image))
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

    /// True if all captions of an item have reached a stop text. A beam search knows its captions only at the end.
    private func isStopped(_ item: CaptionJob, _ generator: TokenGenerator, _ index: Int) -> Bool {
        if case .beam = item.request.options.strategy { return false }
        return item.text.hasStops && generator.results[index].allSatisfy { item.text.whole($0.tokens).isStopped }
    }
}

/// The text of a caption's tokens.
struct CaptionText: Sendable {
    private let tokenizer: any Tokenizer
    private let prompt: [Int32]
    /// Texts at which it ends, as scalars.
    private let stops: [[Unicode.Scalar]]

    init(_ tokenizer: any Tokenizer, prompt: [Int32]?, stops: [String]) {
        self.tokenizer = tokenizer
        self.prompt = prompt ?? []
        self.stops = stops.map { Array($0.unicodeScalars) }
    }

    /// The caption of `tokens`: a prompt is part of it, and what comes at the first stop is not.
    func whole(_ tokens: [Int32]) -> (scalars: Substring.UnicodeScalarView, isStopped: Bool) {
        let scalars = tokenizer.decode(prompt + tokens).unicodeScalars
        guard !stops.isEmpty else { return (scalars[...], false) }
        // Only what the model wrote is searched.
        let start = prompt.isEmpty ? 0 : tokenizer.decode(prompt).unicodeScalars.count
        var rest = scalars.dropFirst(start)
        while !rest.isEmpty {
            if stops.contains(where: { rest.starts(with: $0) }) { return (scalars[..<rest.startIndex], true) }
            rest = rest.dropFirst()
        }
        return (scalars[...], false)
    }

    var hasStops: Bool { !stops.isEmpty }

    /// The scalars without an end that the next tokens may take back: half a character, which decodes to replacement
    /// characters, and the beginning of a stop.
    func settled(_ scalars: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        var scalars = scalars
        while scalars.last == "\u{FFFD}" { scalars.removeLast() }
        let held = stops.map { stop in
            (1..<max(stop.count, 1)).last { scalars.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
        }
        return scalars.dropLast(held.max() ?? 0)
    }
}

/// The text of a caption that grows by tokens.
final class CaptionPieces: Sendable {
    private struct State {
        var tokens: [Int32] = []
        /// Scalars that were given out.
        var written = 0
    }

    private let text: CaptionText
    private let state = Mutex(State())

    init(_ text: CaptionText) { self.text = text }

    /// The text that `tokens` add; `nil` for nothing yet.
    func piece(adding tokens: [Int32]) -> String? {
        state.withLock { state in
            state.tokens += tokens
            let whole = text.whole(state.tokens)
            return Self.rest(whole.isStopped ? whole.scalars : text.settled(whole.scalars), &state)
        }
    }

    /// The rest of the text of all `tokens`.
    func rest(of tokens: [Int32]) -> String? {
        state.withLock { Self.rest(text.whole(tokens).scalars, &$0) }
    }

    private static func rest(_ scalars: Substring.UnicodeScalarView, _ state: inout State) -> String? {
        guard scalars.count > state.written else { return nil }
        defer { state.written = scalars.count }
        return String(String.UnicodeScalarView(scalars.dropFirst(state.written)))
    }
}
