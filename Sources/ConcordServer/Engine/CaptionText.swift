import ConcordText
import Synchronization

/// The text of a caption that grows by tokens.
final class CaptionText: Sendable {
    private struct State {
        var tokens: [Int32] = []
        /// Scalars that were given out.
        var written = 0
    }

    private let tokenizer: any Tokenizer
    private let prompt: [Int32]
    private let state = Mutex(State())

    init(_ tokenizer: any Tokenizer, prompt: [Int32]?) {
        self.tokenizer = tokenizer
        self.prompt = prompt ?? []
    }

    /// The caption of `tokens`: a prompt is part of it.
    func whole(_ tokens: [Int32]) -> String { tokenizer.decode(prompt + tokens) }

    /// What `tokens` add to the text; nil for nothing yet.
    func piece(adding tokens: [Int32]) -> String? {
        state.withLock { state in
            state.tokens += tokens
            var scalars = whole(state.tokens).unicodeScalars[...]
            // Half a character decodes to replacement characters, which the next token takes back.
            while scalars.last == "\u{FFFD}" { scalars.removeLast() }
            return Self.rest(scalars, &state)
        }
    }

    /// What is left of the text of all `tokens`.
    func rest(of tokens: [Int32]) -> String? {
        state.withLock { Self.rest(whole(tokens).unicodeScalars[...], &$0) }
    }

    private static func rest(_ scalars: Substring.UnicodeScalarView, _ state: inout State) -> String? {
        guard scalars.count > state.written else { return nil }
        defer { state.written = scalars.count }
        return String(String.UnicodeScalarView(scalars.dropFirst(state.written)))
    }
}
