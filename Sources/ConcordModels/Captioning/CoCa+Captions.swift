import ConcordCore
import ConcordTensor
import ConcordText

extension CoCa {
    /// What captions pictures step by step, each as its request asks.
    ///
    /// - Parameters:
    ///   - pixels: normalised pictures `[batch, 3, size, size]`.
    ///   - requests: one for each picture. A prompt begins with the start token, and a request without one has it alone;
    ///     without stop tokens the end token ends a caption.
    /// - Throws: `.emptyBatch` or `.shapeMismatch` for pictures that do not fit; `.invalidArgument` for a request with
    ///   impossible options or that is longer than the context.
    public func makeGenerator(
        for pixels: Tensor, requests: [GenerationRequest]
    ) throws(ConcordError) -> TokenGenerator {
        try TokenGenerator(CaptionSession(self, pixels: pixels), requests: requests)
    }

    /// The captions of pictures `[batch, 3, size, size]`: for each as many as the options ask for.
    ///
    /// - Parameter prompt: what all captions begin with, the start token included; nil for the start token alone.
    /// - Throws: as ``makeGenerator(for:requests:)``.
    public func captions(
        of pixels: Tensor, prompt: [Int32]? = nil, options: GenerationOptions = GenerationOptions()
    ) throws(ConcordError) -> [[GeneratedTokens]] {
        let request = GenerationRequest(prompt: prompt, options: options)
        let count = pixels.rank > 0 ? pixels.size(0) : 0
        return try makeGenerator(for: pixels, requests: Array(repeating: request, count: count)).run()
    }
}
