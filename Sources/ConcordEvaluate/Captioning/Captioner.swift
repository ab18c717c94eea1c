import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordModels
import ConcordNN
import ConcordTensor
import ConcordText

/// A captioning model with its tokenizer and preprocessing: images and prompts in, texts out.
public struct Captioner {
    public let model: any CaptioningModel
    public let tokenizer: any Tokenizer
    public let preprocessing: ImagePreprocessing

    /// - Throws: `.invalidConfiguration` for a model that cannot caption.
    public init(_ model: EmbeddingModel) throws(ConcordError) {
        (self.model, preprocessing) = try model.captioner()
        tokenizer = try model.textSide().tokenizer
    }

    /// The tokens that a caption begins with, the start token included.
    ///
    /// - Throws: `.invalidArgument` for a prompt without a token.
    public func prompt(_ text: String) throws(ConcordError) -> [Int32] {
        let ids = Array(tokenizer.encode(text).dropLast())
        guard ids.count > 1 else {
            throw ConcordError(
                .invalidArgument, "the prompt \"\(text)\" has no tokens; write some words, or omit it")
        }
        return ids
    }

    /// Tokens of a caption unless somebody asks for more or fewer: 30, or what the model's context has room for.
    package func usualTokens(prompt: [Int32]? = nil) -> Int {
        min(30, max(1, model.textTransformer.contextLength - (prompt?.count ?? 1)))
    }

    /// The captions of decoded images: for each as many as the options ask for, the best first.
    ///
    /// - Parameter prompt: what all captions begin with, as ``prompt(_:)`` gives it.
    /// - Throws: as `CoCa.captions(of:prompt:options:)`.
    public func captions(
        of images: [Image], prompt: [Int32]? = nil, options: GenerationOptions = GenerationOptions()
    ) throws(ConcordError) -> [[GeneratedCaption]] {
        try captions(
            pixels: images.flatMap { preprocessing($0) }, count: images.count, prompt: prompt, options: options)
    }

    /// The captions of preprocessed images, `[count, 3, size, size]` in `pixels`.
    func captions(
        pixels: [Float], count: Int, prompt: [Int32]?, options: GenerationOptions
    ) throws(ConcordError) -> [[GeneratedCaption]] {
        guard count > 0 else { return [] }
        let found = try inference { () throws(ConcordError) in
            try model.captions(of: tensor(pixels, count), prompt: prompt, options: options)
        }
        return found.map { $0.map { GeneratedCaption(text: text(prompt, $0.tokens), tokens: $0) } }
    }

    /// An image's caption as it is written: calls `body` with each piece of text, then returns the whole.
    ///
    /// Bytes of a character that is not complete yet wait for the rest of it.
    public func stream(
        _ image: Image, prompt: [Int32]? = nil, options: GenerationOptions, body: (String) -> Void
    ) throws(ConcordError) -> GeneratedCaption {
        let request = GenerationRequest(prompt: prompt, options: options)
        let found = try inference { () throws(ConcordError) in
            let generator = try model.makeGenerator(for: tensor(preprocessing(image), 1), requests: [request])
            var tokens = [Int32](), written = 0
            while let updates = try generator.next() {
                tokens += updates.flatMap(\.tokens)
                var whole = text(prompt, tokens).unicodeScalars[...]
                // Half a character decodes to replacement characters, which the next token takes back.
                if !generator.isFinished { while whole.last == "\u{FFFD}" { whole.removeLast() } }
                guard whole.count > written else { continue }
                body(String(whole.dropFirst(written)))
                written = whole.count
            }
            return generator.results[0]
        }
        guard let first = found.first else {
            throw ConcordError(.invalidArgument, "no caption satisfies the options; allow more tokens")
        }
        return GeneratedCaption(text: text(prompt, first.tokens), tokens: first)
    }

    private func text(_ prompt: [Int32]?, _ tokens: [Int32]) -> String { tokenizer.decode((prompt ?? []) + tokens) }

    private func tensor(_ pixels: [Float], _ count: Int) -> Tensor {
        let size = model.visionConfiguration.imageSize
        return Tensor(pixels, shape: [count, 3, size, size]).to(model.store.device).to(model.languageHead.dtype)
    }

    private func inference<Result>(
        _ body: () throws(ConcordError) -> Result
    ) throws(ConcordError) -> Result {
        let wasTraining = model.store.isTraining
        model.store.isTraining = false
        defer { model.store.isTraining = wasTraining }
        return try body()
    }
}
