import ConcordCore
import ConcordMedia
import ConcordText

extension ExportedModel {
    /// The caption of a picture file, from reading it to its text.
    ///
    /// - Parameters:
    ///   - prompt: what the caption begins with.
    ///   - options: nil for the likeliest token at each step, and 30 tokens, or what the model's context has room for.
    /// - Throws: `.fileSystem`, `.invalidImage`; otherwise as ``caption(images:prompt:options:)``.
    public func caption(
        imageAt path: String, prompt: String? = nil, options: GenerationOptions? = nil
    ) throws(ConcordError) -> GeneratedCaption {
        let start: [Int32]? = if let prompt { try prepare(prompt: prompt) } else { nil }
        let found = try caption(images: [prepare(imageAt: path)], prompt: start, options: options)
        guard let caption = found.first?.first else {
            throw ConcordError(.invalidArgument, "\(path): the options leave no caption; allow more tokens")
        }
        return caption
    }

    /// The captions of pictures, which are written together: for each as many as the options ask for, the best first.
    ///
    /// - Parameters:
    ///   - prompt: what all captions begin with, as ``prepare(prompt:)`` gives it.
    ///   - options: nil for the likeliest token at each step, and 30 tokens, or what the model's context has room for.
    /// - Throws: `.invalidConfiguration` for a model that does not caption, `.invalidArgument` for options that are
    ///   impossible or do not fit the model, `.shapeMismatch` for a picture of another size, `.nonFiniteValue`,
    ///   `.inference`.
    public func caption(
        images: [PreparedImage], prompt: [Int32]? = nil, options: GenerationOptions? = nil
    ) throws(ConcordError) -> [[GeneratedCaption]] {
        guard !images.isEmpty else { return [] }
        let session = try makeCaptionSession(for: images)
        let room = max(1, session.contextLength - (prompt?.count ?? 1))
        let request = GenerationRequest(
            prompt: prompt, options: options ?? GenerationOptions(maxTokens: min(30, room)))
        return try TokenGenerator(session, requests: images.map { _ in request }).run().map { results in
            results.map { GeneratedCaption(text: tokenizer.decode((prompt ?? []) + $0.tokens), tokens: $0) }
        }
    }

    /// Reads, decodes and prepares a picture file.
    ///
    /// - Throws: `.fileSystem`, `.invalidImage`; `.invalidConfiguration` for a model of texts alone.
    public func prepare(imageAt path: String, limits: ImageLimits = .standard) throws(ConcordError) -> PreparedImage {
        let bytes = try Files.read(path, limit: limits.maximumBytes)
        return try bytes.withUnsafeBufferPointer { bytes throws(ConcordError) in
            try prepare(image: UnsafeRawBufferPointer(bytes), name: path, limits: limits)
        }
    }
}
